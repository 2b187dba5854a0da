"""What the trackers really keep: each is the installed library, offline."""

import contextlib
import json
import sqlite3
from collections import Counter

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rewarders.errors import ConfigError
from trainer.trackers import TrackingSection, open_trackers

HOSTILE = "<img src=x onerror=alert(1)> **bold** \x1b[2J"
CONFIG = {"run": {"id": "first"}, "optim": {"lr": 1e-3}}


def row(step):
    part = {"rewarder": "maths.equal", "verdict": {"score": 1.0, "reason": "equal"}, "fault": None, "contribution": 1.0}
    broken = {"rewarder": "judge", "verdict": None, "fault": {"kind": "lost", "message": "m"}, "contribution": 0.0}
    return {
        "step": step,
        "task_id": "t",
        "prompt": [{"role": "user", "content": "1+1"}],
        "completion": HOSTILE,
        "reward": None,
        "advantage": None,
        "components": [part, broken],
        "record_id": "rec-1",
    }


@pytest.fixture
def track(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)

    def steps(to, first, last, *, done=0, sent=-1, **fields):
        section = TrackingSection(to=(to,), **fields)
        (tracker,) = open_trackers(section, tmp_path, CONFIG, done=done, sent=sent)
        with contextlib.closing(tracker):
            for step in range(first, last + 1):
                tracker.metrics(step, {"reward_mean": step / 10})
                tracker.samples(step, [row(step)])
                tracker.metrics(step, {"timings/step_s": 1.0})

    return steps


def test_tensorboard_forgets_the_steps_that_are_taken_again(tmp_path, track):
    track("tensorboard", 1, 5)
    track("tensorboard", 4, 6, done=3, sent=5)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("reward_mean")] == [1, 2, 3, 4, 5, 6]
    assert {"timings/step_s", "reward_mean"} <= set(events.Tags()["scalars"])
    text = events.Tensors("rollouts/0/text_summary")[0].tensor_proto.string_val[0].decode()
    assert all(line.startswith("    ") for line in text.splitlines()), "Markdown would obey what a model wrote"
    assert "\x1b" not in text


@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")  # wandb leaves a temporary directory
def test_wandb_goes_on_offline_under_the_same_id_and_sends_no_step_twice(tmp_path, track, capsys):
    track("wandb", 1, 3)
    track("wandb", 3, 5, done=2, sent=3)
    runs = sorted((tmp_path / "wandb").glob("offline-run-*"), key=lambda path: path.stat().st_ino)
    tables = [int(path.name.split("_")[1]) for run in runs for path in run.glob("files/media/table/rollouts_*.json")]
    assert sorted(tables) == [1, 2, 3, 4, 5]
    # offline-run-TIME-ID, and a number behind it where two began in one second
    assert {run.name.split("-")[3] for run in runs} == {(tmp_path / "tracking_id").read_text()}
    assert all(next(run.glob("*.wandb")).stat().st_size for run in runs)
    table = json.loads(next(tmp_path.glob("wandb/offline-run-*/files/media/table/rollouts_1_*.json")).read_text())
    shown = dict(zip(table["columns"], table["data"][0], strict=True))
    assert shown["components"] == "maths.equal 1 equal, contributes 1; judge fault, contributes 0"
    assert (shown["prompt"], shown["reward"]) == ("user: 1+1", None)
    assert capsys.readouterr().out == "", "stdout is for the trainer's own answer"


def test_trackio_goes_on_locally_under_the_same_name_and_keeps_no_step_twice(tmp_path, track, capsys):
    track("trackio", 1, 3, name="mine")
    track("trackio", 3, 5, done=2, sent=3, name="mine")
    with contextlib.closing(sqlite3.connect(tmp_path / "trackio" / "assay.db")) as store:
        found = store.execute("select run_name, step, metrics from metrics").fetchall()
    assert {name for name, _, _ in found} == {f"mine-{(tmp_path / 'tracking_id').read_text()}"}
    rewards = Counter(step for _, step, metrics in found if "reward_mean" in json.loads(metrics))
    assert rewards == dict.fromkeys(range(1, 6), 1)
    assert any("maths.equal 1 equal" in str(metrics) for _, _, metrics in found)
    assert capsys.readouterr().out == "", "stdout is for the trainer's own answer"


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_tracker_that_is_not_installed_names_its_extra(track, monkeypatch, name):
    def without(wanted):
        raise ImportError(f"No module named {wanted!r}")

    monkeypatch.setattr("trainer.extras.importlib.import_module", without)
    with pytest.raises(ConfigError, match=rf"{name} cannot be imported") as caught:
        track(name, 1, 1)
    assert f"assay[{name}]" in caught.value.hint


def test_trackio_online_needs_a_space(track):
    with pytest.raises(ConfigError, match=r"trackio needs tracking\.space"):
        track("trackio", 1, 1, mode="online")


def test_nobody_needs_to_be_told(tmp_path):
    assert open_trackers(TrackingSection(to=()), tmp_path, CONFIG, done=0, sent=-1) == []

import json

import pytest
import torch

from env_server.schemas import ScoredItem, Status
from rewarders.errors import CheckpointMismatch, ConfigError, FaultBudgetExceeded, NonFiniteLoss, TrainingError
from rewarders.types import FinishReason
from trainer.checkpoint import save
from trainer.config import TrainConfig
from trainer.log_lines import read_lines
from trainer.record import RunRecord, locked, run_nonce
from trainer.rollouts import Rollout
from trainer.samplers import Sample
from trainer.samplers.replica import ServerLost

CONFIG = TrainConfig.model_validate(
    {
        "run": {"dir": "x", "steps": 1},
        "model": {"path": "m"},
        "data": {"tasks": "t"},
        "algorithm": {"name": "grpo"},
    }
)


@pytest.fixture
def opened(tmp_path):
    records = []

    def open_at(**offsets):
        records.append(RunRecord(tmp_path, offsets, next_step=1))
        return records[-1]

    yield open_at
    for record in records:
        record.close()


def graded(digest="sha256:one", reward=1.0):
    return ScoredItem(
        status=Status.SCORED, task_id="t", reward=reward, rubric="math.v1", rubric_digest=digest, record_id="r1"
    )


def test_what_was_logged_after_the_checkpoint_is_cut_off_on_resume(tmp_path, opened):
    record = opened()
    record.metrics(1, {"reward_mean": 0.5})
    offsets = record.offsets()
    record.metrics(2, {"reward_mean": 0.6})
    record.close()
    again = opened(**offsets)
    again.metrics(2, {"reward_mean": 0.7})
    lines = read_lines(tmp_path / "metrics.jsonl")
    assert lines == [{"step": 1, "reward_mean": 0.5}, {"step": 2, "reward_mean": 0.7}]


def test_a_line_that_a_crash_cut_short_is_not_read(tmp_path):
    (tmp_path / "m.jsonl").write_text('{"step": 1}\n{"step": 2, "rew')
    assert read_lines(tmp_path / "m.jsonl") == [{"step": 1}]


def test_the_kept_rollouts_are_spread_over_the_step(tmp_path, opened, make_task):
    sample = Sample((1,), (0.0,), FinishReason.STOP, "step-0")
    rollouts = [Rollout(make_task(), (1,), index, 0, sample, str(index)) for index in range(10)]
    opened().rollouts(1, rollouts, [graded()] * 10, [0.0] * 10, kept=5)
    lines = read_lines(tmp_path / "rollouts.jsonl")
    assert [line["completion"] for line in lines] == ["0", "2", "4", "6", "8"]
    assert lines[0]["record_id"] == "r1"
    assert "reference" not in json.dumps(lines)


def test_none_kept_writes_none(tmp_path, opened, make_task):
    sample = Sample((1,), (0.0,), FinishReason.STOP, "step-0")
    opened().rollouts(1, [Rollout(make_task(), (1,), 0, 0, sample, "")], [graded()], [0.0], kept=0)
    assert (tmp_path / "rollouts.jsonl").read_bytes() == b""


def test_the_manifest_names_the_rubrics_that_paid(tmp_path, opened):
    record = opened()
    record.manifest(CONFIG, {"tasks": {"train": "sha256:t"}})
    record.see_rubrics([graded()])
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["rubrics"] == {"math.v1": "sha256:one"}
    assert manifest["versions"]["torch"]


def test_a_rubric_that_changes_in_mid_run_stops_it_even_after_a_resume(opened):
    record = opened()
    record.manifest(CONFIG, {})
    record.see_rubrics([graded()])
    record.close()
    again = opened()
    again.manifest(CONFIG, {})
    with pytest.raises(TrainingError, match=r"rubric math\.v1 was sha256:one"):
        again.see_rubrics([graded("sha256:two")])


def test_two_trainers_cannot_share_a_run_directory(tmp_path):
    with locked(tmp_path), pytest.raises(ConfigError, match="another trainer"), locked(tmp_path):
        raise AssertionError("the lock was given twice")


def test_a_run_keeps_its_nonce_while_it_goes_on_from_checkpoints(tmp_path, policy):
    with run_nonce(tmp_path / "run") as first:
        pass
    with run_nonce(tmp_path / "run") as without_checkpoint:
        assert without_checkpoint != first
        optimizer = torch.optim.AdamW(policy.model.parameters())
        save(tmp_path / "run/checkpoints", policy, optimizer, step=1, identity={}, offsets={}, keep=1)
    with run_nonce(tmp_path / "run") as resumed:
        assert resumed == without_checkpoint
    with pytest.raises(FaultBudgetExceeded), run_nonce(tmp_path / "run"):
        raise FaultBudgetExceeded("an outage")
    with run_nonce(tmp_path / "run") as mended:
        assert mended != resumed, "the recorded faults would be answered again"


@pytest.mark.parametrize("kind", [CheckpointMismatch, NonFiniteLoss, ServerLost])
def test_an_end_that_says_nothing_about_the_answers_keeps_the_nonce(tmp_path, policy, kind):
    """Asking again would leave second records, and a judge may answer otherwise the second time."""
    optimizer = torch.optim.AdamW(policy.model.parameters())
    save(tmp_path / "checkpoints", policy, optimizer, step=1, identity={}, offsets={}, keep=1)
    with pytest.raises(kind), run_nonce(tmp_path) as before:
        raise kind("an end")
    with run_nonce(tmp_path) as after:
        assert after == before


def test_what_a_power_failure_leaves_in_a_log_is_no_obstacle(tmp_path, opened):
    record = opened()
    record.metrics(3, {"reward_mean": 0.5})
    offsets = record.offsets()
    record.close()
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(b'\0\0\0\n{"step": 4, "rew\n\xff\n')
    opened(**offsets)
    assert read_lines(tmp_path / "metrics.jsonl") == [{"step": 3, "reward_mean": 0.5}]


def test_a_run_directory_that_is_a_file_is_an_error_of_the_configuration(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(ConfigError, match=r"run\.dir"), run_nonce(tmp_path / "run"):
        pass

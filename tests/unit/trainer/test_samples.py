import json

import pytest
from typer.testing import CliRunner

from rewarders.errors import ConfigError
from trainer.cli import app
from trainer.samples import choose_samples, printable

HOSTILE = "fine\x1b[2J\x1b]0;owned\x07 \u202eback\nnext"


def line(step, reward, **scores):
    parts = [
        {
            "rewarder": name,
            "gate": False,
            "weight": 1.0,
            "contribution": score or 0.0,
            "verdict": None if score is None else {"score": score, "reason": "done"},
            "fault": {"kind": "lost", "message": HOSTILE} if score is None else None,
        }
        for name, score in scores.items()
    ]
    asked = {"step": step, "task_id": "t", "group": 0, "sample": 0, "prompt": [{"role": "user", "content": HOSTILE}]}
    given = {"completion": HOSTILE, "reward": reward, "advantage": reward, "tokens": 3, "finish_reason": "stop"}
    return {**asked, **given, "components": parts, "record_id": "rec"}


@pytest.fixture
def run(tmp_path):
    rows = [
        line(1, 0.5, tests=0.5, style=0.5),
        line(2, 0.9, tests=0.1, style=1.0),
        line(2, None, tests=None, style=0.4),
        line(2, 0.1, tests=0.2, style=0.1),
    ]
    (tmp_path / "rollouts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "rewards"),
    [
        ({}, [0.5, 0.9, None, 0.1]),
        ({"count": 2}, [0.5, 0.9]),
        ({"order": "best"}, [0.9, 0.5, 0.1]),
        ({"order": "worst", "step": 2}, [0.1, 0.9]),
        ({"order": "best", "component": "tests"}, [0.5, 0.1, 0.9]),
        ({"order": "diverging", "count": 1}, [0.9]),
    ],
)
def test_rollouts_come_in_the_order_that_was_asked_for(run, asked, rewards):
    assert [found["reward"] for found in choose_samples(run, **asked)] == rewards


@pytest.mark.parametrize(
    ("asked", "message"), [({"step": 7}, "no rollouts of step 7"), ({"component": "absent"}, "absent: no rollout")]
)
def test_asking_for_what_is_not_there_says_what_is(run, asked, message):
    with pytest.raises(ConfigError, match=message) as caught:
        choose_samples(run, **asked)
    assert caught.value.hint in ("there are some from 1 to 2", "there are style, tests")


def test_a_directory_without_a_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no readable rollouts\.jsonl"):
        choose_samples(tmp_path)


def test_nothing_that_a_model_wrote_commands_the_terminal(run):
    done = CliRunner().invoke(app, ["samples", "--run", str(run), "--count", "9"])
    assert done.exit_code == 0
    assert not set(done.stdout) & {"\x1b", "\x07", "\u202e"}
    assert "\\x1b[2J" in done.stdout
    assert done.stdout.count("contribution") == 4
    assert "lost: fine" in done.stdout


def test_as_json_the_rollouts_are_what_was_logged(run):
    done = CliRunner().invoke(app, ["samples", "--run", str(run), "--order", "worst", "--count", "1", "--json"])
    (found,) = json.loads(done.stdout)
    assert (found["reward"], found["completion"]) == (0.1, HOSTILE)


def test_lines_stay_lines_and_everything_unseen_is_spelled_out():
    assert printable("a\nb\tc\u200bd é 日") == "a\nb\\tc\\u200bd é 日"

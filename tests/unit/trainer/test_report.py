import json

import pytest

from rewarders.errors import ConfigError
from trainer.report import write_report

HOSTILE = "<script>alert(1)</script> & </svg> $x_1$"
CONFIG = {
    "run": {"steps": 3},
    "model": {"path": HOSTILE},
    "algorithm": {"name": "grpo"},
    "sampling": {"prompts_per_step": 2, "group_size": 4},
}
EVALUATION = {
    "accuracy": 0.25,
    "low": 0.1,
    "high": 0.5,
    "reward": 0.3,
    "components": {HOSTILE: 0.3},
    "length": 9.0,
    "tasks": 40,
    "unscored": 1,
}


def rollout(step, reward):
    verdict = None if reward is None else {"score": reward, "reason": "checked"}
    part = {"rewarder": HOSTILE, "version": "1", "gate": False, "weight": 1.0, "contribution": reward or 0.0}
    part |= {"verdict": verdict, "fault": {"kind": "lost", "message": HOSTILE} if reward is None else None}
    return {
        "step": step,
        "task_id": HOSTILE,
        "prompt": [{"role": "user", "content": HOSTILE}],
        "completion": HOSTILE,
        "reward": reward,
        "advantage": None if reward is None else reward - 0.5,
        "tokens": 3,
        "finish_reason": "stop",
        "components": [part],
        "record_id": "rec-1",
    }


@pytest.fixture
def run(tmp_path):
    lines = [
        {"step": s, "reward_mean": s / 3, f"component/{HOSTILE}": 0.5, "component/_b": 0.1, "kl": 0.1}
        for s in (1, 2, 3)
    ]
    lines[0] |= {"held_out/accuracy": 0.2, "held_out/low": 0.1, "held_out/high": 0.4}
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows = [rollout(s, r) for s in range(1, 9) for r in (1.0, None)]
    (tmp_path / "rollouts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "manifest.json").write_text(json.dumps({"run": HOSTILE, "rubrics": {}}))
    return tmp_path


def test_nothing_a_model_wrote_becomes_markup(run):
    write_report(run, run / "r.html")
    page = (run / "r.html").read_text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 10
    assert page.count("</svg>") == page.count("<svg")


def test_the_page_needs_nothing_beside_itself(run):
    write_report(run, run / "r.html")
    page = (run / "r.html").read_text()
    assert "src=" not in page
    assert "<link" not in page
    assert "default-src 'none'" in page


def test_ten_rollouts_from_first_to_last_are_shown_and_an_unscored_one_has_no_number(run):
    write_report(run, run / "r.html")
    page = (run / "r.html").read_text()
    assert page.count("<article>") == 10
    assert "<strong>step 1</strong>" in page
    assert "<strong>step 8</strong>" in page
    assert "reward <strong>unscored</strong>" in page


def test_alarms_are_listed_by_detector_and_escaped(run):
    alarm = {"detector": "shortcut", "figure": 0.2, "threshold": 0.1, "did": "masked 3 rollouts", "said": HOSTILE}
    lines = [{"step": step, **alarm, "rollouts": 1, "examples": [{"completion": HOSTILE}]} for step in (3, 4, 5)]
    (run / "alarms.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_report(run, run / "r.html")
    page = (run / "r.html").read_text()
    assert "<td>shortcut</td><td>step 3</td><td>3</td>" in page
    assert "masked 3 rollouts" in page
    assert "<script" not in page


def test_a_run_without_alarms_says_nothing_of_them(run):
    write_report(run, run / "r.html")
    assert "Alarms" not in (run / "r.html").read_text()


def test_evaluations_stand_side_by_side_with_their_intervals(run):
    (run / "b.json").write_text(json.dumps(EVALUATION))
    (run / "a.json").write_text(json.dumps(EVALUATION | {"accuracy": 0.75, "low": 0.6, "high": 0.86}))
    write_report(run, run / "r.html", run / "b.json", run / "a.json")
    page = (run / "r.html").read_text()
    assert "<td>25.0% [10.0%, 50.0%]</td><td>75.0% [60.0%, 86.0%]</td>" in page


def test_the_same_run_gives_the_same_page(run):
    write_report(run, run / "one.html")
    write_report(run, run / "two.html")
    assert (run / "one.html").read_bytes() == (run / "two.html").read_bytes()


def test_a_directory_without_a_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no readable metrics\.jsonl"):
        write_report(tmp_path, tmp_path / "r.html")


def test_a_file_that_is_no_evaluation_is_refused(run):
    (run / "b.json").write_text("{}")
    with pytest.raises(ConfigError, match="is no evaluation"):
        write_report(run, run / "r.html", run / "b.json")

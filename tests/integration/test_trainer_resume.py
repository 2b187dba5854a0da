"""Real kills of a real run against a real service: what comes back is what would have been."""

import json
import random
import signal
from pathlib import Path

import pytest
from small_run import assert_same_run, finished, interrupt, lines
from watched_runs import alive, until

from trainer.tiny import build_tiny_model

STEPS, EVERY, KILLS = 12, 5, 5
ALGORITHMS = {
    "dapo": 'name = "dapo"\nsampling_rounds = 3\nbeta = 0.02\nepochs = 2',
    "grpo": 'name = "grpo"\nminibatches = 2',
    "ppo": 'name = "ppo"\nbeta = 0.05\nkl_target = 1.0\nkl_horizon = 100\nepochs = 2\n[critic]\nwarmup_steps = 2',
}
CONFIG = """
[run]
dir = "run"
id = "resume"
steps = 12
threads = 1
[model]
path = "model"
device = "cpu"
[data]
tasks = "tasks.jsonl"
[sampling]
prompts_per_step = 4
group_size = 8
max_new_tokens = 6
[algorithm]
{algorithm}
[optim]
lr = 1e-2
[eval]
every_steps = 4
[checkpoint]
every_steps = 5
[grading]
server_config = "server.toml"
"""
SERVER = """
[plugins]
load = []
modules = ["slow_rewarders"]
[rubrics."length.v1"]
parts = [{ rewarder = "slow.length" }]
"""


def prepare(directory: Path, algorithm: str = "dapo") -> Path:
    """A model that ends what it says sooner or later, and questions that are all rewarded by length."""
    directory.mkdir(exist_ok=True)
    build_tiny_model(directory / "model", "0123456789+=", hidden=16, layers=1, heads=2)
    rows = [
        {
            "id": f"{a}+{b}",
            "prompt": [{"role": "user", "content": f"{a}+{b}="}],
            "rubric": "length.v1",
            "split": "test" if b == 3 else "train",
        }
        for a in range(5)
        for b in range(5)
    ]
    (directory / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "run.toml").write_text(CONFIG.format(algorithm=ALGORITHMS[algorithm]))
    (directory / "server.toml").write_text(SERVER)
    return directory


def records(directory: Path) -> dict[tuple[int, int, int], str]:
    """Of each rollout of each step: the record of its reward."""
    rollouts = lines(directory / "run/rollouts.jsonl")
    return {(row["step"], row["group"], row["sample"]): row["record_id"] for row in rollouts}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = prepare(tmp_path_factory.mktemp("uninterrupted"))
    finished(directory)
    return directory


def test_a_run_learns_something_that_a_resume_could_get_wrong(uninterrupted):
    metrics = lines(uninterrupted / "run/metrics.jsonl")
    assert [line["step"] for line in metrics] == list(range(STEPS + 1))
    assert sum(line.get("stepped", 0) for line in metrics) > STEPS
    assert {line["kl"] for line in metrics[4:]} != {0.0}


def test_a_killed_run_resumes_to_the_same_weights_and_the_same_records(tmp_path, uninterrupted):
    directory = prepare(tmp_path)
    status, _ = interrupt(directory, signal.SIGKILL, after_step=EVERY + 1)
    assert status == -signal.SIGKILL
    paid = records(directory)
    server = json.loads((directory / "run" / "server" / "server.out").read_text().splitlines()[0])["pid"]
    until(lambda: not alive(server))

    said = finished(directory)
    assert f"going on from run/checkpoints/step-{EVERY:06d}" in said
    assert_same_run(directory, uninterrupted, step=STEPS)
    again = records(directory)
    assert max(step for step, _, _ in paid) > EVERY
    assert paid.items() <= again.items(), "a resumed step was scored a second time"


@pytest.mark.parametrize("algorithm", ["grpo", "ppo"])
def test_five_kills_at_random_moments_leave_no_trace(tmp_path, algorithm):
    expected, directory = (prepare(tmp_path / name, algorithm) for name in ("expected", "killed"))
    finished(expected)
    moments = random.Random(algorithm)
    for kill in range(KILLS):
        step, delay_s = 2 * kill + moments.randrange(2), moments.random() * 0.05
        status, said = interrupt(directory, signal.SIGKILL, after_step=step - 1, delay_s=delay_s)
        assert status == -signal.SIGKILL, said
    finished(directory)
    assert_same_run(directory, expected, step=STEPS)
    if algorithm == "ppo":
        assert_same_run(directory, expected, step=STEPS, model="critic")
        assert {line["kl_weight"] for line in lines(directory / "run/metrics.jsonl")[3:]} != {0.05}


def test_a_run_that_is_told_to_stop_saves_and_goes_on_later(tmp_path, uninterrupted):
    directory = prepare(tmp_path)
    status, said = interrupt(directory, signal.SIGTERM, after_step=2)
    assert status == 3, said
    assert "stopped as asked" in said
    reached = lines(directory / "run/metrics.jsonl")[-1]["step"]
    assert (directory / "run" / "checkpoints" / f"step-{reached:06d}").is_dir()
    finished(directory)
    assert_same_run(directory, uninterrupted, step=STEPS)

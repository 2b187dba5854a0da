"""Real kills of a real run against a real service: what comes back is what would have been."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from trainer.tiny import build_tiny_model

STEPS, EVERY, KILLS = 12, 5, 5
ALGORITHMS = {
    "dapo": 'name = "dapo"\nsampling_rounds = 3\nbeta = 0.02\nepochs = 2',
    "grpo": 'name = "grpo"\nminibatches = 2',
    "ppo": 'name = "ppo"\nbeta = 0.05\nkl_target = 1.0\nkl_horizon = 100\nepochs = 2\n[critic]\nwarmup_steps = 2',
}
CONFIG = """
[run]
dir = "{dir}/run"
id = "resume"
steps = 12
threads = 1
[model]
path = "{dir}/model"
device = "cpu"
[data]
tasks = "{dir}/tasks.jsonl"
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
"""
DEADLINE_S = 60


def prepare(directory: Path, algorithm: str = "dapo") -> Path:
    """A model that says a digit now and then, and one-digit sums whose answer is a digit."""
    directory.mkdir(exist_ok=True)
    build_tiny_model(directory / "model", "0123456789+=", hidden=16, layers=1, heads=2)
    rows = [
        {
            "id": f"{a}+{b}",
            "prompt": [{"role": "user", "content": f"{a}+{b}="}],
            "rubric": "math.v1",
            "reference": {"answer": str(a + b)},
            "split": "test" if b == 3 else "train",
        }
        for a in range(5)
        for b in range(5)
    ]
    (directory / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "run.toml").write_text(CONFIG.format(dir=directory, algorithm=ALGORITHMS[algorithm]))
    return directory


def start(directory: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "trainer", "run", "--config", str(directory / "run.toml"), "--spawn-server"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    out, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, out + err


def wait_until(happened: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def lines(directory: Path, name: str) -> list[dict]:
    path = directory / "run" / name
    return [json.loads(line) for line in path.read_bytes().rpartition(b"\n")[0].splitlines()] if path.exists() else []


def interrupt(directory: Path, number: int, after_step: int, delay_s: float = 0.0) -> tuple[int, str]:
    """Send a signal so long after a step beyond `after_step` is logged, and return how the process ended."""
    process = start(directory)
    wait_until(lambda: any(line["step"] > after_step for line in lines(directory, "metrics.jsonl")), process)
    time.sleep(delay_s)
    process.send_signal(number)
    return finish(process)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = prepare(tmp_path_factory.mktemp("uninterrupted"))
    status, said = finish(start(directory))
    assert status == 0, said
    return directory


def assert_same_run(directory: Path, expected: Path) -> None:
    name = f"run/checkpoints/step-{STEPS:06d}"
    weights, others = (load_file(path / name / "model.safetensors") for path in (directory, expected))
    assert all(weights[key].equal(others[key]) for key in others)
    metrics, expected_metrics = (path / "run" / "metrics.jsonl" for path in (directory, expected))
    assert metrics.read_bytes() == expected_metrics.read_bytes()


def test_a_run_learns_something_that_a_resume_could_get_wrong(uninterrupted):
    metrics = lines(uninterrupted, "metrics.jsonl")
    assert [line["step"] for line in metrics] == list(range(STEPS + 1))
    assert sum(line.get("stepped", 0) for line in metrics) > STEPS
    assert {line["kl"] for line in metrics[4:]} != {0.0}


def test_a_killed_run_resumes_to_the_same_weights_and_the_same_records(tmp_path, uninterrupted):
    directory = prepare(tmp_path)
    status, _ = interrupt(directory, signal.SIGKILL, after_step=EVERY + 1)
    assert status == -signal.SIGKILL
    paid = {(row["step"], row["group"], row["sample"]): row["record_id"] for row in lines(directory, "rollouts.jsonl")}
    server = json.loads((directory / "run" / "server" / "server.out").read_text().splitlines()[0])["pid"]
    deadline = time.monotonic() + DEADLINE_S
    while alive(server):
        assert time.monotonic() < deadline, "the service outlived the trainer that was killed"
        time.sleep(0.01)

    status, said = finish(start(directory))
    assert status == 0, said
    assert f"going on from {directory}/run/checkpoints/step-{EVERY:06d}" in said
    assert_same_run(directory, uninterrupted)
    again = {(row["step"], row["group"], row["sample"]): row["record_id"] for row in lines(directory, "rollouts.jsonl")}
    assert max(step for step, _, _ in paid) > EVERY
    assert paid.items() <= again.items(), "a resumed step was scored a second time"


@pytest.mark.parametrize("algorithm", ["grpo", "ppo"])
def test_five_kills_at_random_moments_leave_no_trace(tmp_path, algorithm):
    expected, directory = (prepare(tmp_path / name, algorithm) for name in ("expected", "killed"))
    status, said = finish(start(expected))
    assert status == 0, said
    moments = random.Random(algorithm)
    for kill in range(KILLS):
        step, delay_s = 2 * kill + moments.randrange(2), moments.random() * 0.05
        status, said = interrupt(directory, signal.SIGKILL, after_step=step - 1, delay_s=delay_s)
        assert status == -signal.SIGKILL, said
    status, said = finish(start(directory))
    assert status == 0, said
    assert_same_run(directory, expected)
    if algorithm == "ppo":
        critics = [path / f"run/checkpoints/step-{STEPS:06d}/critic" for path in (directory, expected)]
        found, others = (load_file(critic / "model.safetensors") for critic in critics)
        assert all(found[key].equal(others[key]) for key in others)
        assert {line["kl_weight"] for line in lines(directory, "metrics.jsonl")[3:]} != {0.05}


def test_a_run_that_is_told_to_stop_saves_and_goes_on_later(tmp_path, uninterrupted):
    directory = prepare(tmp_path)
    status, said = interrupt(directory, signal.SIGTERM, after_step=2)
    assert status == 3, said
    assert "stopped as asked" in said
    reached = lines(directory, "metrics.jsonl")[-1]["step"]
    assert (directory / "run" / "checkpoints" / f"step-{reached:06d}").is_dir()
    status, said = finish(start(directory))
    assert status == 0, said
    assert_same_run(directory, uninterrupted)

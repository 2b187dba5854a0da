"""A pipelined run killed at any moment: what comes back is what would have been."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from trainer.tiny import build_tiny_model

STEPS, KILLS = 12, 3
DEADLINE_S = 120
RUN = """
[run]
dir = "run"
id = "pipelined"
steps = 12
threads = 1
rollouts_kept = 1000
[model]
path = "model"
device = "cpu"
[data]
tasks = "tasks.jsonl"
[sampling]
prompts_per_step = 4
group_size = 8
max_new_tokens = 12
[algorithm]
{algorithm}
[correction]
kind = "truncate"
[pipeline]
{pipeline}
[optim]
lr = 1e-2
[eval]
every_steps = 4
[checkpoint]
every_steps = 3
[grading]
server_config = "server.toml"
"""
SLOW = '''
import time

from pydantic import BaseModel

from rewarders import Completion, Verdict, rewarder


@rewarder("acme.slow", version="1.0")
def slow(completion: Completion, reference: None, params: BaseModel) -> Verdict:
    """Share of even digits, after a while that depends on the completion."""
    time.sleep(0.002 * (len(completion.text) % 7))
    return Verdict(score=sum(each in "02468" for each in completion.text) / 12, reason="counted")
'''
SERVER = """
[plugins]
load = []
modules = ["slow"]
[rubrics."slow.v1"]
parts = [{ rewarder = "acme.slow" }]
"""
GRPO = 'name = "grpo"\nminibatches = 2'
MODES = {
    "one behind": (GRPO, "max_staleness = 1"),
    "stragglers by length": (GRPO, "max_staleness = 2\nstragglers = 2\ngrading_requests = 2"),
    "rounds": ('name = "dapo"\nsampling_rounds = 3', "max_staleness = 2"),
    "a critic": ('name = "ppo"\nbeta = 0.05\nkl_target = 1.0\nkl_horizon = 100\nepochs = 2', "max_staleness = 3"),
}
BY_CLOCK = (GRPO, 'max_staleness = 2\nstragglers = 2\nfinished = "graded"\ngrading_requests = 3')


def prepare(directory: Path, mode: tuple[str, str]) -> Path:
    directory.mkdir(exist_ok=True)
    build_tiny_model(directory / "model", "0123456789+=", hidden=16, layers=1, heads=2)
    rows = [
        {
            "id": f"{a}+{b}",
            "prompt": [{"role": "user", "content": f"{a}+{b}="}],
            "rubric": "slow.v1",
            "split": "test" if b == 3 else "train",
        }
        for a in range(5)
        for b in range(5)
    ]
    (directory / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "run.toml").write_text(RUN.format(algorithm=mode[0], pipeline=mode[1]))
    (directory / "slow.py").write_text(SLOW)
    (directory / "server.toml").write_text(SERVER)
    return directory


def start(directory: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "trainer", "run", "--config", "run.toml", "--spawn-server"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(directory), os.environ.get("PYTHONPATH", "")])}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **pipes, text=True, cwd=directory, env=environment)


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    out, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, out + err


def lines(directory: Path, name: str) -> list[dict]:
    path = directory / "run" / name
    return [json.loads(line) for line in path.read_bytes().rpartition(b"\n")[0].splitlines()] if path.exists() else []


def wait_until(happened: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def interrupt(directory: Path, number: int, after_step: int, delay_s: float = 0.0) -> tuple[int, str]:
    process = start(directory)
    wait_until(lambda: any(line["step"] > after_step for line in lines(directory, "metrics.jsonl")), process)
    time.sleep(delay_s)
    process.send_signal(number)
    return finish(process)


def uninterrupted(directory: Path, mode: tuple[str, str]) -> Path:
    status, said = finish(start(prepare(directory, mode)))
    assert status == 0, said
    return directory


def assert_same_run(directory: Path, expected: Path) -> None:
    name = f"run/checkpoints/step-{STEPS:06d}"
    weights, others = (load_file(path / name / "model.safetensors") for path in (directory, expected))
    assert all(weights[key].equal(others[key]) for key in others)
    metrics, expected_metrics = (path / "run" / "metrics.jsonl" for path in (directory, expected))
    assert metrics.read_bytes() == expected_metrics.read_bytes()


@pytest.mark.parametrize("mode", MODES)
def test_kills_at_random_moments_leave_no_trace(tmp_path, mode):
    expected = uninterrupted(tmp_path / "expected", MODES[mode])
    directory, moments = prepare(tmp_path / "killed", MODES[mode]), random.Random(mode)
    for kill in range(KILLS):
        step, delay_s = 3 * kill + moments.randrange(2), moments.random() * 0.1
        status, said = interrupt(directory, signal.SIGKILL, after_step=step - 1, delay_s=delay_s)
        assert status == -signal.SIGKILL, said
    status, said = finish(start(directory))
    assert status == 0, said
    assert_same_run(directory, expected)


def test_a_run_that_is_told_to_stop_saves_what_is_under_way_and_goes_on_later(tmp_path):
    mode = MODES["stragglers by length"]
    expected, directory = uninterrupted(tmp_path / "expected", mode), prepare(tmp_path / "stopped", mode)
    status, said = interrupt(directory, signal.SIGTERM, after_step=3)
    assert status == 3, said
    reached = lines(directory, "metrics.jsonl")[-1]["step"]
    assert (directory / f"run/checkpoints/step-{reached:06d}/in_flight.jsonl").is_file()
    status, said = finish(start(directory))
    assert status == 0, said
    assert_same_run(directory, expected)


def test_every_rollout_says_how_stale_it_was_and_none_is_staler_than_the_bound(tmp_path):
    directory = uninterrupted(tmp_path / "run", MODES["stragglers by length"])
    rollouts, metrics = lines(directory, "rollouts.jsonl"), lines(directory, "metrics.jsonl")[1:]
    for rollout in rollouts:
        assert rollout["staleness"] == rollout["step"] - 1 - int(rollout["weight_version"].removeprefix("step-"))
    assert {rollout["staleness"] for rollout in rollouts if rollout["step"] > 3} == {1, 2}
    assert [line["staleness_max"] for line in metrics[3:]] == [2.0] * (STEPS - 3)
    assert all(1.0 < line["staleness_mean"] < 2.0 for line in metrics[3:])


def test_each_step_takes_what_finished_and_the_next_takes_what_was_late(tmp_path):
    directory = uninterrupted(tmp_path / "run", MODES["stragglers by length"])
    waited_for = {line["step"]: line["groups"] for line in lines(directory, "choices.jsonl")}
    groups: dict[int, set[int]] = {}
    for rollout in lines(directory, "rollouts.jsonl"):
        groups.setdefault(rollout["step"], set()).add(rollout["group"])
    assert [len(groups[step]) for step in (1, 2, 9)] == [2, 4, 4]
    assert sorted(waited_for) == list(range(1, STEPS + 1))
    assert all(len(groups) == 2 for groups in waited_for.values())


def test_what_the_clock_decided_is_decided_so_again_by_a_run_that_goes_on(tmp_path):
    killed, again = prepare(tmp_path / "killed", BY_CLOCK), tmp_path / "again"
    interrupt(killed, signal.SIGKILL, after_step=4)
    shutil.copytree(killed, again)
    before = lines(killed, "choices.jsonl")
    status, said = finish(start(killed))
    assert status == 0, said
    decided = lines(killed, "choices.jsonl")
    assert decided[: len(before)] == before
    assert [line["step"] for line in decided] == list(range(1, STEPS + 1))

    shutil.copy(killed / "run/choices.jsonl", again / "run/choices.jsonl")
    status, said = finish(start(again))
    assert status == 0, said
    assert_same_run(again, killed)

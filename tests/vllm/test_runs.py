"""Whole runs with real vLLM: killed and started again, and with a server that dies under them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.config import TrainConfig
from trainer.weights.outbox import PREFIX, SHARED_MEMORY

STEPS = 8
CONFIG = """
[run]
dir = "{dir}/run"
id = "vllm"
steps = {steps}
threads = 1
rollouts_kept = 1000
[model]
path = "{model}"
device = "cpu"
[data]
tasks = "{dir}/tasks.jsonl"
[sampler]
kind = "vllm_server"
{servers}
checksum_every_steps = 1
[sampling]
prompts_per_step = 4
group_size = 32
max_new_tokens = 3
max_prompt_tokens = 64
[algorithm]
name = "grpo"
[optim]
lr = 1e-2
[checkpoint]
every_steps = 3
"""
DEADLINE_S = 120


def prepare(directory: Path, model: Path, servers: str) -> Path:
    directory.mkdir(exist_ok=True)
    rows = [
        {
            "id": f"{a}+{b}",
            "prompt": [{"role": "user", "content": f"{a}+{b}="}],
            "rubric": "math.v1",
            "reference": {"answer": str(a + b)},
        }
        for a in range(5)
        for b in range(4)
    ]
    (directory / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "run.toml").write_text(CONFIG.format(dir=directory, model=model, servers=servers, steps=STEPS))
    return directory


def start(directory: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "trainer", "run", "--config", str(directory / "run.toml"), "--spawn-server"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    out, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, out + err


def lines(directory: Path, name: str) -> list[dict[str, Any]]:
    path = directory / "run" / name
    return [json.loads(line) for line in path.read_bytes().rpartition(b"\n")[0].splitlines()] if path.exists() else []


def wait_for_step(directory: Path, step: int, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not any(line["step"] >= step for line in lines(directory, "metrics.jsonl")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def drawn(directory: Path) -> list[tuple[Any, ...]]:
    """Of every rollout: its step, its task, and the weights that made it."""
    rows = lines(directory, "rollouts.jsonl")
    return [(row["step"], row["group"], row["sample"], row["task_id"], row["weight_version"]) for row in rows]


def test_a_killed_run_goes_on_with_the_same_tasks_and_the_same_weight_versions(
    model: Path, tmp_path: Path, serve: Callable[..., tuple[TrainConfig, list[str]]]
):
    servers = f"urls = {json.dumps(serve('float32', 2)[1])}"
    expected, killed = (prepare(tmp_path / name, model, servers) for name in ("expected", "killed"))
    status, said = finish(start(expected))
    assert status == 0, said
    for step in (1, 4):
        process = start(killed)
        wait_for_step(killed, step, process)
        process.send_signal(signal.SIGKILL)
        assert finish(process)[0] == -signal.SIGKILL
    status, said = finish(start(killed))
    assert status == 0, said
    assert "sampler and trainer differ by" in said
    metrics = lines(killed, "metrics.jsonl")
    assert [line["step"] for line in metrics] == list(range(1, STEPS + 1))
    assert sum(line["stepped"] for line in metrics) > STEPS // 2, "a run whose weights never move proves nothing"
    assert max(line.get("mismatch_mean", 0.0) for line in metrics) < 1e-4
    assert drawn(killed) == drawn(expected)
    assert {(step, version) for step, *_, version in drawn(killed)} == {
        (n, f"step-{n - 1}") for n in range(1, STEPS + 1)
    }
    assert not list(SHARED_MEMORY.glob(f"{PREFIX}*"))


def pipelined(directory: Path, model: Path, urls: list[str], update: str) -> Path:
    prepare(directory, model, f"urls = {json.dumps(urls)}")
    with (directory / "run.toml").open("a") as file:
        file.write('[correction]\nkind = "truncate"\n[pipeline]\nmax_staleness = 2\nstragglers = 1\n')
        file.write(f'update = "{update}"\n')
    return directory


def test_a_killed_run_that_was_ahead_goes_on_with_what_its_steps_took(
    model: Path, tmp_path: Path, serve: Callable[..., tuple[TrainConfig, list[str]]]
):
    directory = pipelined(tmp_path / "run", model, serve("float32", 2)[1], "wait")
    process = start(directory)
    wait_for_step(directory, 4, process)
    process.send_signal(signal.SIGKILL)
    assert finish(process)[0] == -signal.SIGKILL
    chosen = lines(directory, "choices.jsonl")
    status, said = finish(start(directory))
    assert status == 0, said
    assert lines(directory, "choices.jsonl")[: len(chosen)] == chosen
    assert_within_the_bound(directory, {1, 2})


def test_a_run_whose_completions_go_on_with_new_weights_stays_within_its_bound(
    model: Path, tmp_path: Path, serve: Callable[..., tuple[TrainConfig, list[str]]]
):
    directory = pipelined(tmp_path / "run", model, serve("float32", 2)[1], "keep")
    status, said = finish(start(directory))
    assert status == 0, said
    assert_within_the_bound(directory, {0, 1, 2})


def assert_within_the_bound(directory: Path, lags: set[int]) -> None:
    metrics, rollouts = lines(directory, "metrics.jsonl"), lines(directory, "rollouts.jsonl")
    assert [line["step"] for line in metrics] == list(range(1, STEPS + 1))
    assert max(line["staleness_max"] for line in metrics) <= 2
    assert {row["staleness"] for row in rollouts if row["step"] > 2} <= lags
    assert all(row["staleness"] == row["step"] - 1 - int(row["weight_version"][5:]) for row in rollouts)


def test_a_run_with_a_server_of_its_own_ends_with_it_and_says_what_to_do(model: Path, tmp_path: Path):
    directory = prepare(tmp_path / "own", model, "spawn = 1\neager = true")
    process = start(directory)
    wait_for_step(directory, 2, process)
    server = _child(process.pid, "vllm.entrypoints")
    os.kill(server, signal.SIGKILL)
    status, said = finish(process)
    assert status == 1, said
    assert "no answer from the vLLM server at http://127.0.0.1:" in said
    assert "run again from the last checkpoint" in said
    assert not _group(server), "the engine outlived its server and the run"


def _group(leader: int) -> list[int]:
    """The living processes of the group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(group) == leader and state != "Z":
            found.append(int(path.parent.name))
    return found


def _child(parent: int, word: str) -> int:
    """The child process whose command line has this word."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            ppid = int(path.read_text().rpartition(")")[2].split()[1])
            words = (path.parent / "cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if ppid == parent and word in words:
            return int(path.parent.name)
    raise AssertionError(f"no child of {parent} runs {word}")

"""The reward service is killed in the middle of a step of a run: the run goes on, on the rewards that are right."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from trainer.tiny import build_tiny_model

SERVER = """
[server]
workers = {workers}
[plugins]
load = []
modules = ["slow_rewarders"]
[workers]
processes = 2
[rubrics."slow.v1"]
parts = [{{ rewarder = "slow.vowels", params = {{ folder = {folder!r}, seconds = 0.3 }} }}]
"""
RUN = """
[run]
dir = "run"
id = "restarts"
steps = 3
threads = 1
[model]
path = "model"
device = "cpu"
[data]
tasks = "tasks.jsonl"
[algorithm]
name = "grpo"
[sampling]
prompts_per_step = 2
group_size = 4
max_new_tokens = 8
[grading]
url = "{url}"
fault_budget = 1.0
"""


def prepare(folder: Path, url: str) -> None:
    build_tiny_model(folder / "model", "abcd", hidden=16, layers=1, heads=2)
    tasks = [{"id": c, "prompt": [{"role": "user", "content": c}], "rubric": "slow.v1"} for c in "ab"]
    (folder / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    (folder / "run.toml").write_text(RUN.format(url=url))


def started(folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "trainer", "run", "--config", "run.toml"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder)


def wait_until(happened: Callable[[], object], run: "subprocess.Popen[str]") -> None:
    while not happened():
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.01)


def steps(folder: Path) -> int:
    path = folder / "run/metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def everything_agrees(folder: Path, url: str) -> None:
    """The run's rollouts have the right rewards, and exactly those are on record: none is missing, none there twice."""
    rollouts = [json.loads(line) for line in (folder / "run/rollouts.jsonl").read_text().splitlines()]
    assert len(rollouts) == 3 * 8
    for rollout in rollouts:
        text = rollout["completion"]
        assert rollout["reward"] == (None if text.endswith("d") else text.count("a") / max(1, len(text)))
    asked = {"run": "restarts", "expand": True, "limit": 100}
    page = httpx.get(f"{url}/v1/records", params=asked, timeout=60).json()
    recorded = sorted((one["id"], one["reward"]) for one in page["records"])
    assert recorded == sorted((rollout["record_id"], rollout["reward"]) for rollout in rollouts)


def test_a_service_that_is_killed_in_the_middle_of_a_step_costs_the_trainer_no_reward(
    make_server: Callable[..., Any], tmp_path: Path
):
    server = make_server(toml=SERVER.format(workers=1, folder=str(tmp_path)))
    prepare(tmp_path, server.url)
    run = started(tmp_path)
    for done in range(2):  # in the middle of the first step, and of the second
        wait_until((tmp_path / "begun").exists, run)
        server.kill()
        assert steps(tmp_path) == done
        (tmp_path / "begun").unlink()
        server.start()
        wait_until(lambda past=done: steps(tmp_path) > past, run)
        (tmp_path / "begun").unlink(missing_ok=True)
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said
    everything_agrees(tmp_path, server.url)


def test_a_service_that_is_told_to_stop_in_the_middle_of_a_step_and_started_again_costs_no_reward(
    make_server: Callable[..., Any], tmp_path: Path
):
    server = make_server(toml=SERVER.format(workers=2, folder=str(tmp_path)))
    prepare(tmp_path, server.url)
    run = started(tmp_path)
    wait_until((tmp_path / "begun").exists, run)
    assert server.stop() == 0
    server.start()
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said
    everything_agrees(tmp_path, server.url)

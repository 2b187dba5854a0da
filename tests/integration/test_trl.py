"""TRL's own GRPOTrainer against a live service, also through a service that is killed in the middle of a batch."""

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.skipif(find_spec("trl") is None, reason="TRL is not installed; it comes with the extra `dev`")
PROGRAM = Path(__file__).parents[1] / "plugins/trl_run.py"
SERVER = """
[plugins]
load = []
modules = ["slow_rewarders"]
[workers]
processes = 2
[rubrics."slow.v1"]
parts = [
  {{ rewarder = "slow.vowels", params = {{ folder = {folder!r}, seconds = {seconds} }} }},
  {{ rewarder = "slow.length", weight = 0.5 }},
]
"""


@pytest.fixture
def serve(make_server: Callable[..., Any], tmp_path: Path) -> Callable[[float], Any]:
    return lambda seconds: make_server(toml=SERVER.format(folder=str(tmp_path), seconds=seconds))


def started(url: str, folder: Path, steps: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROGRAM), url, str(folder), str(steps)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def finished(run: subprocess.Popen[str]) -> None:
    said, _ = run.communicate(timeout=300)
    assert run.returncode == 0, said


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def parts(text: str) -> list[float]:
    """What each function is to say of a text: all of them nothing where one of the rewarders fails."""
    if text.endswith("d"):
        return [math.nan, math.nan]
    return [text.count("a") / max(1, len(text)) / 1.5, min(1.0, len(text) / 10) * 0.5 / 1.5]


def everything_agrees(folder: Path, url: str, steps: int) -> None:
    """TRL saw the right rewards, and exactly those are on record: none is missing, none is there twice."""
    seen = lines(folder / "seen.jsonl")
    assert [len(step["texts"]) for step in seen] == [8] * steps
    for step in seen:
        for text, rewards in zip(step["texts"], step["rewards"], strict=True):
            assert rewards == pytest.approx(parts(text), abs=1e-6, nan_ok=True)
    recorded = recorded_texts(url)
    assert recorded == sorted((at, text) for at, step in enumerate(seen) for text in step["texts"])


def recorded_texts(url: str) -> list[tuple[int, str]]:
    found = httpx.get(f"{url}/v1/records", params={"run": "trl", "expand": True, "limit": 100}, timeout=60).json()
    assert found["next"] is None
    return sorted((one["step"], one["completion"]["text"]) for one in found["records"])


def test_trl_trains_on_rewards_from_the_service_in_one_call_a_batch(serve: Callable[[float], Any], tmp_path: Path):
    server = serve(0.0)
    finished(started(server.url, tmp_path, steps=3))
    everything_agrees(tmp_path, server.url, steps=3)
    done = json.loads((tmp_path / "done.json").read_text())
    assert done["requests"] == [8, 8, 8]
    assert done["finite"]
    logged = done["history"]
    assert {"rewards/slow.vowels/mean", "rewards/slow.length/mean", "unscored"} <= set(logged[0])
    unscored = [sum(text.endswith("d") for text in step["texts"]) / 8 for step in lines(tmp_path / "seen.jsonl")]
    assert [line["unscored"] for line in logged] == pytest.approx(unscored)
    assert any(unscored), "a run in which nothing is unscored shows nothing"


def test_a_completion_that_was_left_unscored_has_no_part_in_trls_statistics(
    serve: Callable[[float], Any], tmp_path: Path
):
    server = serve(0.0)
    finished(started(server.url, tmp_path, steps=3))
    for step, advantages in zip(lines(tmp_path / "seen.jsonl"), lines(tmp_path / "advantages.jsonl"), strict=True):
        groups = [step["texts"][:4], step["texts"][4:]]
        assert advantages == pytest.approx([one for texts in groups for one in expected_advantages(texts)], abs=1e-3)


def expected_advantages(texts: list[str]) -> list[float]:
    totals = [sum(parts(text)) for text in texts]
    scored = [total for total in totals if not math.isnan(total)]
    if len(scored) < 2:
        return [0.0] * len(totals)
    mean, deviation = statistics.mean(scored), statistics.stdev(scored)
    return [0.0 if math.isnan(total) else (total - mean) / (deviation + 1e-4) for total in totals]


def test_a_service_that_is_killed_in_the_middle_of_a_batch_loses_trl_no_reward(
    serve: Callable[[float], Any], tmp_path: Path
):
    server = serve(0.3)
    run = started(server.url, tmp_path, steps=3)
    for answered in range(2):  # in the middle of the first batch, and of the second
        wait_until((tmp_path / "begun").exists, run)
        server.kill()
        assert count(tmp_path / "seen.jsonl") == answered
        (tmp_path / "begun").unlink()
        server.start()
        wait_until(lambda past=answered: count(tmp_path / "seen.jsonl") > past, run)
        (tmp_path / "begun").unlink(missing_ok=True)
    finished(run)
    everything_agrees(tmp_path, server.url, steps=3)


def wait_until(happened: Callable[[], bool], run: subprocess.Popen[str]) -> None:
    while not happened():
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.01)


def count(path: Path) -> int:
    return len(lines(path)) if path.exists() else 0

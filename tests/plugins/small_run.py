"""A small run of the trainer and its service in processes of their own: begun, interrupted, gone on with, read.

Everything about it is in one folder, which holds its `run.toml`; what is a module there, its service can load.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

DEADLINE_S = 180
Process = subprocess.Popen[str]


def start(folder: Path, *, verb: str = "run", config: str = "run.toml") -> Process:
    """`trainer run` in that folder."""
    command = [sys.executable, "-m", "trainer", verb, "--config", config, "--spawn-server"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=folder, env=environment)


def finish(process: Process) -> tuple[int, str]:
    """How it ended, and everything that it said."""
    out, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, out + err


def finished(folder: Path) -> str:
    """Begin the run or go on with it, to its end. What it said."""
    status, said = finish(start(folder))
    assert status == 0, said
    return said


def interrupt(folder: Path, number: int, *, after_step: int, delay_s: float = 0.0) -> tuple[int, str]:
    """Send a signal so long after a step beyond `after_step` is logged, and return how the process ended."""
    process = start(folder)
    wait_until(lambda: any(line["step"] > after_step for line in lines(folder / "run/metrics.jsonl")), process)
    time.sleep(delay_s)
    process.send_signal(number)
    return finish(process)


def wait_until(happened: Callable[[], object], process: Process) -> None:
    """Wait for something that the process does; it must not end before."""
    deadline = time.monotonic() + DEADLINE_S
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


def lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a log, which may not be there yet: the last may be half written."""
    return [json.loads(line) for line in path.read_bytes().rpartition(b"\n")[0].splitlines()] if path.exists() else []


def assert_same_run(folder: Path, expected: Path, *, step: int, model: str = "") -> None:
    """The same weights in the checkpoint of that step, of the policy or of the model named, and the same metrics."""
    name = Path(f"run/checkpoints/step-{step:06d}", model, "model.safetensors")
    weights, others = (load_file(path / name) for path in (folder, expected))
    assert all(weights[key].equal(others[key]) for key in others)
    metrics, expected_metrics = (path / "run/metrics.jsonl" for path in (folder, expected))
    assert metrics.read_bytes() == expected_metrics.read_bytes()

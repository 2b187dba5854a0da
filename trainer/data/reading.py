"""Read one source, whatever its kind: its tasks in order, and how hard they are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

from rewarders.errors import ConfigError
from rewarders.types import Task
from trainer.data.gym import gym_entries, gym_task
from trainer.data.hub import split_rows
from trainer.data.jsonl import read_rows
from trainer.data.mapping import difficulty_of, task_of
from trainer.data.section import AnySource, GymSource, HubSource, JsonlSource


@dataclass(frozen=True, slots=True)
class SourceTasks:
    """What one source gave."""

    source: AnySource
    train: tuple[Task, ...]
    held_out: tuple[Task, ...]
    difficulty: tuple[float, ...] = ()
    """Of each training task; none where the source names no column for it."""

    def only(self, keep: Sequence[bool]) -> "SourceTasks":
        """The same without the training tasks that are not to be kept."""
        return replace(self, train=tuple(compress(self.train, keep)), difficulty=tuple(compress(self.difficulty, keep)))


def read_source(source: AnySource, held_out_split: str) -> SourceTasks:
    """Read a source. Raises ConfigError naming the source, the row and the column that cannot be used."""
    train: list[Task] = []
    held_out: list[Task] = []
    difficulty: list[float] = []
    for task, row, is_held_out in _rows(source, held_out_split):
        if is_held_out:
            held_out.append(task)
            continue
        train.append(task)
        if source.difficulty:
            difficulty.append(difficulty_of(row, source.difficulty, f"data source {source.name}, task {task.id}"))
    learnt = len(train) - source.held_out_rows
    if train and learnt <= 0:
        raise ConfigError(
            f"data source {source.name}: held_out_rows = {source.held_out_rows} leaves nothing of {len(train)} rows"
        )
    return SourceTasks(source, tuple(train[:learnt]), (*held_out, *train[learnt:]), tuple(difficulty[:learnt]))


def _rows(source: AnySource, held_out_split: str) -> Iterator[tuple[Task, Mapping[str, Any], bool]]:
    """Each task, the row it came from, and whether it is held out."""
    match source:
        case JsonlSource():
            for task in read_rows(source.path, Task):
                yield task, task.document, task.split == held_out_split
        case HubSource():
            for split in filter(None, (source.split, source.held_out_split)):
                for number, row in enumerate(split_rows(source, split)):
                    yield task_of(source, row, split=split, number=number), row, split == source.held_out_split
        case GymSource():
            for number, entry in enumerate(gym_entries(source)):
                yield gym_task(source, entry, number), entry, False

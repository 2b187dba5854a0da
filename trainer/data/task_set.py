"""All the tasks of a run: read from every source, and kept apart from the held-out ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rewarders.digests import digest
from rewarders.errors import ConfigError
from rewarders.types import Task
from trainer.data.jsonl import read_rows
from trainer.data.order import TaskOrder
from trainer.data.reading import SourceTasks, read_source
from trainer.data.section import DataSection, weightless_step
from trainer.data.separation import separated


@dataclass(frozen=True, slots=True)
class TaskSet:
    """Tasks to learn from and tasks to be judged by; no prompt is in both."""

    sources: tuple[SourceTasks, ...]
    """Those with something to learn from."""
    held_out: tuple[Task, ...]
    duplicates: int = 0
    """Training tasks, among those read, that ask what an earlier one asks."""
    overlapping: int = 0
    """Training tasks that were left out since a held-out one asks the same."""

    @property
    def train(self) -> tuple[Task, ...]:
        """The tasks to learn from, source by source."""
        return tuple(task for tasks in self.sources for task in tasks.train)

    @property
    def digests(self) -> dict[str, str]:
        """Content addresses, for the record of a run: of all that decides what is trained on, in which shares and
        order; of what it is judged on; and of the training tasks of each source.
        """
        rows = {tasks.source.name: _digest_of(tasks.train) for tasks in self.sources}
        plain = len(self.sources) == 1 and not self.sources[0].difficulty
        mixed = [
            [name, tasks.source.points, tasks.source.easy_first_steps, tasks.difficulty, rows[name]]
            for name, tasks in zip(rows, self.sources, strict=True)
        ]
        train = next(iter(rows.values())) if plain else digest(mixed)
        return {
            "train": train,
            "held_out": _digest_of(self.held_out),
            **{f"train/{name}": value for name, value in rows.items()},
        }

    def order(self, *, seed: int, prompts_per_step: int, rounds: int = 1) -> TaskOrder:
        """The order in which a run with this seed takes the training tasks."""
        return TaskOrder(self.sources, seed=seed, prompts_per_step=prompts_per_step, rounds=rounds)


def load_task_set(config: DataSection) -> TaskSet:
    """Read all sources, and keep what is held out apart.

    Raises:
        ConfigError: something cannot be read or is no task, there is nothing to learn from, or a held-out prompt is
            also trained on; the message names the source and the row, or the tasks.
    """
    read = [read_source(source, config.held_out_split) for source in config.all_sources]
    held_out = tuple(task for tasks in read for task in tasks.held_out)
    if config.held_out is not None:
        held_out += tuple(read_rows(config.held_out, Task))
    apart = separated(
        read,
        held_out,
        drop_overlap=config.overlap == "drop",
        drop_duplicates=config.duplicates == "drop",
    )
    sources = tuple(tasks for tasks in apart.sources if tasks.train)
    if not sources:
        named = f"data.tasks = {config.tasks}" if config.tasks else "[[data.sources]]"
        raise ConfigError(f"{named}: no task to train on outside {config.held_out_split!r}")
    bare = weightless_step([tasks.source for tasks in sources])
    if bare is not None:
        raise ConfigError(f"[[data.sources]]: at step {bare} no source that has training tasks has a weight")
    return TaskSet(sources, held_out, apart.duplicates, apart.overlapping)


def write_tasks(tasks: TaskSet, path: Path, held_out_split: str) -> dict[str, int]:
    """Write all tasks as JSONL that is a source in turn, and return how many there are of each source.

    Raises:
        ConfigError: it cannot be written.
    """
    learnt = (task if task.split != held_out_split else _moved(task, "train") for task in tasks.train)
    judged = (_moved(task, held_out_split) for task in tasks.held_out)
    try:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(task.model_dump_json(exclude_none=True) + "\n" for task in (*learnt, *judged))
    except OSError as error:
        raise ConfigError(f"--out {path}: {error.strerror}") from error
    return {
        **{source.source.name: len(source.train) for source in tasks.sources},
        "held_out": len(tasks.held_out),
        "duplicate": tasks.duplicates,
        "overlapping": tasks.overlapping,
    }


def _moved(task: Task, split: str) -> Task:
    return task.model_copy(update={"split": split})


def _digest_of(tasks: Iterable[Task]) -> str:
    return digest([task.digest for task in tasks])

"""Which rows a step takes: a function of the seed and the step alone, so a checkpoint has nothing to remember."""

import random
from collections.abc import Sequence
from functools import lru_cache

from rewarders.types import Task
from trainer.data.reading import SourceTasks
from trainer.data.section import weight_at


def indices_for_step(size: int, *, seed: int, step: int, count: int) -> list[int]:
    """The `count` rows of step `step` (from 0) out of `size`, each row once an epoch."""
    places = range(step * count, (step + 1) * count)
    return [_epoch_order(size, f"{seed}", place // size)[place % size] for place in places]


@lru_cache(maxsize=2)  # a step straddles two epochs at most, unless it is larger than one
def _epoch_order(size: int, salt: str, epoch: int) -> Sequence[int]:
    order = list(range(size))
    random.Random(f"{salt}/{epoch}").shuffle(order)  # seeded by text: SHA-512, the same on every machine
    return tuple(order)


class TaskOrder:
    """Hands out the tasks of several sources by weight; each source goes through its own shuffled epochs.

    Each draw goes to the source that is furthest behind its share (smooth weighted round robin), so the rows a source
    has given before a step are counted and not drawn by lot. The count is kept for every step once it is known: going
    on from step n costs n steps of counting, about a microsecond a draw, once.
    """

    def __init__(self, sources: Sequence[SourceTasks], *, seed: int, prompts_per_step: int, rounds: int = 1) -> None:
        """Order the sources' training tasks.

        Args:
            sources: with at least one training task each.
            seed: decides the order of each epoch.
            prompts_per_step: draws in one round of a step.
            rounds: rounds that each step may take; what a step leaves over is passed by.
        """
        self._sources = [tasks.source for tasks in sources]
        self._prompts, self._rounds = prompts_per_step, rounds
        self._credit = [0.0] * len(sources)
        self._seats: list[tuple[int, ...]] = []  # of each step so far, the source of each draw
        self._given: list[tuple[int, ...]] = [(0,) * len(sources)]  # before each step, rows of each source
        salts = [f"{seed}"] if len(sources) == 1 else [f"{seed}/{tasks.source.name}" for tasks in sources]
        easy = [self._rows_before(tasks.source.easy_first_steps)[place] for place, tasks in enumerate(sources)]
        self._decks = [_Deck(*dealt) for dealt in zip(sources, salts, easy, strict=True)]

    def for_step(self, step: int, turn: int = 0) -> list[Task]:
        """The tasks of training step `step` (from 1), in its round `turn` (from 0)."""
        before = self._rows_before(step - 1)
        self._count_up_to(step)
        seats = self._seats[step - 1]
        places = [rows + turn * seats.count(source) for source, rows in enumerate(before)]
        tasks = []
        for source in seats:
            tasks.append(self._decks[source].task_at(places[source]))
            places[source] += 1
        return tasks

    def _rows_before(self, step: int) -> list[int]:
        """Rows that each source has given, or passed by, before step `step` (from 0)."""
        self._count_up_to(step)
        return [self._rounds * rows for rows in self._given[step]]

    def _count_up_to(self, step: int) -> None:
        while len(self._seats) < step:
            weights = [weight_at(source, len(self._seats)) for source in self._sources]
            seats = tuple(self._next_seat(weights, sum(weights)) for _ in range(self._prompts))
            self._given.append(tuple(rows + seats.count(source) for source, rows in enumerate(self._given[-1])))
            self._seats.append(seats)

    def _next_seat(self, weights: Sequence[float], total: float) -> int:
        for source, weight in enumerate(weights):
            self._credit[source] += weight / total
        seat = max((source for source, weight in enumerate(weights) if weight), key=self._credit.__getitem__)
        self._credit[seat] -= 1
        return seat


class _Deck:
    """One source's rows, shuffled anew each epoch."""

    def __init__(self, tasks: SourceTasks, salt: str, easy: int) -> None:
        self._tasks, self._salt = tasks, salt
        self._easy = easy  # the first so many rows come in the order of their difficulty
        self._order = lru_cache(maxsize=2)(self._ordered)

    def task_at(self, place: int) -> Task:
        epoch, row = divmod(place, len(self._tasks.train))
        return self._tasks.train[self._order(epoch)[row]]

    def _ordered(self, epoch: int) -> Sequence[int]:
        """The rows of an epoch: those that fall in the easy beginning are sorted among themselves."""
        size = len(self._tasks.train)
        order = _epoch_order(size, self._salt, epoch)
        easy = min(max(self._easy - epoch * size, 0), size)
        return (*sorted(order[:easy], key=self._tasks.difficulty.__getitem__), *order[easy:]) if easy else order

"""Drawing beside learning: a thread has the sampler, and copies of the weights to sample with."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from trainer.gathering import Gathered
from trainer.pipeline.background import Background
from trainer.pipeline.portions import Portion
from trainer.pipeline.sharing import Part
from trainer.pipeline.supply import Source, rounds
from trainer.pipeline.turns import Turns
from trainer.rollouts import Rollout
from trainer.samplers import Sampler
from trainer.stopwatch import Phase, phase

Answer = TypeVar("Answer")


class Receiver(Protocol):
    """Who gets what is drawn."""

    def add(self, portion: Portion) -> None:
        """One more is sampled."""
        ...

    def note_drawn(self, draw: int) -> None:
        """A draw is sampled whole."""
        ...


class Drawing:
    """Draws what this rank's sampler draws; no thread of it needs another rank."""

    def __init__(
        self, source: Source, part: Part, turns: Turns, background: Background, to: Receiver, *, begun: int
    ) -> None:
        """Prepare to go on after draw `begun`."""
        config = source.config
        self._source, self._snapshots, self._turns = source.apart(part.sampler), part.snapshots, turns
        self._background, self._to, self._begun = background, to, begun
        self._ahead, self._last, self._held = config.pipeline.ahead, config.run.steps, None
        self._whole = rounds(config) > 1
        self._sampling = ThreadPoolExecutor(1, thread_name_prefix="sampling")
        beside = config.pipeline.update == "keep"  # draws overlap with one another and with updates
        self._drawing = ThreadPoolExecutor(config.pipeline.ahead + 1, "drawing") if beside else self._sampling

    def go_on_from(self, version: int) -> None:
        """Hand on the weights, and begin the draws that are due. Every rank calls this, in the learner's thread: that
        is where weights are gathered."""
        with phase(Phase.SYNC):
            snapshot = self._snapshots.take()
        if snapshot is None:
            return  # another rank has the sampler
        self._background.submit(self._sampling, self._hand_on, snapshot, version)
        due = min(version + 1 + self._ahead, self._last)
        for draw in range(self._begun + 1, due + 1):
            self._background.submit(self._sampling, self._begin, draw, version)
        self._begun = max(self._begun, due)

    @property
    def sampler(self) -> Sampler:
        """For what is done `between_draws`."""
        return self._source.sampler

    def between_draws(self, work: Callable[[], Answer]) -> Answer:
        """The result of something that needs the sampler, with the newest weights; it waits for its turn."""
        self._turns.end_learning()
        with phase(Phase.IDLE):
            return self._sampling.submit(work).result()

    def close(self) -> None:
        """What is being sampled at this moment is waited for."""
        self._sampling.shutdown(cancel_futures=True)
        self._drawing.shutdown(cancel_futures=True)

    # In the thread of the sampler.

    def _hand_on(self, snapshot: Any, version: int) -> None:
        with phase(Phase.SYNC):
            self._source.sampler.take_weights(snapshot, f"step-{version}")
        if self._held is not None:
            self._snapshots.give_back(self._held)
        self._held = snapshot

    def _begin(self, draw: int, version: int) -> None:
        if self._drawing is self._sampling:
            self._draw(self._source, draw, version)
        else:
            self._background.submit(self._drawing, self._draw, self._source.apart(), draw, version)

    def _draw(self, source: Source, draw: int, version: int) -> None:
        if self._whole:
            self._to.add(_whole_draw(draw, source.whole(draw, version, self._turns.sampling)))
        else:
            groups = source.groups(draw, version)
            while (drawn := self._next(groups)) is not None:
                if self._background.closing.is_set():
                    return
                group, seconds = drawn
                self._to.add(Portion(draw, group[0].group, group, [True] * len(group), sample_s=seconds))
        self._to.note_drawn(draw)

    def _next(self, groups: Iterator[list[Rollout]]) -> tuple[list[Rollout], float] | None:
        """The next group to finish, and the seconds it took."""
        with self._turns.sampling():
            started = time.perf_counter()
            group = next(groups, None)
            return None if group is None else (group, time.perf_counter() - started)


def _whole_draw(draw: int, found: Gathered) -> Portion:
    spent = {"sample_s": found.sample_s, "grade_s": found.grade_s}
    return Portion(draw, 0, found.rollouts, found.kept, found.graded, found.rounds, **spent)

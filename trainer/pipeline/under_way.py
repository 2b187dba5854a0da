"""What is drawn and not learnt from yet: it is graded as it comes, and each step takes its part of it."""

import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from trainer.gathering import Gathered
from trainer.pipeline.background import Background
from trainer.pipeline.choices import Choices
from trainer.pipeline.in_flight import written
from trainer.pipeline.portions import Portion, joined
from trainer.pipeline.sharing import Sampled
from trainer.pipeline.supply import Source, rounds


class UnderWay:
    """On the rank that grades. What it remembers is guarded by `background.changed`."""

    def __init__(
        self,
        source: Source,
        choices: Choices,
        background: Background,
        *,
        done: int,
        kept: Iterable[Portion],
        drawers: int,
    ) -> None:
        """Go on from step `done` with what its checkpoint kept; of later draws, `drawers` ranks draw their share."""
        config = source.config
        self._source, self._choices, self._background, self._done = source, choices, background, done
        self._section, self._drawers = config.pipeline, drawers
        several = rounds(config) > 1
        self._waited_for = 1 if several else config.sampling.prompts_per_step - config.pipeline.stragglers
        self._grading = ThreadPoolExecutor(config.pipeline.grading_requests, thread_name_prefix="grading")
        self._portions: list[Portion] = list(kept)  # in the order in which they were drawn
        self._finished: list[Portion] = []  # the same, in the order that decides
        self._learning: list[Portion] = []  # of the step at hand
        self._drawn = Counter(
            {portion.draw: drawers for portion in self._portions}
        )  # ranks that have drawn their share
        self._started = False

    def start(self) -> None:
        """Grade what a checkpoint kept without a grade."""
        self._started = True
        for portion in self._portions:
            if portion.graded is None:
                self._background.submit(self._grading, self._grade, portion)
            if portion.graded is not None or not self._by_clock:
                self._finished.append(portion)

    def add(self, portion: Portion) -> None:
        """One more is sampled: have it graded."""
        with self._background.changed:
            self._portions.append(portion)
            if portion.graded is not None or not self._by_clock:
                self._finished.append(portion)
            self._background.changed.notify_all()
        if portion.graded is None:
            self._background.submit(self._grading, self._grade, portion)

    def note_drawn(self, draw: int) -> None:
        """A rank has sampled all of its share of a draw."""
        with self._background.changed:
            self._drawn[draw] += 1
            self._background.changed.notify_all()

    def take_over(self, sampled: Sampled) -> None:
        """Go on with what another rank has sampled."""
        for portion in sampled.portions:
            self.add(portion)
        for draw in sampled.draws:
            self.note_drawn(draw)

    def complete(self, step: int) -> Gathered | None:
        """What the step learns from: what is late of the draw before, and of its own what does not come late. None
        until all of that is graded."""
        taken = self._chosen(step)
        if taken is None or any(portion.graded is None for portion in taken):
            return None
        self._learning = taken
        return joined(taken)

    def forget_learnt(self) -> None:
        """What the step took is learnt from."""
        with self._background.changed:
            learnt, self._learning = self._learning, []
            self._portions = [portion for portion in self._portions if portion not in learnt]
            self._finished = [portion for portion in self._finished if portion not in learnt]

    def kept(self, newest: int) -> bytes | None:
        """What a checkpoint has to keep of the draws up to `newest`; None until they are sampled whole."""
        if self._started and not all(self._is_drawn(draw) for draw in range(self._done + 1, newest + 1)):
            return None
        rest = [portion for portion in self._portions if portion not in self._finished]
        return written(portion for portion in [*self._finished, *rest] if portion.draw <= newest)

    def close(self) -> None:
        """What is being graded at this moment is waited for."""
        self._grading.shutdown(cancel_futures=True)
        self._choices.close()

    @property
    def _by_clock(self) -> bool:
        chosen, kind = self._section.finished, self._source.config.sampler.kind
        return chosen == "graded" or (chosen == "auto" and kind != "hf")

    def _is_drawn(self, draw: int) -> bool:
        return self._drawn[draw] == self._drawers

    def _chosen(self, step: int) -> list[Portion] | None:
        """What the step takes; None until that is known."""
        if step > self._done + 1 and not self._is_drawn(step - 1):
            return None  # some of what is late is not even sampled
        own, places = [portion for portion in self._portions if portion.draw == step], self._choices.of(step)
        if places is None:
            finished = [portion.place for portion in self._finished if portion.draw == step]
            places = tuple(finished[: self._waited_for])
        taken = [portion for portion in own if portion.place in places]
        if len(taken) < self._waited_for:
            return None
        if self._section.stragglers:
            self._choices.note(step, places)
        late = [portion for portion in self._portions if portion.draw < step]
        return sorted([*late, *taken], key=lambda portion: (portion.draw, portion.place))

    def _grade(self, portion: Portion) -> None:
        started = time.perf_counter()
        graded = self._source.grade(portion.rollouts, portion.draw)
        with self._background.changed:
            portion.graded, portion.grade_s = graded, time.perf_counter() - started
            if self._by_clock:
                self._finished.append(portion)
            self._background.changed.notify_all()

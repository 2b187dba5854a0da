"""Drawing and grading beside learning, in threads: what a step takes is decided by the seed, or put on record.

A draw is what is sampled for one step. Draw d is begun when step d - 1 - ahead has been learnt from, with the weights
of that moment; a run that begins, or goes on, begins the first 1 + ahead of them at once. So the weights of a draw are
a function of its number, and a checkpoint of step k keeps the draws up to k + ahead, whose weights are gone: draw
k + ahead + 1 has those of the checkpoint itself, and is sampled anew.

With several ranks each draws its share, and rank 0 grades and decides. Ranks meet in the learners' threads alone, once
they have learnt and while they wait: then weights are gathered, and rank 0 gets what the others have sampled.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch

from trainer.distributed.leading import led
from trainer.distributed.ranks import count, gathered, leads
from trainer.gathering import Gathered
from trainer.pipeline.background import Background
from trainer.pipeline.choices import Choices
from trainer.pipeline.drawing import Drawing
from trainer.pipeline.portions import Portion
from trainer.pipeline.sharing import Part, Unsent
from trainer.pipeline.supply import Source
from trainer.pipeline.turns import Turns, cores_suffice
from trainer.pipeline.under_way import UnderWay
from trainer.samplers import Sampler
from trainer.samplers.gathered import GatheredSampler
from trainer.stopwatch import Phase, phase

Answer = TypeVar("Answer")

_MEETING_S = 0.05
"""Seconds after which ranks that wait for rank 0 meet again."""
_ELSEWHERE: Any = None
"""What only rank 0 has."""


class Pipeline:
    """A `Supply` that is ahead of learning. One thread has the sampler; grading has some of its own."""

    def __init__(
        self, source: Source, part: Part, choices: Choices | None, *, done: int, in_flight: Iterable[Portion] = ()
    ) -> None:
        """Prepare to go on from step `done` with what its checkpoint kept; nothing happens before the first step.

        Only rank 0 has choices to make; the others read the checkpoint to know what is drawn.
        """
        config, kept = source.config, list(in_flight)
        self._sampler, self._config, self._done, self._started = source.sampler, config, done, False
        shared = config.sampler.kind == "hf" and source.policy.device.type == "cpu"
        self._turns = Turns(needed=shared and not cores_suffice(torch.get_num_threads()))
        self._background, self._unsent = Background(), Unsent()
        self._under_way: UnderWay = _ELSEWHERE
        if choices is not None:
            self._under_way = UnderWay(source, choices, self._background, done=done, kept=kept, drawers=part.drawers)
        to, begun = self._under_way or self._unsent, max([done, *(portion.draw for portion in kept)])
        self._drawing = Drawing(source, part, self._turns, self._background, to, begun=begun)
        if isinstance(source.sampler, GatheredSampler):
            source.sampler.run = self._drawing.between_draws

    def gather(self, step: int) -> Gathered:
        """See `Supply.gather`: what is late of the draw before, and of this step's own what does not come late."""
        self._turns.end_learning()
        self._start()
        with phase(Phase.IDLE):
            found = self._together(lambda: self._under_way.complete(step))
            self._turns.begin_learning()
        return found

    def take_weights(self, step: int) -> None:
        """See `Supply.take_weights`. The learner keeps its turn for what it has to log."""
        if leads():
            self._under_way.forget_learnt()
        self._hand_over()
        self._drawing.go_on_from(step)

    def with_newest(self, ask: Callable[[Sampler], Answer]) -> Answer:
        """See `Supply.with_newest`; it waits for its turn."""
        if isinstance(self._sampler, GatheredSampler):
            return ask(self._sampler)  # which has each rank complete its share in the thread that can
        return self._drawing.between_draws(lambda: ask(self._drawing.sampler))

    def in_flight(self, done: int) -> bytes:
        """See `Supply.in_flight`; it waits until all that has to be kept is sampled."""
        self._turns.end_learning()
        newest = min(done + self._config.pipeline.ahead, self._config.run.steps)
        with phase(Phase.IDLE):
            return self._together(lambda: self._under_way.kept(newest))

    def close(self) -> None:
        """See `Supply.close`: what is being sampled or graded at this moment is waited for."""
        self._background.closing.set()
        self._turns.end_learning()
        self._drawing.close()
        if leads():
            self._under_way.close()

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        if leads():
            self._under_way.start()
        self._drawing.go_on_from(self._done)

    def _together(self, found: Callable[[], Answer | None]) -> Answer:
        """What rank 0 finds, as soon as it does.

        Until then ranks meet again and again: rank 0 gets what the others have sampled, and one that is lost is missed.
        """
        within_s = _MEETING_S if count() > 1 else None
        while True:
            self._hand_over()
            answer = led(lambda: self._background.wait_for(found, within_s))
            if answer is not None:
                return answer
            if not leads():
                self._background.raise_error()

    def _hand_over(self) -> None:
        """Give rank 0 what the others have sampled."""
        for sampled in gathered(self._unsent.taken()):
            if leads():
                self._under_way.take_over(sampled)

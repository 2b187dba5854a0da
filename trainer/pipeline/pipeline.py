"""Drawing and grading beside learning, in threads: what a step takes is decided by the seed, or put on record.

A draw is what is sampled for one step. Draw d is begun when step d - 1 - ahead has been learnt from, with the weights
of that moment; a run that begins, or goes on, begins the first 1 + ahead of them at once. So the weights of a draw are
a function of its number, and a checkpoint of step k keeps the draws up to k + ahead, whose weights are gone: draw
k + ahead + 1 has those of the checkpoint itself, and is sampled anew.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, TypeVar

import torch

from trainer.gathering import Gathered
from trainer.pipeline.choices import Choices
from trainer.pipeline.in_flight import written
from trainer.pipeline.portions import Portion, joined
from trainer.pipeline.snapshots import Snapshots
from trainer.pipeline.supply import Source, rounds
from trainer.pipeline.turns import Turns, cores_suffice
from trainer.rollouts import Rollout
from trainer.samplers import Sampler
from trainer.stopwatch import Phase, phase

Answer = TypeVar("Answer")


class Pipeline:
    """A `Supply` that is ahead of learning. One thread has the sampler; grading has some of its own."""

    def __init__(self, source: Source, choices: Choices, *, done: int, in_flight: Iterable[Portion] = ()) -> None:
        """Prepare to go on from step `done` with what its checkpoint kept; nothing happens before the first step."""
        config = source.config
        self._source, self._choices, self._done = source.apart(), choices, done
        self._section, self._last = config.pipeline, config.run.steps
        self._whole = rounds(config) > 1
        self._waited_for = 1 if self._whole else config.sampling.prompts_per_step - config.pipeline.stragglers
        self._snapshots, self._held = Snapshots(source.policy.model), None
        self._sampling = ThreadPoolExecutor(1, thread_name_prefix="sampling")
        beside = config.pipeline.update == "keep"  # draws overlap with one another and with updates
        self._drawing = ThreadPoolExecutor(config.pipeline.ahead + 1, "drawing") if beside else self._sampling
        self._grading = ThreadPoolExecutor(config.pipeline.grading_requests, thread_name_prefix="grading")
        shared = config.sampler.kind == "hf" and source.policy.device.type == "cpu"
        self._turns = Turns(needed=shared and not cores_suffice(torch.get_num_threads()))
        self._closing = threading.Event()
        self._changed = threading.Condition()  # guards all that follows
        self._portions: list[Portion] = list(in_flight)  # not learnt from yet, in the order in which they were drawn
        self._finished: list[Portion] = []  # the same, in the order that decides
        self._learning: list[Portion] = []  # of the step at hand
        self._drawn = {portion.draw for portion in self._portions}  # draws that are sampled whole
        self._begun = done if not self._drawn else max(done, *self._drawn)
        self._error: BaseException | None = None
        self._started = False

    def gather(self, step: int) -> Gathered:
        """See `Supply.gather`: what is late of the draw before, and of this step's own what does not come late."""
        self._turns.end_learning()
        self._start()
        with phase(Phase.IDLE), self._changed:
            self._learning = self._when(lambda: self._chosen(step))
            self._when(lambda: all(portion.graded is not None for portion in self._learning))
            found = joined(self._learning)
        with phase(Phase.IDLE):
            self._turns.begin_learning()
        return found

    def take_weights(self, step: int) -> None:
        """See `Supply.take_weights`. The learner keeps its turn for what it has to log."""
        with self._changed:
            learnt, self._learning = self._learning, []
            self._portions = [portion for portion in self._portions if portion not in learnt]
            self._finished = [portion for portion in self._finished if portion not in learnt]
        self._go_on_from(step)

    def with_newest(self, ask: Callable[[Sampler], Answer]) -> Answer:
        """See `Supply.with_newest`; it waits for its turn."""
        self._turns.end_learning()
        with phase(Phase.IDLE):
            return self._sampling.submit(ask, self._source.sampler).result()

    def in_flight(self, done: int) -> bytes:
        """See `Supply.in_flight`; it waits until all that has to be kept is sampled."""
        self._turns.end_learning()
        newest = min(done + self._section.ahead, self._last)
        with phase(Phase.IDLE), self._changed:
            if self._started:
                self._when(lambda: all(draw in self._drawn for draw in range(self._done + 1, newest + 1)))
            rest = [portion for portion in self._portions if portion not in self._finished]
            return written(portion for portion in [*self._finished, *rest] if portion.draw <= newest)

    def close(self) -> None:
        """See `Supply.close`: what is being sampled or graded at this moment is waited for."""
        self._closing.set()
        self._turns.end_learning()
        self._sampling.shutdown(cancel_futures=True)
        self._drawing.shutdown(cancel_futures=True)
        self._grading.shutdown(cancel_futures=True)
        self._choices.close()

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        for portion in self._portions:
            if portion.graded is None:
                self._submit(self._grading, self._grade, portion)
            if portion.graded is not None or not self._by_clock:
                self._finished.append(portion)
        self._go_on_from(self._done)

    def _go_on_from(self, version: int) -> None:
        """Hand on the weights, and begin the draws that are due."""
        with phase(Phase.SYNC):
            self._submit(self._sampling, self._hand_on, self._snapshots.take(), version)
        due = min(version + 1 + self._section.ahead, self._last)
        for draw in range(self._begun + 1, due + 1):
            self._submit(self._sampling, self._begin, draw, version)
        self._begun = max(self._begun, due)

    @property
    def _by_clock(self) -> bool:
        chosen, kind = self._section.finished, self._source.config.sampler.kind
        return chosen == "graded" or (chosen == "auto" and kind != "hf")

    def _chosen(self, step: int) -> list[Portion] | None:
        """What the step takes; None until that is known."""
        if step > self._done + 1 and step - 1 not in self._drawn:
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
            self._submit(self._drawing, self._draw, self._source.apart(), draw, version)

    def _draw(self, source: Source, draw: int, version: int) -> None:
        if self._whole:
            self._add(_whole_draw(draw, source.whole(draw, version, self._turns.sampling)))
        else:
            groups = source.groups(draw, version)
            while (drawn := self._next(groups)) is not None:
                if self._closing.is_set():
                    return
                group, seconds = drawn
                self._add(Portion(draw, group[0].group, group, [True] * len(group), sample_s=seconds))
        with self._changed:
            self._drawn.add(draw)
            self._changed.notify_all()

    def _next(self, groups: Iterator[list[Rollout]]) -> tuple[list[Rollout], float] | None:
        """The next group to finish, and the seconds it took."""
        with self._turns.sampling():
            started = time.perf_counter()
            group = next(groups, None)
            return None if group is None else (group, time.perf_counter() - started)

    def _add(self, portion: Portion) -> None:
        with self._changed:
            self._portions.append(portion)
            if portion.graded is not None or not self._by_clock:
                self._finished.append(portion)
            self._changed.notify_all()
        if portion.graded is None:
            self._submit(self._grading, self._grade, portion)

    # In the threads that grade.

    def _grade(self, portion: Portion) -> None:
        started = time.perf_counter()
        graded = self._source.grade(portion.rollouts, portion.draw)
        with self._changed:
            portion.graded, portion.grade_s = graded, time.perf_counter() - started
            if self._by_clock:
                self._finished.append(portion)
            self._changed.notify_all()

    def _when(self, found: Callable[[], Answer | None]) -> Answer:
        """Wait until there is an answer that is not None or False. Raises what a thread could not do."""
        while not (answer := found()):
            if self._error is not None:
                raise self._error
            self._changed.wait()
        return answer

    def _submit(self, threads: ThreadPoolExecutor, work: Callable[..., None], *arguments: Any) -> None:
        if not self._closing.is_set():
            threads.submit(work, *arguments).add_done_callback(self._note_error)

    def _note_error(self, done: "Future[None]") -> None:
        error = CancelledError() if done.cancelled() else done.exception()
        if error is not None:
            with self._changed:
                self._error = self._error or error
                self._changed.notify_all()


def _whole_draw(draw: int, found: Gathered) -> Portion:
    spent = {"sample_s": found.sample_s, "grade_s": found.grade_s}
    return Portion(draw, 0, found.rollouts, found.kept, found.graded, found.rounds, **spent)

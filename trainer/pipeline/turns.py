"""Two threads that compute on the same processor take turns: side by side, each would only slow the other down."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def cores_suffice(threads: int) -> bool:
    """Whether two that compute at once, with so many threads each, have a core for every thread.

    Of the cores that this process may use, those that torchrun has started beside it (`LOCAL_WORLD_SIZE`, with it) use
    as many each.
    """
    ranks = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return len(os.sched_getaffinity(0)) >= ranks * 2 * threads


class Turns:
    """The learner goes first, and keeps its turn until it waits; the sampler gives way between two groups.

    What waits for others needs no turn.
    """

    def __init__(self, *, needed: bool) -> None:
        """Without being `needed`, as on a GPU that does both at once or with cores enough for both, nobody waits."""
        self._needed = needed
        self._changed = threading.Condition()
        self._learning = self._sampling = False

    def begin_learning(self) -> None:
        """Wait until the sampler has given way."""
        with self._changed:
            self._learning = self._needed
            while self._sampling:
                self._changed.wait()

    def end_learning(self) -> None:
        """Let the sampler go on. May be said twice."""
        with self._changed:
            self._learning = False
            self._changed.notify_all()

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """For as long as the block lasts the learner waits."""
        with self._changed:
            while self._learning:
                self._changed.wait()
            self._sampling = self._needed
        try:
            yield
        finally:
            with self._changed:
                self._sampling = False
                self._changed.notify_all()

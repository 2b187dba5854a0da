"""How long each rewarder's jobs take, learnt by watching: those that take long must not hold what the others need."""

import time
from collections.abc import Hashable

_SLOW_S = 0.02
"""A rewarder whose jobs take longer on average is slow. Short enough that whoever waits for one job hardly notices."""
_OVERDUE_S = 0.2
"""One that is still at a job after this long is slow, whatever it was before."""
_MEMORY = 16
"""Jobs that count: one that took two seconds makes its rewarder slow for some thirty that take none."""
_UNKNOWN_S = 0.01


class Paces:
    """Of every rewarder of one pool."""

    def __init__(self) -> None:
        self._mean_s: dict[str, float] = {}
        self._at_work: dict[Hashable, tuple[str, float]] = {}

    def began(self, place: Hashable, rewarder: str) -> None:
        """The worker at this place turns to a job."""
        self._at_work[place] = rewarder, time.monotonic()

    def ended(self, place: Hashable, took_s: float | None = None, *, learn: bool = True) -> bool:
        """It is done with it, in whatever way.

        Args:
            place: as for `began`.
            took_s: by the worker's own clock, if it says: ours includes how long its answer has lain here.
            learn: whether that says anything of the rewarder.

        Returns:
            Whether that may have made a slow rewarder quick, or a quick one slow.
        """
        rewarder, since_s = self._at_work.pop(place)
        here_s = time.monotonic() - since_s
        took_s = here_s if took_s is None else min(took_s, here_s)
        before_s = self._mean_s.get(rewarder, took_s)
        mean_s = before_s + (took_s - before_s) / _MEMORY if learn else before_s
        if learn:
            self._mean_s[rewarder] = mean_s
        return here_s >= _OVERDUE_S or (before_s >= _SLOW_S) != (mean_s >= _SLOW_S)

    def expected_s(self, rewarder: str) -> float:
        """What one of its jobs is expected to take."""
        return self._mean_s.get(rewarder, _UNKNOWN_S)

    def knows(self, rewarder: str) -> bool:
        """Whether a job of it has ended."""
        return rewarder in self._mean_s

    def is_slow(self, rewarder: str) -> bool:
        """Whether its jobs take long, or one of them does just now."""
        if self._mean_s.get(rewarder, 0.0) >= _SLOW_S:
            return True
        overdue_s = time.monotonic() - _OVERDUE_S
        return any(since_s < overdue_s for name, since_s in self._at_work.values() if name == rewarder)

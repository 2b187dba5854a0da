"""How much one key may ask for: a token bucket of items, and a number of requests at once."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from env_server.limits import LimitsConfig
from env_server.principal import Principal
from rewarders.errors import AssayError, QuotaExceeded

_LONGEST_PAUSE_S = 60.0
_LONGEST_WAIT_S = 86_400.0
"""A day: whoever would have to wait longer has asked for what its key never gives."""
_BURST_S = 1.0
_ANOTHER_MAY_BE_DONE_S = 1.0


def pause_s(too_much: float, per_s: float) -> float:
    """How long until so much will have been done at this rate: 1 to 60 seconds."""
    return min(_LONGEST_PAUSE_S, max(1.0, too_much / per_s)) if per_s > 0 else 1.0


@dataclass
class _Bucket:
    """Items a key may still ask for. A request that is let in may be larger than what is there, and what comes behind
    it pays: a limit below the largest request would otherwise never let that in."""

    left: float
    at_s: float
    limit_per_s: float = 0.0
    """Of all processes."""
    per_s: float = 0.0
    """Of this one."""

    def require(self) -> None:
        """Raises QuotaExceeded: it is empty just now."""
        now_s = time.monotonic()
        self.left = min(self.per_s * _BURST_S, self.left + (now_s - self.at_s) * self.per_s)
        self.at_s = now_s
        if self.left < 0:
            raise QuotaExceeded(
                f"this key may ask for {self.limit_per_s:g} items a second",
                retry_after_s=min(_LONGEST_WAIT_S, -self.left / self.per_s),
            )


@dataclass
class Admission:
    """Lets requests in, each key by its own limits. One server process keeps its even share of them."""

    config: LimitsConfig = field(default_factory=LimitsConfig)
    processes: int = 1
    """Server processes that share the limits."""
    _buckets: dict[str | None, _Bucket] = field(default_factory=dict)
    _at_once: Counter[str | None] = field(default_factory=Counter)

    @contextmanager
    def admitted(self, principal: Principal) -> "Iterator[Admitted]":
        """While a request is served, from before its body is read. What it asks for is paid when that is known.

        Raises:
            QuotaExceeded: the key has enough requests under way just now.
        """
        whose, most = principal.account, principal.limits.requests_at_once or self.config.requests_at_once
        if most is not None and self._at_once[whose] >= max(1, most // self.processes):
            raise QuotaExceeded(
                f"this key may have {most} requests under way at once", retry_after_s=_ANOTHER_MAY_BE_DONE_S
            )
        self._at_once[whose] += 1
        try:
            yield Admitted(self._bucket(principal))
        finally:
            self._at_once[whose] -= 1
            if not self._at_once[whose]:
                del self._at_once[whose]

    def _bucket(self, principal: Principal) -> _Bucket | None:
        """None where there is no limit."""
        per_s = principal.limits.items_per_s or self.config.items_per_s
        if per_s is None:
            return None
        share, whose = per_s / self.processes, principal.account
        bucket = self._buckets.setdefault(whose, _Bucket(share * _BURST_S, time.monotonic()))
        bucket.limit_per_s, bucket.per_s = per_s, share
        return bucket


@dataclass
class Admitted:
    """A request that is being served."""

    _bucket: _Bucket | None
    _has_begun: bool = False

    @contextmanager
    def paying(self, items: int) -> Iterator[None]:
        """While so many items of the request are scored. What is let in once is let in for all its parts; what ends in
        an error of ours costs nothing, and neither does what was answered before.

        Raises:
            QuotaExceeded: the key has asked for enough just now; it says for how long.
        """
        if self._bucket is None:
            yield
            return
        if not self._has_begun:
            self._bucket.require()
            self._has_begun = True
        self._bucket.left -= items
        try:
            yield
        except AssayError:
            self._bucket.left += items
            raise

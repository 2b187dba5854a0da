"""How much one key may ask for: a token bucket of items, and a number of requests at once."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from env_server.limits import LimitsConfig
from env_server.principal import KeyLimits, Principal
from rewarders.errors import QuotaExceeded

_LONGEST_PAUSE_S = 60.0
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

    def refill(self, per_s: float, now_s: float) -> None:
        self.left = min(per_s * _BURST_S, self.left + (now_s - self.at_s) * per_s)
        self.at_s = now_s


@dataclass
class Admission:
    """Lets requests in, each key by its own limits. One server process keeps its even share of them."""

    config: LimitsConfig = field(default_factory=LimitsConfig)
    processes: int = 1
    """Server processes that share the limits."""
    _buckets: dict[str | None, _Bucket] = field(default_factory=dict)
    _at_once: Counter[str | None] = field(default_factory=Counter)

    @contextmanager
    def admitted(self, principal: Principal, items: int) -> Iterator[None]:
        """While a request with so many items is served.

        Raises:
            QuotaExceeded: the key has asked for enough just now; it says for how long.
        """
        self._require_a_place(principal)
        self._spend(principal, items)
        self._at_once[principal.key_id] += 1
        try:
            yield
        finally:
            self._at_once[principal.key_id] -= 1
            if not self._at_once[principal.key_id]:
                del self._at_once[principal.key_id]

    def _require_a_place(self, principal: Principal) -> None:
        most = self._limits(principal).requests_at_once
        if most is not None and self._at_once[principal.key_id] >= max(1, most // self.processes):
            raise QuotaExceeded(
                f"this key may have {most} requests under way at once", retry_after_s=_ANOTHER_MAY_BE_DONE_S
            )

    def _spend(self, principal: Principal, items: int) -> None:
        per_s = self._limits(principal).items_per_s
        if per_s is None:
            return
        share, now_s = per_s / self.processes, time.monotonic()
        bucket = self._buckets.setdefault(principal.key_id, _Bucket(share * _BURST_S, now_s))
        bucket.refill(share, now_s)
        if bucket.left < 0:
            raise QuotaExceeded(f"this key may ask for {per_s:g} items a second", retry_after_s=-bucket.left / share)
        bucket.left -= items

    def _limits(self, principal: Principal) -> KeyLimits:
        """Its own, and where it has none those of everybody."""
        own, usual = principal.limits, self.config
        return KeyLimits(
            items_per_s=own.items_per_s or usual.items_per_s,
            requests_at_once=own.requests_at_once or usual.requests_at_once,
        )

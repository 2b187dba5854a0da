"""Whose bodies are still read by the process that serves everybody.

What is refused costs that process time: it parses, checks and says what is wrong. Each key is allowed a little of it.
Whoever has used that up has what he sends read by another process (`env_server.body_reader`) until it has come back:
that takes longer for him, and costs the others next to nothing. Nobody is refused for it.
"""

import logging
import time

from env_server.observing.logs import say
from env_server.principal import Principal

ALLOWED_S = 0.05
COMES_BACK = 0.01
"""Share of the time that passes."""
MOST_OWED_S = 0.3
_log = logging.getLogger(__name__)


class Patience:
    """How much of it is left for whom."""

    def __init__(self) -> None:
        self._back_at: dict[str | None, float] = {}
        """When it will all have come back, on `time.monotonic`'s clock; nobody else has lost any."""

    def is_gone(self, whose: Principal) -> bool:
        """Whether another process is to read what comes from there."""
        return self._spent_s(whose.account) > ALLOWED_S

    def spend(self, whose: Principal, seconds: float) -> None:
        """Something that came from there was refused, and that took so long."""
        before_s = self._spent_s(whose.account)
        spent_s = min(ALLOWED_S + MOST_OWED_S, before_s + seconds)
        self._back_at[whose.account] = time.monotonic() + spent_s / COMES_BACK
        if before_s <= ALLOWED_S < spent_s:
            say(_log, logging.INFO, "bodies read aside", key=whose.key_id, tenant=whose.tenant)

    def _spent_s(self, account: str | None) -> float:
        left_s = self._back_at.get(account, 0.0) - time.monotonic()
        if left_s <= 0:
            self._back_at.pop(account, None)
        return max(0.0, left_s) * COMES_BACK

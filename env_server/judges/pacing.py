"""How many requests an endpoint is sent at once, and when it is left alone. No clock of its own.

Additive increase, multiplicative decrease: the limit grows by one for every full round of successes and halves when
the endpoint is in trouble, at most once for the requests that were under way together.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

_FIRST = 4


class Pacer:
    """Hands out places. All its methods are called on one event loop."""

    def __init__(self, most: int) -> None:
        self.limit = float(min(most, _FIRST))
        self._most, self._busy, self._ahead = most, 0, 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def busy(self) -> int:
        """Places that are taken."""
        return self._busy

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One request's place, first come, first served."""
        if self._waiting or self._busy >= int(self.limit):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._leave()
                raise
        else:
            self._busy += 1
        try:
            yield
        finally:
            self._leave()

    def succeeded(self) -> None:
        """A request was answered."""
        self._ahead = max(0, self._ahead - 1)
        self.limit = min(float(self._most), self.limit + 1.0 / self.limit)
        self._admit()

    def struggled(self) -> None:
        """The endpoint said that it has too much to do, or did not say anything in time."""
        if self._ahead == 0:
            self.limit = max(1.0, self.limit / 2)
            self._ahead = self._busy
        self._ahead = max(0, self._ahead - 1)

    def _leave(self) -> None:
        self._busy -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._busy < int(self.limit):
            turn = self._waiting.popleft()
            if not turn.done():
                self._busy += 1
                turn.set_result(None)


class Breaker:
    """Open after too many failures in a row. Only what no text can cause counts as one."""

    def __init__(self, failures: int, pause_s: float, clock: Callable[[], float]) -> None:
        self._most, self._pause_s, self._clock = failures, pause_s, clock
        self._failures = 0
        self._until_s = 0.0

    @property
    def wait_s(self) -> float:
        """For how long nothing may be sent; 0 where something may."""
        return max(0.0, self._until_s - self._clock())

    def succeeded(self) -> None:
        """The endpoint answered, whatever it said: everybody may go on."""
        self._failures = 0
        self._until_s = 0.0

    def failed(self) -> None:
        """It did not. While it has not recovered, each further failure opens the breaker again."""
        self._failures += 1
        if self._failures >= self._most:
            self._until_s = self._clock() + self._pause_s

    def probing(self) -> None:
        """Somebody tries again: the others wait for what comes of it."""
        if self._failures >= self._most:
            self._until_s = self._clock() + self._pause_s

"""Long work on the event loop, in pieces: whoever else has something to do there does it in between."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")
_PIECE_S = 0.0005
"""A request that is quick by itself comes to the loop some ten times: as often it waits for so much of others' work."""
_LEAST_S = 0.0001
"""Coming round once costs a tenth of it."""


class _AtOnce:
    """How many there are that give way, and so share a piece."""

    count = 0


async def giving_way(items: Iterable[T]) -> AsyncIterator[T]:
    """The items; everybody else has a turn whenever what is done with them has taken half a millisecond, and if several
    give way to one another their part of that."""
    _AtOnce.count += 1
    try:
        began_s = time.perf_counter()
        for item in items:
            yield item
            if time.perf_counter() - began_s > max(_LEAST_S, _PIECE_S / _AtOnce.count):
                await asyncio.sleep(0)
                began_s = time.perf_counter()
    finally:
        _AtOnce.count -= 1

"""Long work on the event loop, in pieces: whoever else has something to do there does it in between."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")
_PIECE_S = 0.003


async def giving_way(items: Iterable[T]) -> AsyncIterator[T]:
    """The items; everybody else has a turn whenever what is done with them has taken three milliseconds."""
    began_s = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - began_s > _PIECE_S:
            await asyncio.sleep(0)
            began_s = time.perf_counter()

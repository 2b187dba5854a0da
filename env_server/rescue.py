"""The wall clock that rescues us from a worker that does not answer: what it waits for a core is not counted."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK_EVERY_S = 0.5


@contextmanager
def put_off(timeout: asyncio.Timeout, awaited_core_s: Callable[[], float]) -> Iterator[None]:
    """Within it the timeout comes later by what the worker has waited for a core meanwhile.

    A worker of little weight beside much that is wanted spends most of its time so, and is not to blame for it. What
    hangs waits for no core, and what computes for ever is ended by its CPU budget. Whoever reschedules the timeout
    takes it over: it is not put off any more.

    Args:
        timeout: that ends the wait; entered.
        awaited_core_s: seconds in the worker's whole life.
    """
    loop = asyncio.get_running_loop()
    counted_s, ends_at = awaited_core_s(), timeout.when()
    next_look: asyncio.TimerHandle

    def look() -> None:
        nonlocal counted_s, ends_at, next_look
        if ends_at is None or timeout.expired() or timeout.when() != ends_at:
            return
        awaited_s = awaited_core_s()
        ends_at += awaited_s - counted_s
        counted_s = awaited_s
        timeout.reschedule(ends_at)
        next_look = loop.call_later(LOOK_EVERY_S, look)

    next_look = loop.call_later(LOOK_EVERY_S, look)
    try:
        yield
    finally:
        next_look.cancel()

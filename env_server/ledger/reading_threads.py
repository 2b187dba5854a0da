"""Threads of their own for what only reads, so that a slow search takes none from those who score."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from rewarders.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")


class ReadingThreads:
    """A few threads, and room for so many readers. For one event loop."""

    def __init__(self, threads: int = 2, most_readers: int = 32) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="reading")
        self._most = most_readers
        self._readers = 0

    async def run(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `read` answers.

        Raises:
            Overloaded: too many read already.
        """
        if self._readers >= self._most:
            raise Overloaded(f"{self._readers} others are reading the ledger")
        self._readers += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(read, *args, **kwargs))
        finally:
            self._readers -= 1

    def close(self) -> None:
        """Begin nothing more, and wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)

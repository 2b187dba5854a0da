"""An event loop in a thread of its own, so that whoever blocks it blocks nobody else."""

import asyncio
import sys
import sysconfig
import threading
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
_BEAT_S = 0.5
_UNWINDING_S = 5.0


class LoopThread:
    """Runs coroutines for another loop, and can be seen to be stuck. A thread cannot be killed; it can be left."""

    loop: asyncio.AbstractEventLoop

    def __init__(self, name: str) -> None:
        self._stopping = False
        self._heard_s = time.monotonic()
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)

    def start(self) -> None:
        """Make the loop and start the thread."""
        self.loop = asyncio.new_event_loop()
        self._thread.start()

    @property
    def silent_s(self) -> float:
        """For how long the loop has not turned."""
        return time.monotonic() - self._heard_s

    @property
    def whereabouts(self) -> str:
        """File and line that the thread is at: the innermost that is not Python's own."""
        frame = sys._current_frames().get(self._thread.ident or 0)
        own = sysconfig.get_path("stdlib")
        while frame and frame.f_back and frame.f_code.co_filename.startswith(own):
            frame = frame.f_back
        return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}" if frame else "its end"

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for it here."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    async def stop(self, timeout_s: float) -> None:
        """End the loop and what still runs on it; a thread that is stuck is left to end with the process."""
        self._stopping = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        await asyncio.to_thread(self._thread.join, timeout_s)

    def _live(self) -> None:
        asyncio.set_event_loop(self.loop)
        self._beat()
        while not self._stopping:
            with suppress(SystemExit, KeyboardInterrupt):  # of a plug-in: asyncio lets them through, and so ends
                self.loop.run_forever()
        self._unwind()
        self.loop.close()

    def _beat(self) -> None:
        self._heard_s = time.monotonic()
        self.loop.call_later(_BEAT_S, self._beat)

    def _unwind(self) -> None:
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        with suppress(SystemExit, KeyboardInterrupt):
            if tasks:
                self.loop.run_until_complete(asyncio.wait(tasks, timeout=_UNWINDING_S))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())

"""Work in threads beside the learner's, and the learner's waiting for what it changes."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class Background:
    """Remembers the first error of any thread. `changed` guards what threads and learner share."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.closing = threading.Event()
        """Set once nothing new is to be begun."""
        self._error: BaseException | None = None

    def submit(self, threads: ThreadPoolExecutor, work: Callable[..., None], *arguments: Any) -> None:
        """Have one of these threads do it, unless it is too late."""
        if not self.closing.is_set():
            threads.submit(work, *arguments).add_done_callback(self._note_error)

    def wait_for(self, found: Callable[[], Answer | None], within_s: float | None = None) -> Answer | None:
        """An answer that is not None, as soon as there is one; None if there is none within so many seconds.

        `found` is called with `changed` held. Raises what a thread could not do, where there is no answer without it.
        """
        ends = None if within_s is None else time.monotonic() + within_s
        with self.changed:
            while (answer := found()) is None:
                self.raise_error()
                if not self.changed.wait(None if ends is None else ends - time.monotonic()):
                    return None
            return answer

    def raise_error(self) -> None:
        """Raise what a thread could not do, if there is such a thing."""
        if self._error is not None:
            raise self._error

    def _note_error(self, done: "Future[None]") -> None:
        error = CancelledError() if done.cancelled() else done.exception()
        if error is not None:
            with self.changed:
                self._error = self._error or error
                self.changed.notify_all()

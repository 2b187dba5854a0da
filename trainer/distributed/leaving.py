"""How a rank's process ends. This module imports no torch.

A thread of gloo may still hold a tensor when Python begins to take itself apart. It then asks for an interpreter
that gives itself to nobody any more, and the whole process aborts (pytorch/pytorch#190489): torchrun would report a run
as failed that was done and saved.
"""

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from trainer.distributed.launching import under_torchrun

_FAILED: Final = 1
_INTERRUPTED: Final = 130
_NOT_WRITTEN: Final = 120
"""Exit status of Python itself where what was printed could not be written."""


@contextmanager
def leaving() -> Iterator[None]:
    """Around a whole program: a rank ends with its last `atexit` function, and the status it would have had."""
    if not under_torchrun():
        yield
        return
    ending = _Ending()
    atexit.register(ending.leave)  # the first to be registered runs last
    try:
        yield
        ending.status = 0
    except SystemExit as asked:
        ending.status = _status(asked.code)
        raise
    except KeyboardInterrupt:
        ending.status = _INTERRUPTED
        raise


class _Ending:
    def __init__(self) -> None:
        self.status = _FAILED

    def leave(self) -> None:
        """End the process here."""
        for stream in filter(None, (sys.stdout, sys.stderr)):
            try:
                stream.flush()
            except OSError:
                self.status = self.status or _NOT_WRITTEN
        os._exit(self.status)


def _status(code: object) -> int:
    """What a process that ends with SystemExit(code) has as its exit status."""
    if code is None:
        return 0
    return code if isinstance(code, int) else _FAILED

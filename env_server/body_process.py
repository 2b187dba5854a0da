"""The process that reads bodies which may cost more than they are worth. Runs no code but ours.

A message names what to make of a body, with a file that holds it; the answer takes the body's place in the file.
Both are pickled: either end is ours, and what a stranger wrote is only ever parsed as JSON.
"""

import ctypes
import pickle
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from env_server import strict_json
from env_server.stepping_aside import step_aside
from rewarders.errors import RequestError

MESSAGE_BYTES = 65_536
NICENESS = 10
_PR_SET_PDEATHSIG = 1
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """How to read a body. Can be pickled, if the check can: a function of a module, or a `partial` of one."""

    check: Callable[[Any], T]
    """What to make of the parsed JSON. Raises RequestError."""
    max_values: int
    """See `strict_json.parse`."""

    def read(self, body: bytes) -> "Read[T]":
        """What the check makes of it, or why that or `strict_json.parse` refuses it."""
        began_s = time.thread_time()
        try:
            value: T | RequestError = self.check(strict_json.parse(body, max_values=self.max_values))
        except RequestError as error:
            value = error
        return Read(value, time.thread_time() - began_s)


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """What came of it."""

    value: T | RequestError
    """Why the body is refused, if it is."""
    took_s: float
    """Of the processor."""


def main(control: socket.socket) -> None:
    """Answer until the server is gone: `python -m env_server.body_process FD`."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM):  # the server's to handle: it finishes what is under way
        signal.signal(number, signal.SIG_IGN)
    step_aside(NICENESS)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 1)
        if not message:
            return
        with open(descriptors[0], "r+b") as file:
            file.seek(0)  # its position is shared with whoever wrote it
            reading: Reading[Any] = pickle.loads(message)
            answer = pickle.dumps(reading.read(file.read()), pickle.HIGHEST_PROTOCOL)
            file.seek(0)
            file.truncate()
            file.write(answer)
        control.send(b"read")


if __name__ == "__main__":
    # What is pickled names this module by its name, not as `__main__`.
    from env_server.body_process import main as named_main

    named_main(socket.socket(fileno=int(sys.argv[1])))

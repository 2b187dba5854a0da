"""The process that reads bodies which may cost more than they are worth. Runs no code but ours.

A message names what to make of a body, with a file that holds it; the answer takes the body's place in the file.
Both are pickled: either end is ours, and what a stranger wrote is only ever parsed as JSON.
"""

import pickle
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from env_server import strict_json
from env_server.dying import die_with_parent
from env_server.stepping_aside import step_aside
from rewarders.digests import digest_bytes
from rewarders.errors import RequestError

MESSAGE_BYTES = 65_536
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """How to read a body. Can be pickled, if the check can: a function of a module, or a `partial` of one."""

    check: Callable[[Any], T]
    """What to make of the parsed JSON. Raises RequestError."""
    max_values: int
    """See `strict_json.parse`."""

    def read(self, body: bytes) -> T:
        """What the check makes of it. Raises RequestError, as that and `strict_json.parse` do."""
        return self.check(strict_json.parse(body, max_values=self.max_values))


def main(control: socket.socket, niceness: int) -> None:
    """Answer until the server is gone: `python -m env_server.body_process FD NICENESS`."""
    die_with_parent()
    for number in (signal.SIGINT, signal.SIGTERM):  # the server's to handle: it finishes what is under way
        signal.signal(number, signal.SIG_IGN)
    step_aside(niceness)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 1)
        if not message:
            return
        with open(descriptors[0], "r+b") as file:
            file.seek(0)  # its position is shared with whoever wrote it
            body = file.read()
            answer = pickle.dumps((_read(body, pickle.loads(message)), digest_bytes(body)), pickle.HIGHEST_PROTOCOL)
            file.seek(0)
            file.truncate()
            file.write(answer)
        control.send(b"read")


def _read(body: bytes, reading: Reading[T]) -> T | RequestError:
    try:
        return reading.read(body)
    except RequestError as error:
        return error


if __name__ == "__main__":
    # What is pickled names this module by its name, not as `__main__`.
    from env_server.body_process import main as named_main

    named_main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))

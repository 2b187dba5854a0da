"""Reads bodies in another process, which is started when it is first needed. What it does is in `body_process.py`."""

import asyncio
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Hashable
from contextlib import closing
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from env_server.body_process import MESSAGE_BYTES, Read, Reading
from env_server.spool import Spool
from rewarders.errors import Unavailable

T = TypeVar("T")
_OVERDUE_S = 60.0
"""A body is read in a second or two; one that takes so long never ends, or the machine has no time for anybody."""


class BodyReader:
    """Has one body read at a time, and of those that wait one of each sender: whoever sends many waits for himself."""

    def __init__(self) -> None:
        self._process: _Process | None = None
        self._one_body = asyncio.Lock()
        self._one_of_each = WeakValueDictionary[Hashable, asyncio.Lock]()
        self._under_way: set[asyncio.Task[Read[Any]]] = set()

    async def read(self, body: Spool, reading: Reading[T], sender: Hashable) -> Read[T]:
        """Read a body, which is closed then.

        Args:
            body: all of it.
            reading: what to make of it.
            sender: whose bodies are read one after the other.

        Raises:
            Unavailable: the other process ended, or did not answer.
        """
        task = asyncio.create_task(self._read_in_turn(body, reading, sender))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)  # whoever goes away leaves no answer behind for the next to take

    async def _read_in_turn(self, body: Spool, reading: Reading[T], sender: Hashable) -> Read[T]:
        line = self._one_of_each.setdefault(sender, asyncio.Lock())
        with closing(body):
            async with line, self._one_body:
                if self._process is None:
                    self._process = _Process()
                try:
                    return await self._process.read(body.file(), reading)
                except (OSError, TimeoutError, EOFError) as error:
                    self.close()
                    raise Unavailable("the process that reads bodies ended", hint="send the request again") from error

    def close(self) -> None:
        """End the process; another is started for the next body."""
        if self._process is not None:
            self._process.close()
            self._process = None


class _Process:
    """The other process, and the socket to it."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        command = [sys.executable, "-m", "env_server.body_process", str(theirs.fileno())]
        with theirs:
            # Started from the main thread: PR_SET_PDEATHSIG fires when the *thread* that forked ends.
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)

    async def read(self, file: int, reading: Reading[T]) -> Read[T]:
        """Raises OSError, TimeoutError, EOFError: there is no answer."""
        socket.send_fds(self._control, [pickle.dumps(reading)], [file])
        async with asyncio.timeout(_OVERDUE_S):
            if not await asyncio.get_running_loop().sock_recv(self._control, MESSAGE_BYTES):
                raise EOFError
        return await asyncio.to_thread(_loaded, file)

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()


def _loaded(file: int) -> Read[Any]:
    found: Read[Any] = pickle.loads(os.pread(file, os.fstat(file).st_size, 0))
    return found

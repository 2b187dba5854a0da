"""Reads bodies in another process, which is started when it is first needed. What it does is in `body_process.py`."""

import asyncio
import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Hashable
from contextlib import closing
from functools import partial
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from env_server.body_process import MESSAGE_BYTES, Reading
from env_server.rescue import put_off
from env_server.spool import Spool
from env_server.stepping_aside import awaited_core_s
from rewarders.errors import Overloaded, RequestError, Unavailable

T = TypeVar("T")
_Answer = tuple[T | RequestError, str]
_OVERDUE_S = 60.0
"""A body is read in a second or two; time that the process waits for a core is not counted."""
_MOST_WAITING_BYTES = 256 * 1024**2
_RETRY_AFTER_S = 2.0


class BodyReader:
    """Has one body read at a time, and of those that wait one of each sender: whoever sends many waits for himself."""

    def __init__(self, niceness: int, rest: float = 0.0) -> None:
        """Start nothing yet.

        Args:
            niceness: of the process; see `step_aside`.
            rest: how long a sender's next body waits after one, as a multiple of what that took: to answer them and to
                take them in costs the process that serves time too.
        """
        self._niceness, self._rest = niceness, rest
        self._process: _Process | None = None
        self._closed = False
        self._one_body = asyncio.Lock()
        self._one_of_each = WeakValueDictionary[Hashable, asyncio.Lock]()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._waiting_bytes = 0

    async def read(self, body: Spool, reading: Reading[T], sender: Hashable) -> tuple[T, str]:
        """What the reading makes of a body, and the body's digest. It is closed then.

        Args:
            body: all of it.
            reading: what to make of it.
            sender: whose bodies are read one after the other.

        Raises:
            RequestError: as `Reading.read` does.
            Overloaded: too much is waiting to be read.
            Unavailable: the other process could not be started, or ended; or this is closed.
        """
        if self._closed:
            body.close()
            raise Unavailable("the service is stopping")
        if self._under_way and self._waiting_bytes + body.size > _MOST_WAITING_BYTES:
            body.close()
            raise Overloaded("too many large bodies are waiting to be read", retry_after_s=_RETRY_AFTER_S)
        coming = self._read_in_turn(body, reading, sender)
        task = asyncio.create_task(coming)
        self._under_way.add(task)
        self._waiting_bytes += body.size
        task.add_done_callback(partial(self._ended, body.size))
        found, digest = await asyncio.shield(task)  # else its answer would be there for the next to take
        if isinstance(found, RequestError):
            raise found
        return found, digest

    async def close(self) -> None:
        """End the process, and whatever waits for it."""
        self._closed = True
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self._drop()

    async def _read_in_turn(self, body: Spool, reading: Reading[T], sender: Hashable) -> _Answer[T]:
        line, took_s = self._one_of_each.setdefault(sender, asyncio.Lock()), 0.0
        with closing(body):
            await line.acquire()
            try:
                async with self._one_body:
                    began_s = time.monotonic()
                    try:
                        return await self._read(body, reading)
                    finally:
                        took_s = time.monotonic() - began_s
            finally:
                asyncio.get_running_loop().call_later(self._rest * took_s, line.release)

    async def _read(self, body: Spool, reading: Reading[T]) -> _Answer[T]:
        file = body.file()
        try:
            if self._process is None or self._process.has_ended:
                self._drop()
                self._process = _Process(self._niceness)
            return await self._process.read(file, reading)
        except TimeoutError as error:
            self._drop()
            raise Unavailable(f"a body was not read within {_OVERDUE_S:g} s") from error
        except (OSError, EOFError) as error:
            self._drop()
            raise Unavailable("the process that reads bodies is gone", hint="send the request again") from error

    def _drop(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None

    def _ended(self, size: int, task: "asyncio.Task[Any]") -> None:
        self._under_way.discard(task)
        self._waiting_bytes -= size
        if not task.cancelled():
            task.exception()  # whoever asked may have gone away; then nobody is told


class _Process:
    """The other process, and the socket to it."""

    def __init__(self, niceness: int) -> None:
        """Raises OSError."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        command = [sys.executable, "-m", "env_server.body_process", str(theirs.fileno()), str(niceness)]
        with theirs:
            try:
                # Started from the main thread: PR_SET_PDEATHSIG fires when the *thread* that forked ends.
                self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
            except OSError:
                self._control.close()
                raise

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    async def read(self, file: int, reading: Reading[T]) -> _Answer[T]:
        """Raises OSError, TimeoutError, EOFError: there is no answer."""
        socket.send_fds(self._control, [pickle.dumps(reading)], [file])
        async with asyncio.timeout(_OVERDUE_S) as overdue:
            with put_off(overdue, partial(awaited_core_s, self._process.pid)):
                if not await asyncio.get_running_loop().sock_recv(self._control, MESSAGE_BYTES):
                    raise EOFError
        found: _Answer[T] = await asyncio.to_thread(_loaded, file)
        return found

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()


def _loaded(file: int) -> Any:
    return pickle.loads(os.pread(file, os.fstat(file).st_size, 0))

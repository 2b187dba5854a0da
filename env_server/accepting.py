"""Who of several server processes takes the next connection: the one that has the fewest.

All of them wait on one socket. Left to themselves, the first to wake takes everything there is, and connections stay.
So each keeps its number of connections in memory that all of them see, and leaves a connection to whoever has fewer;
for a moment only, since that one may be stuck.
"""

import asyncio
import mmap
import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

_LEAVING, _GONE = 2**30, 2**31
_LOOK_AGAIN_S = 0.002
_PATIENCE_S = 0.1
_NO_DESCRIPTORS_PAUSE_S = 0.5


class Connections:
    """How many each process has: one number each, written by its owner, or by the supervisor when that has gone.

    A second one each goes on whenever the first is written, which a process that is well does ten times a second.
    """

    def __init__(self, descriptor: int, processes: int) -> None:
        self.descriptor = descriptor
        numbers = memoryview(mmap.mmap(descriptor, 8 * processes)).cast("I")
        self._numbers, self._beats = numbers[:processes], numbers[processes:]

    @classmethod
    def shared(cls, processes: int) -> "Connections":
        """New ones, whose descriptor can be handed down; nobody is there yet."""
        descriptor = os.memfd_create("connections")
        os.ftruncate(descriptor, 8 * processes)
        made = cls(descriptor, processes)
        for number in range(1, processes + 1):
            made.gone(number)
        return made

    def has(self, number: int, connections: int) -> None:
        """So many are with this process; numbers count from 1."""
        self._says(number, connections)

    def leaves(self, number: int) -> None:
        """It wants none, but takes them where nobody else does."""
        self._says(number, _LEAVING)

    def gone(self, number: int) -> None:
        """It is not there."""
        self._numbers[number - 1] = _GONE

    def beat(self, number: int) -> int | None:
        """Another number each time that it has said how many it has; None while it says nothing."""
        return None if self._numbers[number - 1] == _GONE else self._beats[number - 1]

    def _says(self, number: int, connections: int) -> None:
        self._numbers[number - 1] = connections
        self._beats[number - 1] = (self._beats[number - 1] + 1) % 2**32

    def has_fewest(self, number: int) -> bool:
        """Whether no other process has fewer."""
        return self._numbers[number - 1] <= min(self._numbers)


@dataclass(frozen=True)
class Among:
    """Which of several processes one is."""

    number: int
    """Counted from 1."""
    connections: Connections


class Acceptor:
    """One process's end of the shared socket."""

    def __init__(
        self, listener: socket.socket, among: Among, protocol: Callable[[], asyncio.Protocol],
        open_now: Callable[[], int],
    ) -> None:  # fmt: skip
        """Nothing is accepted yet.

        Args:
            listener: the socket that all of them share.
            among: which of them this process is.
            protocol: makes what serves a connection.
            open_now: how many connections this process has.
        """
        self._listener, self._connections, self._number = listener, among.connections, among.number
        self._protocol, self._open_now = protocol, open_now
        self._loop = asyncio.get_running_loop()
        self._arriving = set[asyncio.Task[object]]()
        self._patient_until_s: float | None = None
        self._is_anything_waiting = select.poll()
        self._is_anything_waiting.register(listener, select.POLLIN)
        self._resting: asyncio.TimerHandle | None = None
        self.leaving = False
        listener.setblocking(False)

    def start(self) -> None:
        """Accept from now on."""
        self.count()
        self._loop.add_reader(self._listener.fileno(), self._on_waiting)

    def stop(self) -> None:
        """Accept nothing any more."""
        if self._resting:
            self._resting.cancel()
        self._loop.remove_reader(self._listener.fileno())
        self._connections.gone(self._number)

    def count(self) -> None:
        """Let the others know how many connections there are; to be called now and then."""
        if self.leaving:
            self._connections.leaves(self._number)
        else:
            self._connections.has(self._number, self._open_now() + len(self._arriving))

    def _on_waiting(self) -> None:
        """There is a connection, or was: all of us are woken."""
        self.count()
        if self._may_take():
            self._accept()
            self._be_patient_with_the_next()
        else:
            self._rest(_LOOK_AGAIN_S)

    def _may_take(self) -> bool:
        if self._connections.has_fewest(self._number):
            return True
        now_s = self._loop.time()
        self._patient_until_s = self._patient_until_s or now_s + _PATIENCE_S
        return now_s >= self._patient_until_s

    def _be_patient_with_the_next(self) -> None:
        """Once nothing waits; whoever is stuck is not waited for again for each connection behind the first."""
        if not self._is_anything_waiting.poll(0):
            self._patient_until_s = None

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # another was quicker, or it has gone
            return
        except OSError:  # too many open files; the kernel keeps the connection
            self._rest(_NO_DESCRIPTORS_PAUSE_S)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        arriving = self._loop.create_task(self._connect(connection))
        self._arriving.add(arriving)
        arriving.add_done_callback(self._arriving.discard)

    async def _connect(self, connection: socket.socket) -> None:
        with suppress(OSError):  # it has gone already
            await self._loop.connect_accepted_socket(self._protocol, connection)

    def _rest(self, pause_s: float) -> None:
        """The socket stays ready as long as a connection waits: do not look all the time."""
        self._loop.remove_reader(self._listener.fileno())
        self._resting = self._loop.call_later(pause_s, self._look_again)

    def _look_again(self) -> None:
        self._resting = None
        self._be_patient_with_the_next()
        self._loop.add_reader(self._listener.fileno(), self._on_waiting)

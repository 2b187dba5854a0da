"""One end of the socket between two linked programs whose other end lies in another container.

What the program writes goes to the server in pieces; the next one is read when the server says that the one before has
been taken, so that neither side can fill the memory of the other.
"""

import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandboxes.inside.warden import Warden

PIECE_BYTES = 1 << 18


class Relay:
    """The warden's half of a socket pair; the program has the other."""

    def __init__(self, warden: "Warden", box: int) -> None:
        """Reading begins at once; the server hears `{"relay": box}` with each piece, an empty one at the end."""
        self._warden, self._box = warden, box
        self._end, self.programs_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._end.setblocking(False)
        self._pending = memoryview(b"")
        self._events = 0
        self._want(selectors.EVENT_READ, True)

    def feed(self, data: bytes) -> None:
        """Write what the other program wrote; empty when it will write no more. Answered by `{"relayed": box}`."""
        self._pending = memoryview(data)
        if not data:
            with suppress(OSError):  # the program has hung up already
                self._end.shutdown(socket.SHUT_WR)
        self._write()

    def go_on(self) -> None:
        """The server has taken the last piece."""
        self._want(selectors.EVENT_READ, True)

    def close(self) -> None:
        """The program is gone, and nobody wants the rest."""
        self._want(selectors.EVENT_READ | selectors.EVENT_WRITE, False)
        self._end.close()

    def _on_event(self, mask: int) -> None:
        if mask & self._events & selectors.EVENT_READ:
            self._read()
        if mask & self._events & selectors.EVENT_WRITE:
            self._write()

    def _read(self) -> None:
        try:
            data = self._end.recv(PIECE_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        self._want(selectors.EVENT_READ, False)
        self._say("relay", data)

    def _write(self) -> None:
        try:
            while self._pending:
                self._pending = self._pending[self._end.send(self._pending) :]
        except BlockingIOError:
            self._want(selectors.EVENT_WRITE, True)
            return
        except ConnectionError:  # the program has hung up; what it does not want is lost, as on any socket
            self._pending = memoryview(b"")
        self._want(selectors.EVENT_WRITE, False)
        self._say("relayed")

    def _say(self, what: str, *blobs: bytes) -> None:
        header: dict[str, Any] = {what: self._box}
        self._warden.say(header, blobs)

    def _want(self, events: int, wanted: bool) -> None:
        before, self._events = self._events, self._events | events if wanted else self._events & ~events
        change: Callable[..., object] = self._warden.selector.modify if before else self._warden.selector.register
        if self._events != before and self._events:
            change(self._end, self._events, self._on_event)
        elif before and not self._events:
            self._warden.selector.unregister(self._end)

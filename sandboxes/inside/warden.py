"""The process between the server and its sandboxes: it holds the requests, drains output, keeps the clocks, and kills.

It runs no untrusted byte. The server tells it, in frames, to `start` a policy, to `open` a box (one submission), to
`run` it with an input, to `link` two boxes and run both, and to `close`; each run is answered with how it ended, as
facts alone. Without the server it ends, and everything it started ends with it.
"""

import math
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandboxes.inside import frames, kernel
from sandboxes.inside.box import Box
from sandboxes.inside.cgroups import Cgroups, NoCgroups
from sandboxes.inside.spares import Spares

RECEIVE_BYTES = 1 << 20
_IDLE_S = 3600.0


class Warden:
    """The event loop and what it looks after."""

    def __init__(self, server: socket.socket, cgroups: Cgroups | None) -> None:
        self.selector = selectors.DefaultSelector()
        self.cgroups = cgroups
        self._server = server
        self._incoming = frames.Incoming()
        self._outgoing: deque[memoryview] = deque()
        self._writing = 0
        self._policies: dict[str, Spares] = {}
        self._boxes: dict[int, Box] = {}
        self._leaving: set[Box] = set()
        server.setblocking(False)
        self.selector.register(server, selectors.EVENT_READ, self._on_server)

    def serve(self) -> None:
        """Run until the server is gone."""
        while self._server.fileno() >= 0:
            for key, mask in self.selector.select(self._next_deadline()):
                callback: Callable[[int], None] = key.data
                callback(mask)
            now = time.monotonic()
            for box in (*self._boxes.values(), *self._leaving):
                box.look_at_the_clock(now)
        self._end_everything()

    def say(self, header: dict[str, Any], blobs: tuple[bytes, ...] = ()) -> None:
        """Send a frame to the server, as fast as it reads."""
        if self._server.fileno() < 0:
            return
        self._outgoing.append(memoryview(frames.pack(header, blobs)))
        self._send()

    def give_up(self, why: str) -> None:
        """Something the sandboxes rest on is broken: end, so that the server starts us afresh."""
        sys.stderr.write(f"the sandboxes are started again: {why}\n")
        if self._server.fileno() >= 0:
            self.selector.unregister(self._server)
            self._server.close()

    def forget(self, box: Box) -> None:
        """A box that was left has ended."""
        self._leaving.discard(box)

    def _next_deadline(self) -> float:
        wakes = (box.wake_at for box in (*self._boxes.values(), *self._leaving))
        return min(_IDLE_S, max(0.0, min(wakes, default=math.inf) - time.monotonic()))

    def _on_server(self, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._send()
        if mask & selectors.EVENT_READ:
            data = self._server.recv(RECEIVE_BYTES)
            if not data:
                self.selector.unregister(self._server)
                self._server.close()
                return
            for header, blobs in self._incoming.feed(data):
                getattr(self, f"_do_{header.pop('do')}")(blobs=blobs, **header)

    def _send(self) -> None:
        while self._outgoing:
            try:
                sent = self._server.send(self._outgoing[0])
            except BlockingIOError:
                break
            except ConnectionError:  # the next read finds it gone
                self._outgoing.clear()
                break
            if sent < len(self._outgoing[0]):
                self._outgoing[0] = self._outgoing[0][sent:]
            else:
                self._outgoing.popleft()
        writing = selectors.EVENT_WRITE if self._outgoing else 0
        if writing != self._writing:
            self._writing = writing
            self.selector.modify(self._server, selectors.EVENT_READ | writing, self._on_server)

    def _do_start(self, policy: dict[str, Any], python: str, spares: int, blobs: list[bytes]) -> None:
        name = policy["name"]
        self._policies[name] = Spares(self, policy, python, spares)

    def _do_open(self, box: int, policy: str, spec: dict[str, Any], files: list[list[Any]], blobs: list[bytes]) -> None:
        laid = [(path, data, mode) for (path, mode), data in zip(files, blobs, strict=True)]
        self._boxes[box] = Box(self, box, self._policies[policy], spec, laid)

    def _do_run(self, box: int, run: int, terms: dict[str, Any], blobs: list[bytes]) -> None:
        self._boxes[box].run(run, terms, blobs[0])

    def _do_link(self, runs: list[dict[str, Any]], blobs: list[bytes]) -> None:
        """Both runs get an end of a socket, and the second ends with the first."""
        ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        candidate = self._boxes[runs[1]["box"]]
        for run, end, then in zip(runs, ends, (candidate.stop, None), strict=True):
            self._boxes[run["box"]].run(run["run"], run["terms"], b"", link=end, then=then)

    def _do_close(self, box: int, blobs: list[bytes]) -> None:
        leaving = self._boxes.pop(box)
        if leaving.leave():
            self._leaving.add(leaving)

    def _end_everything(self) -> None:
        for box in (*self._boxes.values(), *self._leaving):
            box.end_now()
        for spares in self._policies.values():
            spares.close()
        if self.cgroups:
            self.cgroups.close()


def main(arguments: list[str]) -> None:
    """`warden FD CGROUP_PARENT`: serve the socket FD; an empty CGROUP_PARENT looks for one, `-` uses none."""
    kernel.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server = socket.socket(fileno=int(arguments[0]))
    cgroups, said = None, "turned off"
    if arguments[1] != "-":
        try:
            cgroups = Cgroups(Path(arguments[1]) if arguments[1] else None)
            said = f"version {cgroups.version}"
        except NoCgroups as error:
            said = str(error)
    warden = Warden(server, cgroups)
    warden.say({"hello": os.getpid(), "cgroups": cgroups is not None, "cgroups_detail": said})
    warden.serve()


if __name__ == "__main__":
    main(sys.argv[1:])

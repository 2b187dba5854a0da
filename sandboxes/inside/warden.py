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
from sandboxes.inside.box import Box, Keepers
from sandboxes.inside.cgroups import Cgroups, NoCgroups
from sandboxes.inside.spares import Spares

RECEIVE_BYTES = 1 << 20
_IDLE_S = 3600.0
_ROOM_FOR_PROCESSES = 512
"""Without a user namespace the kernel counts all that a user has on the machine, and a program that starts many must
not keep the next one from starting any. A control group, where there is one, counts the program's own."""


class Warden:
    """The event loop and what it looks after."""

    def __init__(self, server: tuple[int, int], cgroups: Cgroups | None) -> None:
        """Nothing is started yet.

        Args:
            server: descriptors that the server's frames come from, and that ours go to.
            cgroups: where sandboxes get a control group each, if they do.
        """
        self.selector = selectors.DefaultSelector()
        self.cgroups = cgroups
        self._reader, self._writer = server
        self._incoming = frames.Incoming()
        self._outgoing: deque[memoryview] = deque()
        self._writing = False
        self._policies: dict[str, Keepers] = {}
        self._boxes: dict[int, Box] = {}
        self._leaving: set[Box] = set()
        for descriptor in server:
            os.set_blocking(descriptor, False)
        self.selector.register(self._reader, selectors.EVENT_READ, self._on_order)

    def serve(self) -> None:
        """Run until the server is gone."""
        while self._reader >= 0:
            for key, mask in self.selector.select(self._next_deadline()):
                callback: Callable[[int], None] = key.data
                callback(mask)
            now = time.monotonic()
            for box in (*self._boxes.values(), *self._leaving):
                box.look_at_the_clock(now)
        self._end_everything()

    def say(self, header: dict[str, Any], blobs: tuple[bytes, ...] = ()) -> None:
        """Send a frame to the server, as fast as it reads."""
        if self._reader < 0:
            return
        self._outgoing.append(memoryview(frames.pack(header, blobs)))
        self._send()

    def give_up(self, why: str) -> None:
        """Something the sandboxes rest on is broken: end, so that the server starts us afresh."""
        sys.stderr.write(f"the sandboxes are started again: {why}\n")
        self._hang_up()

    def forget(self, box: Box) -> None:
        """A box that was left has ended."""
        self._leaving.discard(box)

    def _next_deadline(self) -> float:
        wakes = (box.wake_at for box in (*self._boxes.values(), *self._leaving))
        return min(_IDLE_S, max(0.0, min(wakes, default=math.inf) - time.monotonic()))

    def _on_order(self, mask: int) -> None:
        if self._reader < 0:  # it was given up in the same round of events
            return
        try:
            data = os.read(self._reader, RECEIVE_BYTES)
        except ConnectionError:  # the server was killed with answers unread
            data = b""
        if not data:
            self._hang_up()
            return
        for header, blobs in self._incoming.feed(data):
            getattr(self, f"_do_{header.pop('do')}")(blobs=blobs, **header)

    def _hang_up(self) -> None:
        if self._reader < 0:
            return
        self._outgoing.clear()
        self._write_when_there_is_room(False)
        self.selector.unregister(self._reader)
        os.close(self._reader)
        os.close(self._writer)
        self._reader = self._writer = -1

    def _send(self, mask: int = 0) -> None:
        while self._outgoing:
            try:
                sent = os.write(self._writer, self._outgoing[0])
            except BlockingIOError:
                break
            except ConnectionError:  # the next read finds it gone
                self._outgoing.clear()
                break
            if sent < len(self._outgoing[0]):
                self._outgoing[0] = self._outgoing[0][sent:]
            else:
                self._outgoing.popleft()
        self._write_when_there_is_room(bool(self._outgoing))

    def _write_when_there_is_room(self, writing: bool) -> None:
        if writing and not self._writing:
            self.selector.register(self._writer, selectors.EVENT_WRITE, self._send)
        if self._writing and not writing:
            self.selector.unregister(self._writer)
        self._writing = writing

    def _do_start(self, policy: dict[str, Any], python: str, spares: int, most: int, blobs: list[bytes]) -> None:
        self._policies[policy["name"]] = Spares(self, policy, python, spares, most)

    def _do_open(self, box: int, policy: str, spec: dict[str, Any], files: list[list[Any]], blobs: list[bytes]) -> None:
        laid = [(path, data, mode) for (path, mode), data in zip(files, blobs, strict=True)]
        spares = self._policies[policy]
        if not spares.isolated and "RLIMIT_NPROC" in spec["rlimits"]:
            spec["rlimits"]["RLIMIT_NPROC"] = _tasks_of_the_machine() + _ROOM_FOR_PROCESSES
        self._boxes[box] = Box(self, box, spares, spec, laid)

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


def _tasks_of_the_machine() -> int:
    with open("/proc/loadavg") as file:
        return int(file.read().split()[3].partition("/")[2])


def main(arguments: list[str]) -> None:
    """`warden FD CGROUP_PARENT`: serve the socket FD; an empty CGROUP_PARENT looks for one, `-` uses none."""
    kernel.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server = int(arguments[0])
    cgroups, said = None, "turned off"
    if arguments[1] != "-":
        try:
            cgroups = Cgroups(Path(arguments[1]) if arguments[1] else None)
            said = f"version {cgroups.version}"
        except NoCgroups as error:
            said = str(error)
    warden = Warden((server, os.dup(server)), cgroups)
    warden.say({"hello": os.getpid(), "cgroups": cgroups is not None, "cgroups_detail": said})
    warden.serve()


if __name__ == "__main__":
    main(sys.argv[1:])

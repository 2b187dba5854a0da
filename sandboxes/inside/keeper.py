"""The first process of a sandbox, pid 1 of its namespaces: forks the program for each run, waits for it, and clears up.

It is as confined as the program, and it reads no byte of what the program is given: requests come as file descriptors
and are passed on. The child of the first run is forked ahead of it. An `Order` of the warden comes with the descriptors
of request, stdin, stdout, stderr and, for linked programs, the link. It is answered with `Ended`, then with one message
for each file: its name, and its descriptor.

What it touches between two runs is copied for it, page by page, like what the program touches; hence the plain ways.
"""

import _signal  # type: ignore[import-not-found]
import marshal
import mmap
import os
import signal
import socket
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, NoReturn

from sandboxes.inside import child, clearing

MESSAGE_BYTES = 65536
MAX_FETCHED_FILES = 256
MAX_PATH_CHARS = 200
ORPHANED = signal.SIGUSR1
"""Tells a keeper without a pid namespace that the process that forked it is gone."""

Start = Callable[[list[int]], int]
"""Starts the program with the descriptors of a run; its pid."""
_DESCRIPTORS = 5
_TROUBLE_BYTES = 512
_OURS = ["sandboxes", "sandboxes.inside"] + [
    f"sandboxes.inside.{module}"
    for module in ("cgroups", "child", "clearing", "keeper", "kernel", "landlock", "root", "seccomp", "zygote")
]
"""What a program does not find imported, so that it may have modules of these names."""


class Order(NamedTuple):
    """What the warden asks for."""

    fetch: list[str]
    """Paths whose files are wanted."""
    last: bool
    """Nothing is to be made ready for another run."""

    def packed(self) -> bytes:
        """As bytes. Only a warden's are ever unpacked."""
        return marshal.dumps(tuple(self))


class Ended(NamedTuple):
    """How a run ended; the warden reads it, so that it is of fixed size but for its text."""

    status: int
    """As of wait4; -1 if there is none."""
    cpu_s: float
    peak_bytes: int
    files: int
    """How many follow."""
    trouble: str
    """What kept us from starting the program."""

    def packed(self) -> bytes:
        """As bytes."""
        return _ENDED.pack(*self[:-1]) + self.trouble.encode()

    @classmethod
    def read(cls, message: bytes) -> "Ended":
        """From bytes. Raises struct.error for what cannot be one."""
        status, cpu_s, peak_bytes, files = _ENDED.unpack_from(message)
        return cls(status, cpu_s, peak_bytes, files, message[_ENDED.size :].decode("utf-8", "replace"))


_ENDED = struct.Struct("=idQI")


@dataclass(frozen=True)
class Den:
    """What a keeper looks after."""

    work: str
    """The work folder, emptied between runs."""
    children: int | None = None
    """Descriptor that lists our children; None where every other process we can see is the program's.

    It is opened once: under Landlock a path in /proc may be refused as soon as the kernel has forgotten its inode.
    """

    @property
    def own_pids(self) -> bool:
        """Whether it has a pid namespace of its own."""
        return self.children is None


def keep(link: socket.socket, den: Den, outlook: child.Outlook) -> None:
    """Say that we are ready, then serve runs until the warden lets go of the link. SIGTERM ends the run, not us."""
    signal.signal(signal.SIGTERM, lambda number, frame: _kill_everything(den))
    if not den.own_pids:  # as pid 1 it would hear the program's signals too
        signal.signal(ORPHANED, lambda number, frame: _end_with_everything(den))
    for name in _OURS:
        sys.modules.pop(name, None)
    trouble = mmap.mmap(-1, _TROUBLE_BYTES)
    become = partial(_become, den, outlook, trouble)
    start = _forked_ahead(link, become)
    with suppress(ConnectionError):
        while _served(link, den, start, trouble):
            start = partial(_forked, become)


def _forked_ahead(link: socket.socket, become: Callable[[list[int]], NoReturn]) -> Start:
    """Fork the child of the first run now, so that the run itself does not wait for it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        link.close()
        ours.close()
        message, descriptors, _, _ = socket.recv_fds(theirs, 16, _DESCRIPTORS)
        if not message:
            os._exit(0)
        become(descriptors)
    theirs.close()

    def start(descriptors: list[int]) -> int:
        with ours:
            socket.send_fds(ours, [b"run"], descriptors)
        return pid

    return start


def _forked(become: Callable[[list[int]], NoReturn], descriptors: list[int]) -> int:
    pid = os.fork()
    if pid == 0:
        become(descriptors)
    return pid


def _become(den: Den, outlook: child.Outlook, trouble: mmap.mmap, descriptors: list[int]) -> NoReturn:
    # What `signal.signal` does for readability alone touches ninety pages.
    _signal.signal(_signal.SIGTERM, _signal.SIG_DFL)
    _signal.signal(_signal.SIGUSR1, _signal.SIG_DFL)
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    child.become(descriptors, den.work, outlook, trouble, shared_tmp=not den.own_pids)


def _served(link: socket.socket, den: Den, start: Start, trouble: mmap.mmap) -> bool:
    """One run, from its order to its answer. False when there is to be no other."""
    link.send(b"ready")
    message, descriptors, _, _ = socket.recv_fds(link, MESSAGE_BYTES, _DESCRIPTORS)
    if not message:
        return False
    pid = start(descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    fetch, last = marshal.loads(message)
    status, cpu_s, peak_bytes = _wait(pid, den)
    files = _fetch(den.work, fetch) if fetch else []
    link.send(Ended(status, cpu_s, peak_bytes, len(files), _taken(trouble)).packed())
    for name, descriptor in files:
        socket.send_fds(link, [name.encode()], [descriptor])
        os.close(descriptor)
    return not last and _emptied(den.work)


def _taken(trouble: mmap.mmap) -> str:
    if trouble[0] == 0:
        return ""
    text = trouble[:].rstrip(b"\0").decode("utf-8", "replace")
    trouble[:] = bytes(_TROUBLE_BYTES)
    return text


def _wait(pid: int, den: Den) -> tuple[int, float, int]:
    """Wait for the program; then end and reap everything it started. Orphans fall to us, their CPU time to it."""
    cpu_s, peak_bytes, status = 0.0, 0, None
    while True:
        if status is not None:
            _kill_everything(den)
        try:
            ended, raw, used = os.wait4(-1, 0)
        except ChildProcessError:
            return -1 if status is None else status, cpu_s, peak_bytes
        cpu_s += used.ru_utime + used.ru_stime
        peak_bytes = max(peak_bytes, used.ru_maxrss * 1024)
        if ended == pid:
            status = raw


def _kill_everything(den: Den) -> None:
    for pid in (-1,) if den.children is None else _children(den.children):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _end_with_everything(den: Den) -> NoReturn:
    with suppress(ChildProcessError):
        while True:
            _kill_everything(den)
            os.wait()
    os._exit(1)


def _children(listed: int) -> list[int]:
    """Our children; as the reaper of orphans we get theirs when they end."""
    return [int(pid) for pid in os.pread(listed, MESSAGE_BYTES, 0).split()]


def _fetch(work: str, wanted: list[str]) -> list[tuple[str, int]]:
    """Plain files at or below the paths wanted, opened without following a link. Every writer has ended by now."""
    found: list[tuple[str, int]] = []
    for name in _plain_files(work, [path for path in reversed(wanted) if not _through_a_link(work, path)]):
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            found.append((name, os.open(f"{work}/{name}", flags)))
        except OSError:  # the program took our right to read it
            continue
    return found


def _plain_files(work: str, waiting: list[str]) -> Iterator[str]:
    """Names of plain files at or below the paths waiting; bounded, because the program made the tree."""
    given = 0
    for _ in range(MAX_FETCHED_FILES * 4):
        if not waiting or given == MAX_FETCHED_FILES:
            return
        path = waiting.pop()
        try:
            mode = os.lstat(f"{work}/{path}").st_mode
            if stat.S_ISDIR(mode):
                names = [f"{path}/{name}" for name in sorted(os.listdir(f"{work}/{path}"), reverse=True)]
                waiting += filter(_can_be_told, names)
        except OSError:
            continue
        if stat.S_ISREG(mode):
            given += 1
            yield path


def _can_be_told(path: str) -> bool:
    """Whether it is text, and of a length that somebody could mean."""
    return len(path) <= MAX_PATH_CHARS and path.isprintable()


def _through_a_link(work: str, path: str) -> bool:
    parts = path.split("/")
    return any(os.path.islink(os.path.join(work, *parts[: index + 1])) for index in range(len(parts)))


def _emptied(work: str) -> bool:
    """Remove what a run left. False if something resists: then this sandbox is not used again."""
    try:
        clearing.empty(work)
    except OSError:
        return False
    return True

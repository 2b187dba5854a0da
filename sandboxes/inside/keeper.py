"""The first process of a sandbox, pid 1 of its namespaces: forks the program for each run, waits for it, and clears up.

It is as confined as the program, and it reads no byte of what the program is given: requests come as file descriptors
and are passed on. A child that waits for the next run is forked ahead of it. Orders of the warden: `{"fetch": [...],
"last": ...}` with the descriptors of request, stdin, stdout, stderr and, for linked programs, the link. Answers:
`{"status", "cpu_s", "peak_bytes", "files"}`, then one message with its descriptor for each file.
"""

import json
import os
import signal
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandboxes.inside import child

MESSAGE_BYTES = 65536
MAX_FETCHED_FILES = 256
MAX_PATH_CHARS = 200


@dataclass(frozen=True)
class Den:
    """What a keeper looks after."""

    work: str
    """The work folder, emptied between runs."""
    own_pids: bool
    """Every other process we can see is the program's."""


def keep(link: socket.socket, den: Den, outlook: child.Outlook) -> None:
    """Say that we are ready, then serve runs until the warden lets go of the link. SIGTERM ends the run, not us."""
    signal.signal(signal.SIGTERM, lambda number, frame: _kill_everything(own_pids=den.own_pids))
    prepare = True
    while prepare:
        pid, orders = _fork_waiting_child(link, den, outlook)
        if not _served(link, pid, orders, den):
            return
        prepare = _emptied(den.work)


def _fork_waiting_child(link: socket.socket, den: Den, outlook: child.Outlook) -> tuple[int, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        link.close()
        ours.close()
        child.wait_and_become(theirs, den.work, outlook, shared_tmp=not den.own_pids)
    theirs.close()
    return pid, ours


def _served(link: socket.socket, pid: int, orders: socket.socket, den: Den) -> bool:
    """One run, from its order to its answer. False when there is to be no other."""
    try:
        link.send(b"ready")
        message, descriptors, _, _ = socket.recv_fds(link, MESSAGE_BYTES, 5)
    except ConnectionError:
        return False
    if not message:
        return False
    with orders:
        socket.send_fds(orders, [b"run"], descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    order = json.loads(message)
    ended = _wait(pid, own_pids=den.own_pids)
    files = _fetch(den.work, order["fetch"])
    link.send(json.dumps({**ended, "files": [path for path, _ in files]}).encode())
    for _, descriptor in files:
        socket.send_fds(link, [b"file"], [descriptor])
        os.close(descriptor)
    return not order["last"]


def _wait(pid: int, *, own_pids: bool) -> dict[str, Any]:
    """Wait for the program; then end and reap everything it started. Orphans fall to us, their CPU time to it."""
    cpu_s, peak_bytes, status = 0.0, 0, None
    while True:
        if status is not None:
            _kill_everything(own_pids=own_pids)
        try:
            ended, raw, used = os.wait4(-1, 0)
        except ChildProcessError:
            return {"status": status, "cpu_s": cpu_s, "peak_bytes": peak_bytes}
        cpu_s += used.ru_utime + used.ru_stime
        peak_bytes = max(peak_bytes, used.ru_maxrss * 1024)
        if ended == pid:
            status = raw


def _kill_everything(*, own_pids: bool) -> None:
    for pid in (-1,) if own_pids else _children():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _children() -> list[int]:
    """Our children; as the reaper of orphans we get theirs when they end."""
    with open(f"/proc/self/task/{os.getpid()}/children") as children:
        return [int(pid) for pid in children.read().split()]


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
                names = [name for name in sorted(os.listdir(f"{work}/{path}"), reverse=True) if name.isascii()]
                waiting += [f"{path}/{name}" for name in names if len(path) + len(name) < MAX_PATH_CHARS]
        except OSError:
            continue
        if stat.S_ISREG(mode):
            given += 1
            yield path


def _through_a_link(work: str, path: str) -> bool:
    parts = path.split("/")
    return any(os.path.islink(os.path.join(work, *parts[: index + 1])) for index in range(len(parts)))


def _emptied(top: str) -> bool:
    """Remove what a run left, however deep and whatever rights it took away. Never follows a link.

    False if something resists: then this sandbox is not used again.
    """
    try:
        os.chmod(top, 0o700)
        while folders := _emptied_of_files(top):
            for folder in folders:
                # Pulled up beside the others, a folder of any depth is gone after as many rounds as it is deep.
                for name in os.listdir(folder):
                    os.rename(f"{folder}/{name}", f"{top}/{os.urandom(12).hex()}")
                os.rmdir(folder)
    except OSError:
        return False
    return True


def _emptied_of_files(top: str) -> list[str]:
    folders = []
    for entry in list(os.scandir(top)):
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.path, 0o700)
            folders.append(entry.path)
        else:
            os.unlink(entry.path)
    return folders

"""The process that forks workers, by itself: how it ends, what it does not end of, and which of them weigh less."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from env_server.worker_process import NICENESS, Job, pack_jobs

MEMORY_BYTES = 2 * 1024**3


@contextmanager
def nursery() -> Iterator[tuple[subprocess.Popen[str], socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "env_server.worker_process", str(theirs.fileno()), str(MEMORY_BYTES), "", ""]
    with ours, theirs:
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE, text=True)
        theirs.close()
        try:
            yield process, ours
        finally:
            process.kill()
            process.communicate()


def test_one_whose_server_has_gone_leaves_without_a_word():
    with nursery() as (process, control):
        control.close()
        _, said = process.communicate(timeout=60)
        assert (process.returncode, said) == (0, "")


def test_sigterm_is_the_servers_to_heed():
    with nursery() as (process, control):
        assert control.recv(4096).startswith(b"ready ")
        process.send_signal(signal.SIGTERM)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            socket.send_fds(control, [b"1 fork here"], [theirs.fileno()])
            _, pid = control.recv(4096).split()
            control.send(b"2 reap %d" % int(pid))
            assert control.recv(4096) == b"2 9", "ended by SIGKILL"


def test_a_worker_set_aside_weighs_less_in_a_session_of_its_own_and_leaves_a_core_and_another_does_not():
    with nursery() as (_, control):
        assert control.recv(4096).startswith(b"ready ")
        assert [weight(control, where) for where in (b"here", b"aside")] == [
            (0, False, len(os.sched_getaffinity(0))),
            (NICENESS, True, max(1, len(os.sched_getaffinity(0)) - 1)),
        ]


def weight(control: socket.socket, where: bytes) -> tuple[int, bool, int]:
    """How nice a fresh worker is beyond this process, whether it has a session of its own, and how many cores."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            socket.send_fds(control, [b"1 fork " + where], [theirs.fileno()])
            pid = int(control.recv(4096).split()[1])
        ours.sendall(pack_jobs([Job("odd.nobody_has_it", {}, None, {})]))
        assert ours.recv(4096), "it answers, so it has stepped aside by now, if it does"
        niceness = os.getpriority(os.PRIO_PROCESS, pid) - os.nice(0)
        return niceness, os.getsid(pid) == pid, len(os.sched_getaffinity(pid))

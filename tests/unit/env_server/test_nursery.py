"""The process that forks workers, by itself: how it ends, and what it does not end of."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

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

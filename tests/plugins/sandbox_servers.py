"""Sandbox servers for tests: real ones in processes of their own, and ones that answer nonsense."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

WAIT_S = 20.0


@dataclass
class SandboxServer:
    """`python -m sandboxes serve` on a free port."""

    process: subprocess.Popen[str]
    url: str

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT_S)

    def descendants(self) -> list[int]:
        found, frontier = [], [self.process.pid]
        while frontier:
            frontier = [child for pid in frontier for child in _children(pid)]
            found += frontier
        return found


@contextmanager
def serving(*flags: str, port: int = 0) -> Iterator[SandboxServer]:
    """A server for as long as the block lasts."""
    command = [sys.executable, "-m", "sandboxes", "serve", "--json", "--port", str(port), *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield SandboxServer(process, json.loads(process.stdout.readline())["url"])
        finally:
            process.terminate()
            process.wait(WAIT_S)


@contextmanager
def answering(*answers: bytes | dict[str, object] | None) -> Iterator[str]:
    """A server that gives each connection the next answer, raw or as JSON, the last one to the rest. None: silence."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer, args=(listener, [_raw(answer) for answer in answers]), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(WAIT_S)


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def until(happened: object) -> None:
    """Wait for something that a call tells."""
    assert callable(happened)
    give_up = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _raw(answer: bytes | dict[str, object] | None) -> bytes | None:
    if answer is None or isinstance(answer, bytes):
        return answer
    body = json.dumps(answer).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def _answer(listener: socket.socket, answers: list[bytes | None]) -> None:
    number, silent = 0, ExitStack()
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # the block is over
            silent.close()
            return
        answer = answers[min(number, len(answers) - 1)]
        number += 1
        if answer is None:
            silent.enter_context(connection)
            continue
        with connection:
            _read_request(connection)
            connection.sendall(answer)


def _read_request(connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    while len(body) < int(lengths[0] if lengths else 0):
        body += connection.recv(65536)


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found

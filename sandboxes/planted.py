"""What an attack is after, laid where it could be found: secrets, listeners, a folder to write into.

Everything is fresh for each attempt, so that what was reached tells who reached it. It lies on this machine: to try a
sandbox on another one, run the suite there.
"""

import asyncio
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

TOKEN_STARTS = "assay-planted-"
_SECRET_LENGTH = 16
_NOBODY = 1
"""A port that nobody listens on."""
_NO_SECRETS = {"HOME", "LANG", "PATH", "PWD", "SHELL", "TERM", "TZ", "USER"}


def _token() -> str:
    return TOKEN_STARTS + secrets.token_hex(8)


@dataclass
class Planted:
    """The bait of one attempt, and who took it."""

    folder: Path
    """Holds `secret`, a home with keys, a socket, and `marks`, which anybody may write."""
    name: str = field(default_factory=lambda: "a" + secrets.token_hex(6))
    """Fits into the name of a process."""
    secret: str = field(default_factory=_token)
    """In the files, and what every listener says."""
    token: str = field(default_factory=_token)
    """What the first of two programs is given to hide."""
    ports: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("TCP_PORT", "TCP6_PORT", "UDP_PORT"), _NOBODY))
    reached: list[str] = field(default_factory=list)
    """Listeners that heard something."""

    def facts(self, mark: str, stage: str, patience_s: float) -> bytes:
        """The standard input of a probe: where everything is, and nothing that it should find."""
        said: dict[str, Any] = {
            "ABSTRACT": self.name,
            "BYSTANDER": os.getpid(),
            "HOST": socket.gethostname(),
            "MARK": self.folder / "marks" / mark,
            "PATIENCE_S": patience_s,
            "SECRET_FILE": self.folder / "secret",
            "SECRET_HOME": self.folder / "home",
            "SOCKET_FILE": self.folder / "socket",
            "STAGE": stage,
            "TAG": self.name,
            "TOKEN_STARTS": TOKEN_STARTS,
            **self.ports,
        }
        if stage == "plant":
            said["TOKEN"] = self.token
        return "".join(f"{name}={value}\n" for name, value in said.items()).encode()

    def leaked(self, text: bytes) -> str | None:
        """What of ours a program's output holds; the secret itself is not repeated."""
        if self.secret.encode() in text:
            return "a planted secret"
        if self.token.encode() in text:
            return "what the program before it knew"
        if _shows_users(text):
            return "the machine's list of users"
        shown = (name for name, value in _private_variables() if f"{name}={value}".encode() in text)
        return next((f"the server's environment variable {name}" for name in shown), None)

    def left_processes(self) -> list[int]:
        """Processes of this machine that the probe named after the attempt."""
        return [pid for pid, words in _processes() if self.name.encode() in words]

    def marks(self) -> list[str]:
        """Files written where a program must not write."""
        return sorted(path.name for path in (self.folder / "marks").iterdir())


@asynccontextmanager
async def planted() -> AsyncIterator[Planted]:
    """Lay out the bait; take it away on leaving."""
    folder = Path(tempfile.mkdtemp(prefix="assay-planted-"))
    bait = Planted(folder)
    try:
        _lay_files(bait)
        async with AsyncExitStack() as stack:
            await _listen(bait, stack)
            yield bait
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lay_files(bait: Planted) -> None:
    """Readable by everybody: not the rights of a file, only the sandbox is to keep a program from it."""
    (bait.folder / "home" / ".ssh").mkdir(parents=True)
    (bait.folder / "marks").mkdir()
    for path in (bait.folder / "secret", bait.folder / "home" / ".ssh" / "id_canary"):
        path.write_text(bait.secret)
        path.chmod(0o644)
    bait.folder.chmod(0o755)
    (bait.folder / "marks").chmod(0o777)


async def _listen(bait: Planted, stack: AsyncExitStack) -> None:
    """Listeners that answer with the secret, each kind that this machine has."""
    for name, host in (("TCP", "127.0.0.1"), ("TCP6", "::1")):
        with suppress(OSError):
            server = await asyncio.start_server(partial(_answer, bait, name), host, 0)
            stack.callback(server.close)
            bait.ports[f"{name}_PORT"] = server.sockets[0].getsockname()[1]
    for path in (f"\0{bait.name}", str(bait.folder / "socket")):
        with suppress(OSError):
            stack.callback((await asyncio.start_unix_server(partial(_answer, bait, "a Unix socket"), path)).close)
    with suppress(FileNotFoundError):
        (bait.folder / "socket").chmod(0o777)
    with suppress(OSError):
        await _listen_for_datagrams(bait, stack)


async def _answer(bait: Planted, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    bait.reached.append(name)
    with suppress(ConnectionError):
        writer.write(bait.secret.encode())
        await writer.drain()
        writer.close()


async def _listen_for_datagrams(bait: Planted, stack: AsyncExitStack) -> None:
    loop = asyncio.get_running_loop()
    line = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    line.bind(f"\0{bait.name}-datagram")

    def heard() -> None:
        line.recv(64)
        bait.reached.append("a Unix socket for datagrams")

    loop.add_reader(line, heard)
    stack.callback(loop.remove_reader, line)
    udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(bait), local_addr=("127.0.0.1", 0))
    stack.callback(udp.close)
    bait.ports["UDP_PORT"] = udp.get_extra_info("sockname")[1]


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, bait: Planted) -> None:
        self._bait = bait

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: Any) -> None:
        """Note it and answer."""
        self._bait.reached.append("UDP")
        self._transport.sendto(self._bait.secret.encode(), address)


def _shows_users(text: bytes) -> bool:
    """Whether the first line of the machine's list of users is in it."""
    try:
        first = Path("/etc/passwd").read_bytes().partition(b"\n")[0]
    except OSError:
        return False
    return bool(first) and first in text


def _private_variables() -> Iterator[tuple[str, str]]:
    """What of our own environment is too long to be found elsewhere by chance."""
    long = ((name, value) for name, value in os.environ.items() if len(value) >= _SECRET_LENGTH)
    return ((name, value) for name, value in long if name not in _NO_SECRETS)


def _processes() -> Iterator[tuple[int, bytes]]:
    """Each process of this machine with its name and command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            yield int(folder.name), (folder / "comm").read_bytes() + (folder / "cmdline").read_bytes()

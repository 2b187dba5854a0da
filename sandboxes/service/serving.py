"""Running a sandbox server under uvicorn on a socket of ours, until it is told to leave."""

import asyncio
import resource
import signal
import socket
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import uvicorn

from sandboxes.service.app import create_app
from sandboxes.service.server import Backend, SandboxServer, build_server
from sandboxes.service.settings import ServiceSettings

_BACKLOG = 1024
_GRACE_S = 5
_KEEP_ALIVE_S = 60
_LEAST_TOKEN_CHARS = 16


class AskedWrongly(Exception):
    """The command line asks for something that cannot or should not be; the message says what to do instead."""


def serve_forever(
    backend: Backend, settings: ServiceSettings, listener: socket.socket, ready: Callable[[str, str], None]
) -> None:
    """Serve until SIGTERM or SIGINT, then end every run and everything that belongs to the backend.

    Args:
        backend: not yet started.
        settings: bounds and token.
        listener: where requests come in; closed at the end.
        ready: called with the URL and the backend's name once programs can be run.

    Raises:
        SandboxFault: the backend does not start.
    """
    with listener:
        asyncio.run(_serve(backend, settings, listener, ready))


async def _serve(
    backend: Backend, settings: ServiceSettings, listener: socket.socket, ready: Callable[[str, str], None]
) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    _allow_many_connections()
    try:
        await backend.start()
        server = await asyncio.to_thread(build_server, backend, settings)
        try:
            await _answer_requests(server, listener, lambda: ready(url_of(listener), backend.backend))
        finally:
            await server.leases.close()
    finally:
        await backend.close()


async def _answer_requests(server: SandboxServer, listener: socket.socket, ready: Callable[[], None]) -> None:
    web = uvicorn.Server(
        uvicorn.Config(
            create_app(server), lifespan="off", log_level="warning", access_log=False,
            timeout_graceful_shutdown=_GRACE_S, timeout_keep_alive=_KEEP_ALIVE_S,
        )
    )  # fmt: skip
    # Uvicorn ends gracefully, then raises the signal again; by then the backend still has to be closed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    serving = asyncio.create_task(web.serve(sockets=[listener]))
    while not web.started and not serving.done():
        await asyncio.sleep(0.01)
    ready()
    await serving


def listen(host: str, port: int, *, token: str, allow_remote: bool) -> socket.socket:
    """A socket that listens.

    Raises:
        AskedWrongly: others could reach it and that was not asked for twice, or it cannot be listened on.
    """
    if not is_loopback(host) and not (token and allow_remote):
        lacking = "--allow-remote" if token else "--token-file" if allow_remote else "--token-file and --allow-remote"
        raise AskedWrongly(
            f"--host {host} can be reached by other machines, which run programs here: that needs {lacking}"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise AskedWrongly(f"cannot listen on {host}:{port}: {error}; choose another --host or --port") from error
    # Every connection inherits it. Without it an answer, which is more than one write, waits 40 ms for its first part
    # to be acknowledged.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def read_token(path: Path | None) -> str:
    """The token in a file; empty without a file.

    Raises:
        AskedWrongly: the file cannot be read, or holds nothing to rely on.
    """
    if path is None:
        return ""
    try:
        token = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise AskedWrongly(f"--token-file {path} cannot be read: {error}") from error
    if len(token) < _LEAST_TOKEN_CHARS or not token.isascii() or not token.isprintable():
        raise AskedWrongly(
            f"--token-file {path} has to hold one line of at least {_LEAST_TOKEN_CHARS} ASCII characters"
        )
    return token


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def url_of(listener: socket.socket) -> str:
    """Where the socket listens."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _leave(*_: object) -> None:
    """While the backend starts: take down what there is of it, and go."""
    raise SystemExit(0)


def _allow_many_connections() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

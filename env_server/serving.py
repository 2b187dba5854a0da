"""Running the app under uvicorn on a socket of ours."""

import asyncio
import logging
import resource
import signal
import socket
from collections.abc import Callable
from ipaddress import ip_address

import uvicorn

from env_server.app import create_app, open_service
from env_server.build import SERVICE_BUILD
from env_server.config import ServerConfig, ServiceConfig
from env_server.isolation import keep_others_out
from env_server.observing import logs, tracing
from env_server.observing.logs import say
from env_server.observing.requests import WatchRequests
from rewarders.errors import ConfigError

_log = logging.getLogger(__name__)
_BACKLOG = 1024
_GRACE_S = 30


def serve_forever(config: ServiceConfig, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished first.

    Args:
        config: what to serve and where.
        ready: called with the service's URL once it can score.

    Raises:
        ConfigError: the address cannot be listened on, or is not to be.
        PluginError, LedgerError: the service cannot be built.
    """
    logs.set_up(config.log)
    tracing.set_up(config.tracing)
    with _listen(config.server) as listener, asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(config, listener, ready))


async def _serve(config: ServiceConfig, listener: socket.socket, ready: Callable[[str], None]) -> None:
    signal.signal(signal.SIGTERM, _leave)
    if config.plugins.isolated:
        keep_others_out()
    _allow_many_connections()
    async with open_service(config) as service:
        settings = uvicorn.Config(
            WatchRequests(create_app(service), service.metrics), lifespan="off", log_config=None, access_log=False,
            timeout_graceful_shutdown=_GRACE_S, limit_concurrency=config.server.max_connections,
        )  # fmt: skip
        server = uvicorn.Server(settings)
        _leave_signals_to_uvicorn()
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        ready(_url(listener))
        say(_log, logging.INFO, "serving", url=_url(listener), build=SERVICE_BUILD, rewarders=len(service.registry))
        polling = asyncio.create_task(service.poll.keep_refreshing(service))
        await serving
        polling.cancel()
    say(_log, logging.INFO, "stopped")


def _leave(*_: object) -> None:
    """While the service is being built: take down what there is of it, and go."""
    raise SystemExit(0)


def _allow_many_connections() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _leave_signals_to_uvicorn() -> None:
    """Uvicorn ends gracefully, then raises the signal again; by then the ledger still has to be closed."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _listen(config: ServerConfig) -> socket.socket:
    if not config.allow_remote and not _is_loopback(config.host):
        raise ConfigError(
            f"server.host is {config.host!r}, outside loopback, and the service has no authentication yet",
            hint="listen on 127.0.0.1, or set allow_remote = true in [server] behind a proxy that authenticates",
        )
    try:
        return socket.create_server((config.host, config.port), family=_family(config.host), backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {config.host}:{config.port}: {error.strerror}",
            hint="choose another --port, or 0",
        ) from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # not built for this platform
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory

"""Running the app under uvicorn on a socket of ours: in this process, or in several that a supervisor keeps."""

import asyncio
import gc
import logging
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from env_server.accepting import Acceptor, Among
from env_server.app import create_app, open_service
from env_server.build import SERVICE_BUILD
from env_server.config import ServiceConfig
from env_server.draining import Departure, TurnAway
from env_server.isolation import keep_others_out
from env_server.keys.exposure import require_keys_outside_loopback
from env_server.observing import logs, tracing
from env_server.observing.logs import say
from env_server.observing.requests import WatchRequests
from env_server.service import Service
from env_server.serving_settings import ServerConfig
from env_server.supervisor import supervise
from rewarders.errors import ConfigError

_log = logging.getLogger(__name__)
_BACKLOG = 1024
_MOST_UNREAD_MS = 60_000
"""A client that takes nothing of its answer for so long is hung up on: closing waits until all of it was taken."""
_HANGING_UP_S = 2
"""For connections to be closed once everything that will be answered is."""
_CLOSING_S, _THREADS_S = 45.0, 5.0
"""For everything to be closed after that, and then for threads that still compute what nobody waits for."""


def serve_forever(config: ServiceConfig, ready: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT; requests under way are finished first.

    Args:
        config: what to serve and where.
        ready: called with the service's URL once it can score.

    Returns:
        The exit code: 0, or with several processes what is wrong with one of them.

    Raises:
        ConfigError: the address cannot be listened on, or is not to be.
        PluginError, LedgerError: the service cannot be built.
    """
    require_keys_outside_loopback(config)
    with _listen(config.server) as listener:
        if config.server.workers > 1:
            return supervise(config, listener, lambda: ready(_url(listener)))
        serve_on(listener, config, lambda: ready(_url(listener)))
    return 0


def serve_on(
    listener: socket.socket, config: ServiceConfig, ready: Callable[[], None], among: Among | None = None
) -> None:
    """Serve in this process on a socket that listens, as `serve_forever`; the process is to end soon after.

    Args:
        listener: it is closed at the end.
        config: what to serve.
        ready: called once it can score.
        among: which server process this is, where there are several.
    """
    logs.set_up(config.log, process=among.number if among else None)
    tracing.set_up(config.tracing)
    departure = Departure(heeds_second=among is None)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(config, listener, ready, departure, among))


class _Server(uvicorn.Server):
    """Uvicorn's, with signals that are left to us: it would stop listening at once, and end us too early.

    One among several leaves connections to those that have fewer.
    """

    def __init__(self, service: Service, among: Among | None) -> None:
        app = WatchRequests(TurnAway(create_app(service), service.drain), service.metrics)
        settings = uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=_HANGING_UP_S,
            limit_concurrency=service.config.server.max_connections,
        )  # fmt: skip
        super().__init__(settings)
        self._among, self._drain = among, service.drain
        self._acceptor: Acceptor | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, or wait at the shared socket."""
        if self._among is None:
            await super().startup(sockets)
            return
        await super().startup([])
        assert sockets, "the shared one"
        self._acceptor = Acceptor(sockets[0], self._among, self._protocol, lambda: len(self.server_state.connections))
        self._acceptor.start()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if self._acceptor:
            self._acceptor.leaving = self._drain.began
            self._acceptor.count()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing, then hang up."""
        if self._acceptor:
            self._acceptor.stop()
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        """As uvicorn makes it for sockets that it listens on itself."""
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


async def _serve(
    config: ServiceConfig, listener: socket.socket, ready: Callable[[], None], departure: Departure,
    among: Among | None,
) -> None:  # fmt: skip
    departure.heed_signals()
    if config.plugins.isolated:
        keep_others_out()
    _allow_many_connections()
    async with open_service(config) as service:
        server = _Server(service, among)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        polling = asyncio.create_task(service.poll.keep_refreshing(service))
        leaving = asyncio.create_task(departure.wanted())
        await asyncio.sleep(0)  # from here on a signal is heard
        _forget_garbage()
        ready()
        say(_log, logging.INFO, "serving", url=_url(listener), build=SERVICE_BUILD, rewarders=len(service.registry))
        await asyncio.wait([serving, leaving], return_when=asyncio.FIRST_COMPLETED)
        await _leave(service, server)
        late = _end_in(_CLOSING_S, 3, "not everything was closed in time")
        await serving
        leaving.cancel()
        polling.cancel()
    late.cancel()
    _end_in(_THREADS_S, 0, "threads were left behind")  # Python waits for each of them, however long it takes
    say(_log, logging.INFO, "stopped")


def _forget_garbage() -> None:
    """What there is now stays: looking through it for garbage would keep everybody waiting, some 20 ms each time."""
    gc.collect()
    gc.freeze()


def _end_in(seconds: float, code: int, why: str) -> threading.Timer:
    """End the process by then, if it has not ended."""

    def end() -> None:
        say(_log, logging.WARNING, why)
        os._exit(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer


async def _leave(service: Service, server: _Server) -> None:
    settings = service.config.server
    say(_log, logging.INFO, "stopping", drain_s=settings.drain_s, finish_s=settings.finish_s)
    if given_up := await service.drain.run(settings.drain_s, settings.finish_s):
        say(_log, logging.WARNING, "requests were not finished in time", requests=given_up)
    server.should_exit = True


def _allow_many_connections() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _listen(config: ServerConfig) -> socket.socket:
    try:
        listener = socket.create_server((config.host, config.port), family=_family(config.host), backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {config.host}:{config.port}: {error.strerror}",
            hint="choose another --port, or 0",
        ) from error
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # connections have it from their listener
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _MOST_UNREAD_MS)
    return listener


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # not built for this platform
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory

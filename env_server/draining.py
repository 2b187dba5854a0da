"""Leaving: the service that is told to stop says so, refuses what is new, and finishes what is under way."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

from starlette.responses import Response

from env_server.observing.requests import App, Message, Receive, Scope, Send
from env_server.problems import MEDIA_TYPE, problem_of
from rewarders.errors import Unavailable

STOPPING = "the service is being stopped"
_ALWAYS_ANSWERED = frozenset({"/healthz", "/readyz", "/metrics"})
_RETRY_AFTER_S = 1
_CLOSE = (b"connection", b"close")


class Departure:
    """What SIGTERM and SIGINT mean: the first asks to leave, the second leaves at once.

    Nothing that was answered is lost by the second either: it is no worse than `kill -9`. One of several processes
    heeds the first alone: it may come from its supervisor, because that has gone, and from whoever stops all of them,
    at the same time. Who is in a hurry tells the supervisor twice.
    """

    def __init__(self, *, heeds_second: bool = True) -> None:
        self._asked, self._heeds_second = 0, heeds_second
        self._begin: Callable[[], object] | None = None

    def heed_signals(self) -> None:
        """From now on. While the service is still being built, the first takes down what there is of it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    async def wanted(self) -> None:
        """Wait until the first signal. Called once, when the service can serve."""
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        self._begin = lambda: loop.call_soon_threadsafe(asked.set)
        await asked.wait()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._asked += 1
        if self._asked > 1:
            if self._heeds_second:
                os._exit(128 + number)
            return
        if self._begin is None:
            raise SystemExit(0)
        self._begin()


class Drain:
    """How far the service has got with leaving."""

    def __init__(self) -> None:
        self.began = False
        """`/readyz` says so, and every answer closes its connection."""
        self.refuses = False
        """New requests are answered 503."""
        self.gave_up = False
        """So are those that were not finished in time."""
        self._under_way = set[asyncio.Task[Any]]()
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self, drain_s: float, finish_s: float) -> int:
        """Say that we leave; after `drain_s` refuse; wait up to `finish_s` for what is under way, then cancel it.

        Returns how many requests were not finished by then.
        """
        self.began = True
        await asyncio.sleep(drain_s)
        self.refuses = True
        with suppress(TimeoutError):
            async with asyncio.timeout(finish_s):
                await self._idle.wait()
        self.gave_up = True
        for task in self._under_way:
            task.cancel()
        return len(self._under_way)

    @contextmanager
    def request(self) -> Iterator[None]:
        """For as long as the request of this task is under way. Raises NotFinished where that is too long."""
        task = asyncio.current_task()
        assert task is not None, "a request is answered in a task"
        self._under_way.add(task)
        self._idle.clear()
        try:
            yield
        except asyncio.CancelledError:
            if not self.gave_up:
                raise
            task.uncancel()
            raise NotFinished(STOPPING) from None
        finally:
            self._under_way.discard(task)
            if not self._under_way:
                self._idle.set()


class NotFinished(Unavailable):
    """The service left before the request was finished. Whoever asks again under the same key is answered once."""


@dataclass(frozen=True)
class TurnAway:
    """ASGI application around another: turns requests away once the service leaves. Health and metrics stay."""

    app: App
    drain: Drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        sending = _Sending(send, closing=self.drain.began)
        if scope["type"] != "http" or scope["path"] in _ALWAYS_ANSWERED:
            await self.app(scope, receive, sending)
        elif self.drain.refuses:
            await _refusal()(scope, receive, sending)
        else:
            try:
                with self.drain.request():
                    await self.app(scope, receive, sending)
            except NotFinished:
                if sending.began:
                    raise  # half an answer: uvicorn cuts the connection
                await _refusal()(scope, receive, _Sending(send, closing=True))


class _Sending:
    """Sends on; of a service that leaves, the connection is closed behind the answer: the next one goes elsewhere."""

    def __init__(self, send: Send, *, closing: bool) -> None:
        self._send, self._closing = send, closing
        self.began = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.began = True
            if self._closing:
                message["headers"] = [*message.get("headers", ()), _CLOSE]
        await self._send(message)


def _refusal() -> Response:
    problem = problem_of(Unavailable(STOPPING, hint="ask again in a moment: another process, or the next one, answers"))
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, problem.status, {"retry-after": str(_RETRY_AFTER_S)}, MEDIA_TYPE)

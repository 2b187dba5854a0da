"""What surrounds every request: an id, a span, a time, a line in the log.

An id that the client sends is taken where it is short and plain, and made anew otherwise; the answer carries it.
"""

import logging
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from env_server.observing.logs import REQUEST_ID, say
from env_server.observing.metrics import Metrics
from env_server.observing.tracing import request_span
from env_server.principal import ANYONE

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADER = b"x-request-id"
WENT_AWAY = 499
"""Stands for the status of an answer that never began, because the client had gone or the service failed."""
_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_HEADERS = frozenset({b"traceparent", b"tracestate", b"baggage"})
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WatchRequests:
    """ASGI application around another: outermost, so that whatever refuses a request is seen too."""

    app: App
    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        seen = _Seen(send, _request_id(scope))
        token = REQUEST_ID.set(seen.request_id)
        scope.setdefault("state", {})["request_id"] = seen.request_id
        try:
            with self.metrics.under_way.track_inprogress():
                await self._answer(scope, receive, seen)
        finally:
            REQUEST_ID.reset(token)

    async def _answer(self, scope: Scope, receive: Receive, seen: "_Seen") -> None:
        began_s = time.perf_counter()
        with request_span(scope["method"], _tracing_headers(scope)) as span:
            try:
                await self.app(scope, receive, seen)
            finally:
                route = getattr(scope.get("route"), "path", "")
                if span:
                    span.update_name(f"{scope['method']} {route}".rstrip())
                    span.set_attributes({"http.route": route, "http.response.status_code": seen.status})
                self._account(scope, route, seen.status, time.perf_counter() - began_s)

    def _account(self, scope: Scope, route: str, status: int, took_s: float) -> None:
        method, principal = scope["method"], scope["state"].get("principal", ANYONE)
        self.metrics.requested(method, route, status, took_s)
        level = _level(status)
        if _log.isEnabledFor(level):
            fields = {"method": method, "route": route or None, "key": principal.key_id, "status": status}
            say(_log, level, "request", **fields, took_s=round(took_s, 6))


class _Seen:
    """Sends on, and remembers the status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self.request_id, self.status = send, request_id, WENT_AWAY

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (HEADER, self.request_id.encode())]
        await self._send(message)


def _request_id(scope: Scope) -> str:
    given = [value for name, value in scope["headers"] if name == HEADER]
    plain = len(given) == 1 and _ID.fullmatch(given[0])
    return given[0].decode() if plain else uuid4().hex


def _tracing_headers(scope: Scope) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in _HEADERS}


def _level(status: int) -> int:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return logging.WARNING
    return logging.INFO if status >= HTTPStatus.BAD_REQUEST else logging.DEBUG

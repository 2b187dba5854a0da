"""What every request passes before its route: the token, the length of its body, and how much is under way already."""

import hmac
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandboxes.service.problems import Refusal, answer, refusal_of
from sandboxes.service.settings import ServiceSettings
from sandboxes.wire import Busy

_OPEN_TO_ALL = frozenset({"/healthz"})


class Door:
    """ASGI middleware. Bodies are counted as they arrive, whatever length they said they had."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self._app, self._settings = app, settings
        self._requests, self._bytes = 0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
        except Refusal as refusal:
            await answer(refusal)(scope, receive, send)
            return
        await self._through(scope, receive, send)

    async def _through(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = 0

        async def counted() -> Message:
            nonlocal arrived
            message = await receive()
            if message["type"] == "http.request":
                length = len(message.get("body", b""))
                arrived += length
                self._bytes += length
                self._check_length(arrived)
            return message

        self._requests += 1
        try:
            await self._app(scope, counted, send)
        finally:
            self._requests -= 1
            self._bytes -= arrived

    def _check(self, scope: Scope) -> None:
        headers = dict(scope["headers"])
        expected = b"Bearer " + self._settings.token.encode()
        shown = headers.get(b"authorization", b"")
        if self._settings.token and scope["path"] not in _OPEN_TO_ALL and not hmac.compare_digest(shown, expected):
            raise Refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", "the request does not carry this server's token")
        if self._requests >= self._settings.most_requests:
            raise refusal_of(Busy("too many requests are under way; come back later"))
        said = headers.get(b"content-length", b"0")
        if said.isdigit():
            self._check_length(int(said))

    def _check_length(self, length: int) -> None:
        if length > self._settings.most_body_bytes:
            detail = f"the body is longer than {self._settings.most_body_bytes} bytes"
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", detail)
        if self._bytes > self._settings.most_waiting_bytes:
            raise refusal_of(Busy("the requests under way hold too many bytes together; come back later"))

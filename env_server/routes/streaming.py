"""`POST /v1/score` for a client that accepts `application/x-ndjson`: groups are answered as they are done."""

import asyncio
from collections.abc import AsyncGenerator, Callable, MutableMapping, Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing, suppress
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from env_server.idempotency import key_of
from env_server.principal import principal_of
from env_server.schemas import ReadItem
from env_server.service import service_of
from env_server.streaming import MEDIA_TYPE, Batch, Score, groups_of, lines

LINES_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Every item's answer; in lines, one for each group, where `Accept` asks for them",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}
STALLED_S = 60.0
"""A client that takes nothing for so long is given up."""


def wants_lines(request: Request) -> bool:
    """Whether the client asks for an answer in lines."""
    accepted = ",".join(request.headers.getlist("accept")).split(",")
    return MEDIA_TYPE in (one.partition(";")[0].strip().lower() for one in accepted)


async def answer_in_lines(
    request: Request, items: Sequence[ReadItem], score: Score, digest: Callable[[], str], held: ExitStack
) -> Response:
    """Score the items by groups, and begin to answer as soon as there is something to say.

    `digest` gives that of the request's body. What is `held` is held as long as the answer lasts.

    Raises:
        AssayError: nothing was said yet, and the first thing to be said would be this.
    """
    pieces = _pieces(request, items, score, digest, held)
    return _Lines(await anext(pieces), pieces)


async def _pieces(
    request: Request, items: Sequence[ReadItem], score: Score, digest: Callable[[], str], held: ExitStack
) -> AsyncGenerator[bytes]:
    groups, key, kept = groups_of(items), key_of(request), None
    async with AsyncExitStack() as open_:
        open_.enter_context(held.pop_all())
        if key is not None:
            replays, tenant = service_of(request).replays, principal_of(request).tenant
            kept = await open_.enter_async_context(replays.in_parts(key, digest(), len(groups), tenant=tenant))
        async for piece in await open_.enter_async_context(aclosing(lines(Batch(items, groups, score, kept)))):
            yield piece


class _Lines(StreamingResponse):
    """Ends the work with the answer, however that ends."""

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes]) -> None:
        super().__init__(_after(first, rest), media_type=MEDIA_TYPE, headers={"x-accel-buffering": "no"})
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._rest.aclose()

    async def stream_response(self, send: Send) -> None:
        """Send the pieces, each within bounded time. An answer that is not finished is a connection that is closed."""

        async def send_in_time(message: MutableMapping[str, Any]) -> None:
            async with asyncio.timeout(STALLED_S):
                await send(message)

        with suppress(TimeoutError):
            await super().stream_response(send_in_time)


async def _after(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for piece in rest:
        yield piece

"""Reading a request body under limits, before anything is parsed."""

import asyncio
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from env_server import strict_json
from env_server.serving_settings import ServerConfig
from rewarders.errors import InvalidBody, RequestTimeout, TooLarge, UnsupportedMedia

_PARSE_ASIDE_BYTES = 256 * 1024
"""A longer body is parsed in a thread, so that the event loop goes on serving others."""


async def parse_body(body: bytes, limits: ServerConfig) -> Any:
    """The body as JSON. Raises as `strict_json.parse`."""
    if len(body) > _PARSE_ASIDE_BYTES:
        return await asyncio.to_thread(strict_json.parse, body, max_values=limits.max_json_values)
    return strict_json.parse(body, max_values=limits.max_json_values)


async def read_body(request: Request, limits: ServerConfig) -> bytes:
    """The body, unparsed.

    Raises:
        UnsupportedMedia: it is not plain `application/json` in UTF-8.
        TooLarge: it is longer than `max_body_bytes`, whether or not it said so.
        RequestTimeout: it did not arrive within `body_timeout_s`.
    """
    _check_headers(request)
    _check_length(request, limits.max_body_bytes)
    chunks, size = [], 0
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limits.max_body_bytes:
                    raise TooLarge(f"the body is longer than {limits.max_body_bytes} bytes")
                chunks.append(chunk)
    except ClientDisconnect:
        raise InvalidBody("the client went away in the middle of its body") from None
    except TimeoutError:
        raise RequestTimeout(f"the body did not arrive within {limits.body_timeout_s:g} s") from None
    return b"".join(chunks)


def _check_headers(request: Request) -> None:
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if media.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise UnsupportedMedia("the body has to be application/json in UTF-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("a compressed body is not accepted")


def _check_length(request: Request, limit: int) -> None:
    length = request.headers.get("content-length")
    if length is None:
        return
    if not length.isdecimal():
        raise InvalidBody("Content-Length is not a number")
    if int(length) > limit:
        raise TooLarge(f"the body is longer than {limit} bytes")

"""Reading a request body under limits, and what to make of it, where that keeps nobody else waiting."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from env_server.body_process import Reading
from env_server.principal import principal_of
from env_server.service import service_of
from env_server.serving_settings import ServerConfig
from env_server.spool import Spool
from rewarders.digests import digest_bytes
from rewarders.errors import InvalidBody, Overloaded, RequestTimeout, TooLarge, UnsupportedMedia

T = TypeVar("T")


class _Refusing(NamedTuple):
    """What it costs the process that serves, at the most, to refuse something."""

    each_s: float
    """To say what is wrong, of a request or of one item in it."""
    byte_s: float
    """To take in a byte of the body, and to parse and check it."""


_HERE, _ASIDE = _Refusing(200e-6, 50e-9), _Refusing(20e-6, 1e-9)
"""Where that process reads the body too, and where another does."""
_IN_A_THREAD_BYTES = 256 * 1024
"""A longer body is parsed in a thread, so that the event loop goes on serving others."""
_BETWEEN_PIECES_S = 0.001
"""Of a large body, for others: a piece has some hundred kilobytes."""
_TRIVIAL_BYTES = 256
"""A shorter one costs less to read here than to hand over."""


async def read_as(
    request: Request, check: Callable[[Any], T], *, aside: Callable[[Any], T] | None = None
) -> tuple[T, Callable[[], str]]:
    """What the check makes of the body's JSON, and what gives the body's digest: it is wanted where there is a key.

    Args:
        check: a function that can be pickled, such as a `partial` of a module's. Raises RequestError.
        aside: what to do in its place where another process reads the body, which may take long over it.

    Raises:
        RequestError: as `read_body`, `strict_json.parse` and the check.
        Overloaded, Unavailable: the other process has too much to do, or ended.
    """
    service, sender = service_of(request), principal_of(request)
    reading, limits = Reading(check, service.config.server.max_json_values), service.config.server
    body = await read_body(request, limits)
    is_doubted = body.size > _TRIVIAL_BYTES and service.patience.is_gone(sender)
    is_aside = body.is_large or is_doubted
    request.state.refusing = _ASIDE if is_aside else _HERE
    request.state.body_bytes = body.size
    if is_aside:
        reader = service.doubted_bodies if is_doubted else service.large_bodies
        value, digest = await reader.read(body, replace(reading, check=aside or check), sender.account)
        return value, lambda: digest
    content = body.content()
    if body.size > _IN_A_THREAD_BYTES:
        return await asyncio.to_thread(reading.read, content), partial(digest_bytes, content)
    return reading.read(content), partial(digest_bytes, content)


def lose_patience(request: Request, refusals: int) -> None:
    """So much of a request is refused, whose body was read."""
    cost: _Refusing | None = getattr(request.state, "refusing", None)
    if cost is not None and refusals:
        seconds = refusals * cost.each_s + request.state.body_bytes * cost.byte_s
        service_of(request).patience.spend(principal_of(request), seconds)


async def read_body(request: Request, limits: ServerConfig) -> Spool:
    """The body, unparsed; to be closed.

    Raises:
        UnsupportedMedia: it is not plain `application/json` in UTF-8.
        TooLarge: it is longer than `max_body_bytes`, whether or not it said so.
        RequestTimeout: it did not arrive within `body_timeout_s`.
        Overloaded: there is no place to put it.
    """
    _check_headers(request)
    _check_length(request, limits.max_body_bytes)
    with ExitStack() as unless_complete:
        body = unless_complete.enter_context(closing(Spool()))
        try:
            async with asyncio.timeout(limits.body_timeout_s):
                async for piece in request.stream():
                    body.add(piece)
                    if body.size > limits.max_body_bytes:
                        raise TooLarge(f"the body is longer than {limits.max_body_bytes} bytes")
                    if body.is_large:
                        await asyncio.sleep(_BETWEEN_PIECES_S)
        except ClientDisconnect:
            raise InvalidBody("the client went away in the middle of its body") from None
        except TimeoutError:
            raise RequestTimeout(f"the body did not arrive within {limits.body_timeout_s:g} s") from None
        except OSError as error:  # no descriptor is left, or no memory
            raise Overloaded("there is no place for a large body just now") from error
        unless_complete.pop_all()
    return body


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

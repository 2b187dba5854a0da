"""HTTP servers as a client sees them: every way in which one can fail is a `SandboxFault`."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from sandboxes.errors import SandboxLost, SandboxMisconfigured, SandboxUnavailable
from sandboxes.types import MIB
from sandboxes.wire import Busy

T = TypeVar("T")
_CONNECT_S = 5.0
_REST_S = 20.0
_PAUSE_S = 0.5
_KEPT_S = 2.0
"""An idle connection is not used again later: the server may be closing it just then, and nobody would know."""
_SMALL_ANSWER_BYTES = MIB


class TooLong(SandboxLost):
    """The answer has more bytes than it should."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    content: bytes


class Host:
    """A server and a bounded number of connections to it."""

    def __init__(self, url: str, *, token: str = "", most_at_once: int = 64) -> None:
        """Nothing is sent yet.

        Args:
            url: where it listens.
            token: shown as a bearer token, if there is one.
            most_at_once: requests under way at once; the others wait, and their time does not run.

        Raises:
            SandboxMisconfigured: `url` is no address of a server.
        """
        self.url = url.rstrip("/")
        self._places = asyncio.Semaphore(most_at_once)
        self._rests_until = 0.0
        headers = {"Accept-Encoding": "identity", **({"Authorization": f"Bearer {token}"} if token else {})}
        bounds = httpx.Limits(
            max_connections=most_at_once, max_keepalive_connections=most_at_once, keepalive_expiry=_KEPT_S
        )
        timeout = httpx.Timeout(None, connect=_CONNECT_S)
        self._http = httpx.AsyncClient(base_url=_checked(url), headers=headers, limits=bounds, timeout=timeout)

    @property
    def rests(self) -> bool:
        """Whether it failed a moment ago, so that another one is to be preferred."""
        return asyncio.get_running_loop().time() < self._rests_until

    def rest(self) -> None:
        """Prefer others for a while."""
        self._rests_until = asyncio.get_running_loop().time() + _REST_S

    async def ask(
        self, method: str, path: str, body: bytes | None = None, *, within_s: float,
        most_bytes: int = _SMALL_ANSWER_BYTES,
    ) -> Answer:  # fmt: skip
        """Send a request and read the answer, whatever its status.

        Args:
            method: of HTTP.
            path: below the URL.
            body: JSON.
            within_s: counts from when the request is sent.
            most_bytes: a longer answer is given up.

        Raises:
            SandboxUnavailable: it cannot be connected to, so nothing was run.
            SandboxLost: it did not answer, not in time, or too much.
        """
        try:
            async with self._places, asyncio.timeout(within_s):
                return await self._send(method, path, body, most_bytes)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self.rest()
            raise SandboxUnavailable(f"{self.url} cannot be connected to: {_words(error)}") from error
        except TimeoutError:
            self.rest()
            raise SandboxLost(f"{self.url} did not answer within {within_s:g} s") from None
        except httpx.HTTPError as error:
            self.rest()
            raise SandboxLost(f"{self.url} broke off: {_words(error)}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def unreadable(self, what: str) -> SandboxLost:
        """The fault of an answer that cannot be trusted."""
        self.rest()
        return SandboxLost(f"{self.url} answered what cannot be relied on: {what}; is it the server it should be?")

    async def _send(self, method: str, path: str, body: bytes | None, most_bytes: int) -> Answer:
        sending: dict[str, Any] = {"content": body, "headers": {"Content-Type": "application/json"}} if body else {}
        content = bytearray()
        async with self._http.stream(method, path, **sending) as response:
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > most_bytes:
                    raise TooLong(f"{self.url} answered with more than {most_bytes} bytes")
        return Answer(response.status_code, bytes(content))


def in_turn(hosts: Sequence[Host], number: int) -> list[Host]:
    """The hosts from a different one on for each number; those that failed lately come last."""
    start = number % max(1, len(hosts))
    return sorted([*hosts[start:], *hosts[:start]], key=lambda host: host.rests)


async def first_willing(
    hosts: Callable[[], Awaitable[Sequence[Host]]], ask: Callable[[Host], Awaitable[T]], patience_s: float
) -> T:
    """What the first host answers that can be reached and has time.

    Raises:
        SandboxUnavailable: there is none, after coming back to busy ones for `patience_s`.
        SandboxFault: as `ask` does.
    """

    async def one_round() -> T:
        refused: SandboxUnavailable | None = None
        for host in await hosts():
            try:
                return await ask(host)
            except SandboxUnavailable as fault:
                refused = fault if refused is None or isinstance(fault, Busy) else refused
        raise refused or SandboxUnavailable("no sandbox server can be reached")

    return await until_not_busy(one_round, patience_s)


async def until_not_busy(ask: Callable[[], Awaitable[T]], patience_s: float) -> T:
    """Come back to servers that have too much to do: that is queueing, not failing. Raises as `ask` does."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + patience_s
    while True:
        try:
            return await ask()
        except Busy:
            if loop.time() > give_up:
                raise
        await asyncio.sleep(_PAUSE_S * random.uniform(0.5, 1.5))


def _checked(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise SandboxMisconfigured(f"{url!r} is no address of a sandbox server: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise SandboxMisconfigured(f"{url!r} is no address of a sandbox server; one looks like http://10.0.0.7:8090")
    return parsed


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__

"""One HTTP endpoint: sent JSON, paced, retried, left alone when it is down. Knows nothing of judges.

What a text can cause is told apart from what it cannot: a request that is refused (400, 413, 451 ...), that takes too
long, breaks off or is too much (429, 503) does not count towards the breaker: a text must not be able to have
everybody's judge turned off. Who asked finds out with a greeting and with another text whose doing it was.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from env_server.config import EndpointConfig
from env_server.judges.pacing import Breaker, Pacer
from rewarders.errors import ConfigError, FaultError

MAX_REPLY_BYTES = 8 * 1024 * 1024
_REFUSALS = {400, 403, 406, 413, 422, 431, 451, 500}
"""403, 406 and 451 too: what stands in front of an endpoint may dislike the words of one request."""
_TROUBLE = {409, 425, 429, 503, 529}
_UNANSWERED = {408, 502, 504, 520, 521, 522, 523, 524, 530}
"""What a gateway says of an endpoint that it lost: slow, or gone."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class Refused(Exception):
    """The endpoint will not take this request, and says so."""


class Unanswered(Exception):
    """The request arrived, and nothing came of it: the text's doing, or the endpoint's. `greet` knows more."""


class Toll(Protocol):
    """What the tries of a request cost: taken before each is sent."""

    def take(self) -> None:
        """One more is about to be sent. Raises FaultError: it could be one too many."""
        ...

    def give_back(self) -> None:
        """It cost nothing after all."""
        ...


class Free:
    """The toll of what costs nothing."""

    def take(self) -> None:
        """Nothing is taken."""

    def give_back(self) -> None:
        """Nothing was."""


FREE = Free()


class Endpoint:
    """Sends requests, on the event loop it is first used on."""

    def __init__(
        self,
        name: str,
        config: EndpointConfig,
        fault: type[FaultError],
        *,
        pause: Callable[[float], Any] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is sent yet. Raises ConfigError when the key cannot be read."""
        self.name, self.config, self._fault, self._pause = name, config, fault, pause
        self._clock = clock
        self._headers = {"content-type": "application/json", **_authorization(name, config)}
        self._http: httpx.AsyncClient | None = None
        self._pacer = Pacer(config.at_once)
        self._breaker = Breaker(config.breaker_failures, config.breaker_pause_s, clock)

    @property
    def is_left_alone(self) -> bool:
        """Whether nothing is sent just now, after too many failures."""
        return self._breaker.wait_s > 0

    @property
    def under_way(self) -> int:
        """Requests that are being answered."""
        return self._pacer.busy

    @property
    def most_under_way(self) -> int:
        """How many may be just now."""
        return int(self._pacer.limit)

    async def post(self, url: str, body: dict[str, Any], toll: Toll = FREE) -> dict[str, Any]:
        """Send a request until something comes of it.

        Raises:
            Refused: the endpoint will not take it.
            Unanswered: it was too slow or broke off, which is not tried again here; or too much even at the last try.
            FaultError: of the class given: it cannot be reached, even at the last try.

        Returns the answer, empty where it is no JSON object.
        """
        return await self._send(url, body, toll, harmless=False)

    async def greet(self, url: str, body: dict[str, Any], toll: Toll = FREE) -> dict[str, Any]:
        """Send what no text has a part in, to learn if anybody answers. To be slow or to break off is trouble here.

        It is sent even where all else is left alone: else a text that is slow, first behind a pause, would prolong it.

        Returns the answer, empty where even this was refused. Raises FaultError, of the class given.
        """
        try:
            return await self._send(url, body, toll, harmless=True)
        except Refused:
            return {}

    async def close(self) -> None:
        """Close the connections."""
        if self._http:
            await self._http.aclose()

    async def _send(self, url: str, body: dict[str, Any], toll: Toll, *, harmless: bool) -> dict[str, Any]:
        begun_s, attempt = self._clock(), 1
        while isinstance(answer := await self._try_in_turn(url, body, toll, harmless), _Trouble):
            pause_s = _pause_s(attempt, answer.retry_after_s)
            ends_s = self._clock() - begun_s + pause_s + self.config.timeout_s
            may_be_the_text = answer.reached and not harmless
            last = attempt == self.config.tries or ends_s > self.config.deadline_s
            if may_be_the_text and (last or self.is_left_alone):
                raise Unanswered(f"{answer.problem}, {attempt} times")
            if last:
                raise self._fault(f"{self.name} at {url} {answer.problem}, {attempt} times", retryable=True)
            await self._pause(pause_s)
            attempt += 1
        return answer

    async def _try_in_turn(
        self, url: str, body: dict[str, Any], toll: Toll, harmless: bool
    ) -> "dict[str, Any] | _Trouble":
        async with self._pacer.place():
            if not harmless and (wait_s := self._breaker.wait_s):
                message = f"{self.name} has failed too often in a row and is left alone for another {wait_s:.0f} s"
                raise self._fault(message, retryable=True)
            self._breaker.probing()
            toll.take()
            try:
                answer = await self._try(url, body, toll)
            except Unanswered as problem:
                if not harmless:
                    self._pacer.struggled()  # less is sent from now on, whoever is to blame
                    raise
                answer = _Trouble(str(problem))
            if isinstance(answer, _Trouble):
                self._pacer.struggled()
                if harmless or not answer.reached:
                    self._breaker.failed()
            return answer

    async def _try(self, url: str, body: dict[str, Any], toll: Toll) -> "dict[str, Any] | _Trouble":
        """One try. Whatever may have been worked on is paid for: nobody will ever say that it was not."""
        try:
            async with asyncio.timeout(self.config.timeout_s):
                status, headers, content = await self._exchange(url, body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            toll.give_back()
            return _Trouble(f"could not be reached ({type(error).__name__})", reached=False)
        except (TimeoutError, httpx.TimeoutException):
            raise Unanswered(f"did not answer within {self.config.timeout_s:g} s") from None
        except httpx.HTTPError as error:
            raise Unanswered(f"broke off ({type(error).__name__})") from None
        if status in _UNANSWERED:
            raise Unanswered(f"answered {status}")
        if status in _TROUBLE:
            toll.give_back()
            retry_after = headers.get("retry-after", "")
            return _Trouble(f"answered {status}", float(retry_after) if retry_after.isdecimal() else 0.0)
        self._breaker.succeeded()
        self._pacer.succeeded()
        if status in _REFUSALS:
            raise Refused(f"{status}: {content[:200].decode(errors='replace')}")
        if status != httpx.codes.OK:
            toll.give_back()
            raise self._fault(f"{self.name} at {url} answered {status}; look at its url, model and key")
        return _document(content)

    async def _exchange(self, url: str, body: dict[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        if self._http is None:
            limits = httpx.Limits(max_connections=self.config.at_once)
            self._http = httpx.AsyncClient(timeout=self.config.timeout_s, limits=limits, headers=self._headers)
        content = bytearray()
        async with self._http.stream("POST", url, content=json.dumps(body).encode()) as response:
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MAX_REPLY_BYTES:
                    raise Unanswered(f"answered more than {MAX_REPLY_BYTES} bytes")
            return response.status_code, response.headers, bytes(content)


@dataclass(frozen=True)
class _Trouble:
    """A try that came to nothing, and may be repeated."""

    problem: str
    retry_after_s: float = 0.0
    reached: bool = True
    """Whether the request arrived, so that its text may be the cause."""


def _document(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def _pause_s(attempt: int, retry_after_s: float) -> float:
    """Doubling, as long as the endpoint asks for, and scattered so that many do not come back at once."""
    backoff_s = _FIRST_PAUSE_S * 2.0 ** (attempt - 1)
    return min(max(backoff_s, retry_after_s), _LONGEST_PAUSE_S) * random.uniform(1.0, 1.25)


def _authorization(name: str, config: EndpointConfig) -> dict[str, str]:
    if config.key_file is None:
        return {}
    try:
        return {"authorization": f"Bearer {config.key_file.read_text('utf-8').strip()}"}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"key_file of {name} is {str(config.key_file)!r}, which cannot be read: {error}") from error

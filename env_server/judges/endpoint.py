"""One HTTP endpoint: sent JSON, paced, retried, left alone when it is down. Knows nothing of judges.

What a text can cause is told apart from what it cannot: a refusal of this request (400, 413, 422), or an endpoint that
breaks on it (500), is an answer, and counts neither as trouble nor towards the breaker: a text must not be able to
have everybody's judge turned off. Who asked finds out with another text whose doing it was.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable
from typing import Any

import httpx

from env_server.config import EndpointConfig
from env_server.judges.pacing import Breaker, Pacer
from rewarders.errors import ConfigError, FaultError

MAX_REPLY_BYTES = 8 * 1024 * 1024
_REFUSALS = {400, 413, 422, 500}
_TROUBLE = {408, 409, 425, 429, 502, 503, 504, 529}
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class Refused(Exception):
    """The endpoint will not take this request, and says so."""


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
        self._headers = {"content-type": "application/json", **_authorization(name, config)}
        self._http: httpx.AsyncClient | None = None
        self._pacer = Pacer(config.at_once)
        self._breaker = Breaker(config.breaker_failures, config.breaker_pause_s, clock)

    async def post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a request until it is answered.

        Raises:
            Refused: the endpoint will not take it.
            FaultError: of the class given: it does not answer, not even after every try; or what answers is no such
                endpoint.
        """
        attempt = 1
        while isinstance(answer := await self._try_in_turn(url, body), _Trouble):
            if attempt == self.config.tries:
                raise self._fault(f"{self.name} at {url} {answer.problem}, {attempt} times", retryable=True)
            await self._pause(_pause_s(attempt, answer.retry_after_s))
            attempt += 1
        return answer

    async def close(self) -> None:
        """Close the connections."""
        if self._http:
            await self._http.aclose()

    async def _try_in_turn(self, url: str, body: dict[str, Any]) -> "dict[str, Any] | _Trouble":
        async with self._pacer.place():
            if wait_s := self._breaker.wait_s:
                message = f"{self.name} has failed too often in a row and is left alone for another {wait_s:.0f} s"
                raise self._fault(message, retryable=True)
            self._breaker.probing()
            return await self._try(url, body)

    async def _try(self, url: str, body: dict[str, Any]) -> "dict[str, Any] | _Trouble":
        try:
            async with asyncio.timeout(self.config.timeout_s):
                status, headers, content = await self._exchange(url, body)
        except TimeoutError:
            return self._troubled(f"did not answer within {self.config.timeout_s:g} s")
        except httpx.HTTPError as error:
            return self._troubled(f"could not be reached ({type(error).__name__})")
        if status in _TROUBLE:
            return self._troubled(f"answered {status}", headers.get("retry-after", ""))
        self._breaker.succeeded()
        self._pacer.succeeded()
        if status in _REFUSALS:
            raise Refused(f"{status}: {content[:200].decode(errors='replace')}")
        if status != httpx.codes.OK:
            raise self._fault(f"{self.name} at {url} answered {status}; look at its url, model and key")
        return self._document(url, content)

    async def _exchange(self, url: str, body: dict[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        if self._http is None:
            limits = httpx.Limits(max_connections=self.config.at_once)
            self._http = httpx.AsyncClient(timeout=self.config.timeout_s, limits=limits, headers=self._headers)
        content = bytearray()
        async with self._http.stream("POST", url, content=json.dumps(body).encode()) as response:
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MAX_REPLY_BYTES:
                    raise self._fault(f"{self.name} at {url} answered more than {MAX_REPLY_BYTES} bytes")
            return response.status_code, response.headers, bytes(content)

    def _document(self, url: str, content: bytes) -> dict[str, Any]:
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise self._fault(f"{self.name} at {url} answered something that is no JSON object")
        return value

    def _troubled(self, problem: str, retry_after: str = "") -> "_Trouble":
        self._pacer.struggled()
        self._breaker.failed()
        return _Trouble(problem, float(retry_after) if retry_after.isdecimal() else 0.0)


class _Trouble:
    """A try that came to nothing and may be repeated."""

    def __init__(self, problem: str, retry_after_s: float) -> None:
        self.problem, self.retry_after_s = problem, retry_after_s


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

"""RewardClient: asks a reward service, and retries only what is safe to ask again.

Every request carries an idempotency key, so that a request whose answer was lost can be sent again and is answered
from what the service recorded, never scored twice. Imports no server code.
"""

import asyncio
import random
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Generator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx
from pydantic import ValidationError

from env_server.client_key import key_for_client
from env_server.record_filter import MOST_A_PAGE, MOST_WHOLE, RecordFilter
from env_server.schemas import Item, Problem, Run, ScoredPart, ScoreRequest, ScoreResponse
from env_server.stream_reading import StreamReading
from rewarders.errors import AssayError, ConfigError

T = TypeVar("T")
Priority = Literal["interactive", "normal", "background"]
EVERY_REWARD = RecordFilter()
_RETRIED_STATUSES = {409, 429, 502, 503, 504}
RETRIES = 18
"""With the pauses between them they last a minute at least: for longer than the service takes to start again."""
_LEAST_SILENCE_S = 30.0
"""Of a stream before it is given up: it says every ten seconds that it lives, and who hangs up has it begin again."""
_LONGEST_PAUSE_S = 10.0
_LONGEST_WISH_S = 60.0
"""A service that wants to be left alone for longer is asked after so long all the same."""


class ServiceUnreachable(AssayError):
    """The service did not answer, after every retry. Nothing is known about the rewards."""


class RequestRefused(AssayError):
    """The service answered that the request is wrong; `problem` says where."""

    def __init__(self, message: str, problem: Problem | None, status: int) -> None:
        super().__init__(message, hint=(problem.hint or "") if problem else "")
        self.problem = problem
        self.status = status


class AsyncRewardClient:
    """The asynchronous core."""

    def __init__(
        self, base_url: str, *, key: str | None = None, timeout_s: float = 120.0, retries: int = RETRIES
    ) -> None:
        """Connect lazily to a service.

        Args:
            base_url: its address.
            key: where it asks for one; what `ASSAY_KEY` holds, or the file that `ASSAY_KEY_FILE` names, if not given.
            timeout_s: for one try; a stream may be silent for 30 seconds at least.
            retries: tries after the first one of a request that fails. If there are any, a request that is still being
                answered, though we were cut off from it or lost patience, is asked for again for as long as it takes.

        Raises:
            ConfigError: the address is none or has a password in it, or the key cannot be read or used.
        """
        key = key_for_client(key)
        if "@" in base_url:  # what is before it would be in every message that names the address
            raise ConfigError("the service's address has a user in it", hint="give the key as key=, or in ASSAY_KEY")
        limits = httpx.Limits(max_connections=32)
        headers = {"authorization": f"Bearer {key}"} if key else {}
        try:
            self._http = httpx.AsyncClient(base_url=base_url, timeout=timeout_s, limits=limits, headers=headers)
        except httpx.InvalidURL as error:
            raise ConfigError(f"{base_url!r} is no address of a reward service: {error}") from error
        self._retries = retries
        self._streaming = httpx.Timeout(timeout_s, read=max(timeout_s, _LEAST_SILENCE_S))

    async def score(
        self,
        items: Sequence[Item],
        run: Run | None = None,
        idempotency_key: str | None = None,
        *,
        explain: bool = False,
        priority: Priority = "normal",
        deadline_s: float | None = None,
    ) -> ScoreResponse:
        """Score a batch; the answer holds one entry an item, in order.

        Args:
            items: as many as the service takes in one request (1,024 unless it was configured otherwise).
            run: the training run and step the batch belongs to.
            idempotency_key: name of this request; a random one if not given. Sending the same items under the same
                key again, even after a crash, gives the recorded answer.
            explain: whether each entry says in a sentence where its reward came from.
            priority: who goes first where jobs have to wait: what somebody looks at, a training step, or the rest.
            deadline_s: after so long, from when the service has the request, what is not scored is left unscored.

        Raises:
            ServiceUnreachable: no answer after every retry.
            RequestRefused: the service will not take the request as it is.
        """
        request = ScoreRequest.model_construct(items=list(items), run=run, explain=explain)
        body = request.model_dump_json(exclude_none=True)
        headers = _headers(idempotency_key, priority, deadline_s)
        response = await self._persist("POST", "/v1/score", content=body.encode(), headers=headers)
        try:
            return ScoreResponse.model_validate_json(response.content)
        except ValidationError as error:
            raise self._stranger() from error

    async def stream(
        self,
        items: Sequence[Item],
        run: Run | None = None,
        idempotency_key: str | None = None,
        *,
        explain: bool = False,
        priority: Priority = "normal",
        deadline_s: float | None = None,
    ) -> AsyncGenerator[ScoredPart]:
        """Score a batch, and hand on each group of it as soon as it is done, in whatever order that is.

        Items of one `group` come together, those without a group one by one; each is recorded by then, and comes
        once, however often the connection breaks. Close the iterator to stop early: what is not scored is dropped.

        Args:
            items: as for `score`.
            run: as for `score`.
            idempotency_key: as for `score`; what was recorded under it is answered again, and the rest is scored.
            explain: as for `score`.
            priority: as for `score`.
            deadline_s: as for `score`.

        Raises:
            ServiceUnreachable: groups are missing after every retry; retries count anew once one of them came.
            RequestRefused: the service will not take the request, or a group, as it is.
        """
        request = ScoreRequest.model_construct(items=list(items), run=run, explain=explain)
        headers = {"accept": "application/x-ndjson", **_headers(idempotency_key, priority, deadline_s)}
        sent = {"content": request.model_dump_json(exclude_none=True).encode(), "headers": headers}
        reading, attempt = StreamReading(len(items)), 0
        while True:
            missing, refused = reading.missing, _Refused()
            async with aclosing(self._connected(reading, refused, **sent)) as parts:
                async for part in parts:
                    yield part
            if not reading.missing:
                return
            if not (refused.under_way and self._retries):
                attempt = attempt + 1 if reading.missing == missing else 0
            if attempt > self._retries:
                raise self._unreachable("POST", "/v1/score", refused.why)
            await asyncio.sleep(max(refused.retry_after_s, _pause_s(attempt)))

    async def rubrics(self) -> list[dict[str, Any]]:
        """Every rubric a task may name, with its parts. Raises as `score` does."""
        found: list[dict[str, Any]] = (await self._persist("GET", "/v1/rubrics")).json()["rubrics"]
        return found

    async def record(self, record_id: str) -> dict[str, Any]:
        """One record of the ledger. Raises as `score` does."""
        response = await self._persist("GET", f"/v1/records/{record_id}")
        found: dict[str, Any] = response.json()
        return found

    async def records(
        self, wanted: RecordFilter = EVERY_REWARD, *, newest_first: bool = True, expand: bool = False
    ) -> AsyncIterator[dict[str, Any]]:
        """Records of the ledger that match, page by page as they are taken. Raises as `score` does.

        Args:
            wanted: which; every reward if not given.
            newest_first: those that are recorded meanwhile are left out then.
            expand: whole records instead of small rows.
        """
        asked = wanted.model_dump(mode="json", exclude_none=True) | {"expand": str(expand).lower()}
        asked |= {"order": "newest" if newest_first else "oldest", "limit": MOST_WHOLE if expand else MOST_A_PAGE}
        while True:
            page = (await self._persist("GET", "/v1/records", params=asked)).json()
            for record in page["records"]:
                yield record
            if page["next"] is None:
                return
            asked["cursor"] = page["next"]

    async def ready(self) -> bool:
        """Whether the service says that it can score. Does not retry."""
        try:
            return (await self._http.get("/readyz")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _persist(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send a request that may be sent twice until it is answered. Raises as `score` does."""
        last, failed = "no attempt was made", 0
        while True:
            pause_s, under_way = _pause_s(failed), False
            try:
                response = await self._http.request(method, path, **request)
            except httpx.UnsupportedProtocol as error:
                raise ConfigError(f"{self._http.base_url} is no address of a reward service: {error}") from error
            except httpx.TransportError as error:
                last = f"{type(error).__name__} {error}".strip()
            else:
                if response.status_code not in _RETRIED_STATUSES:
                    return _accepted(response)
                last = f"status {response.status_code}"
                pause_s = max(pause_s, _retry_after_s(response))
                under_way = response.status_code == httpx.codes.CONFLICT
            failed += not (under_way and self._retries)
            if failed > self._retries:
                raise self._unreachable(method, path, last)
            await asyncio.sleep(pause_s)

    async def _connected(
        self, reading: StreamReading, refused: "_Refused", **request: Any
    ) -> AsyncGenerator[ScoredPart]:
        """What comes over one connection, until it ends or breaks; says in `refused` why it may be tried again."""
        reading.reconnect()
        try:
            async with self._http.stream("POST", "/v1/score", timeout=self._streaming, **request) as response:
                if response.status_code in _RETRIED_STATUSES:
                    refused.why, refused.retry_after_s = f"status {response.status_code}", _retry_after_s(response)
                    refused.under_way = response.status_code == httpx.codes.CONFLICT
                    return
                if not response.is_success:
                    await response.aread()
                _accepted(response)
                async for data in response.aiter_bytes():
                    for part in self._read(reading, data):
                        yield part
        except httpx.UnsupportedProtocol as error:
            raise ConfigError(f"{self._http.base_url} is no address of a reward service: {error}") from error
        except httpx.TransportError as error:
            refused.why = f"{type(error).__name__} {error}".strip()
        if problem := reading.failed:
            refused.why = problem.detail
            if problem.status not in _RETRIED_STATUSES:
                raise RequestRefused(f"the reward service refused a group: {problem.detail}", problem, problem.status)

    def _read(self, reading: StreamReading, data: bytes) -> list[ScoredPart]:
        try:
            return reading.feed(data)
        except ValueError as error:
            raise self._stranger() from error

    def _stranger(self) -> ServiceUnreachable:
        what = f"what answers at {self._http.base_url} is no reward service, or one of another version"
        return ServiceUnreachable(what, hint="look at the address")

    def _unreachable(self, method: str, path: str, last: str) -> ServiceUnreachable:
        return ServiceUnreachable(
            f"{method} {self._http.base_url.join(path)} failed {self._retries + 1} times; the last time: {last}",
            hint="is the reward service running at this address?",
        )


class RewardClient:
    """The synchronous face of `AsyncRewardClient`, for one thread. Use it as a context manager."""

    def __init__(
        self, base_url: str, *, key: str | None = None, timeout_s: float = 120.0, retries: int = RETRIES
    ) -> None:
        """As `AsyncRewardClient`."""
        self._core = AsyncRewardClient(base_url, key=key, timeout_s=timeout_s, retries=retries)
        self._runner = asyncio.Runner()

    def score(
        self,
        items: Sequence[Item],
        run: Run | None = None,
        idempotency_key: str | None = None,
        *,
        explain: bool = False,
        priority: Priority = "normal",
        deadline_s: float | None = None,
    ) -> ScoreResponse:
        """As `AsyncRewardClient.score`."""
        scoring = self._core.score(
            items, run, idempotency_key, explain=explain, priority=priority, deadline_s=deadline_s
        )
        return self._wait(scoring)

    def stream(
        self,
        items: Sequence[Item],
        run: Run | None = None,
        idempotency_key: str | None = None,
        *,
        explain: bool = False,
        priority: Priority = "normal",
        deadline_s: float | None = None,
    ) -> Generator[ScoredPart]:
        """As `AsyncRewardClient.stream`."""
        parts = self._core.stream(
            items, run, idempotency_key, explain=explain, priority=priority, deadline_s=deadline_s
        )
        try:
            while (part := self._wait(anext(parts, None))) is not None:
                yield part
        finally:
            self._wait(parts.aclose())

    def rubrics(self) -> list[dict[str, Any]]:
        """As `AsyncRewardClient.rubrics`."""
        return self._wait(self._core.rubrics())

    def record(self, record_id: str) -> dict[str, Any]:
        """As `AsyncRewardClient.record`."""
        return self._wait(self._core.record(record_id))

    def records(
        self, wanted: RecordFilter = EVERY_REWARD, *, newest_first: bool = True, expand: bool = False
    ) -> Iterator[dict[str, Any]]:
        """As `AsyncRewardClient.records`."""
        pages = self._core.records(wanted, newest_first=newest_first, expand=expand)
        while (record := self._wait(anext(pages, None))) is not None:
            yield record

    def ready(self) -> bool:
        """As `AsyncRewardClient.ready`."""
        return self._wait(self._core.ready())

    def close(self) -> None:
        """Close the connections."""
        self._wait(self._core.close())
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait(self, work: Awaitable[T]) -> T:
        return self._runner.run(_awaited(work))


def _headers(idempotency_key: str | None, priority: Priority, deadline_s: float | None) -> dict[str, str]:
    """Of a request for rewards. What the service takes for granted is not said."""
    headers = {"content-type": "application/json", "idempotency-key": idempotency_key or uuid.uuid4().hex}
    if priority != "normal":
        headers["x-assay-priority"] = priority
    if deadline_s is not None:
        headers["x-assay-deadline-s"] = f"{max(deadline_s, 0.001) if deadline_s > 0 else deadline_s:.3f}"
    return headers


async def _awaited(work: Awaitable[T]) -> T:
    return await work


@dataclass
class _Refused:
    """Why a connection did not bring all that was asked for."""

    why: str = "the answer was cut"
    retry_after_s: float = 0.0
    under_way: bool = False
    """An earlier connection's request is still being answered."""


def _pause_s(attempt: int) -> float:
    return min(_LONGEST_PAUSE_S, 0.1 * 2.0 ** min(attempt, 16)) * random.uniform(0.5, 1.0)


def _accepted(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    problem = _problem(response)
    message = f"the reward service refused the request with status {response.status_code}"
    raise RequestRefused(f"{message}: {problem.detail}" if problem else message, problem, response.status_code)


def _problem(response: httpx.Response) -> Problem | None:
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:
        return None


def _retry_after_s(response: httpx.Response) -> float:
    value = response.headers.get("retry-after", "")
    return min(_LONGEST_WISH_S, float(value)) if value.isdecimal() else 0.0

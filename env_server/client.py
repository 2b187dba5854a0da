"""RewardClient: asks a reward service, and retries only what is safe to ask again.

Every request carries an idempotency key, so that a request whose answer was lost can be sent again and is answered
from what the service recorded, never scored twice. Imports no server code.
"""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import ValidationError

from env_server.record_filter import MOST_A_PAGE, MOST_WHOLE, RecordFilter
from env_server.schemas import Item, Problem, Run, ScoreRequest, ScoreResponse
from rewarders.errors import AssayError, ConfigError

T = TypeVar("T")
EVERY_REWARD = RecordFilter()
_RETRIED_STATUSES = {409, 429, 502, 503, 504}
_LONGEST_PAUSE_S = 10.0


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

    def __init__(self, base_url: str, *, timeout_s: float = 120.0, retries: int = 5) -> None:
        """Connect lazily to the service at `base_url`; a request that fails is sent again up to `retries` times."""
        try:
            limits = httpx.Limits(max_connections=32)
            self._http = httpx.AsyncClient(base_url=base_url, timeout=timeout_s, limits=limits)
        except httpx.InvalidURL as error:
            raise ConfigError(f"{base_url!r} is no address of a reward service: {error}") from error
        self._retries = retries

    async def score(
        self,
        items: Sequence[Item],
        run: Run | None = None,
        idempotency_key: str | None = None,
        *,
        explain: bool = False,
    ) -> ScoreResponse:
        """Score a batch; the answer holds one entry an item, in order.

        Args:
            items: as many as the service takes in one request (1,024 unless it was configured otherwise).
            run: the training run and step the batch belongs to.
            idempotency_key: name of this request; a random one if not given. Sending the same items under the same
                key again, even after a crash, gives the recorded answer.
            explain: whether each entry says in a sentence where its reward came from.

        Raises:
            ServiceUnreachable: no answer after every retry.
            RequestRefused: the service will not take the request as it is.
        """
        request = ScoreRequest.model_construct(items=list(items), run=run, explain=explain)
        body = request.model_dump_json(exclude_none=True)
        headers = {"content-type": "application/json", "idempotency-key": idempotency_key or uuid.uuid4().hex}
        response = await self._persist("POST", "/v1/score", content=body.encode(), headers=headers)
        try:
            return ScoreResponse.model_validate_json(response.content)
        except ValidationError as error:
            raise ServiceUnreachable(
                f"what answers at {self._http.base_url} is no reward service, or one of another version",
                hint="look at the address",
            ) from error

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
        last = "no attempt was made"
        for attempt in range(self._retries + 1):
            pause_s = min(_LONGEST_PAUSE_S, 0.1 * 2**attempt) * random.uniform(0.5, 1.0)
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
            if attempt < self._retries:
                await asyncio.sleep(pause_s)
        raise ServiceUnreachable(
            f"{method} {self._http.base_url.join(path)} failed {self._retries + 1} times; the last time: {last}",
            hint="is the reward service running at this address?",
        )


class RewardClient:
    """The synchronous face of `AsyncRewardClient`, for one thread. Use it as a context manager."""

    def __init__(self, base_url: str, *, timeout_s: float = 120.0, retries: int = 5) -> None:
        """As `AsyncRewardClient`."""
        self._core = AsyncRewardClient(base_url, timeout_s=timeout_s, retries=retries)
        self._runner = asyncio.Runner()

    def score(
        self,
        items: Sequence[Item],
        run: Run | None = None,
        idempotency_key: str | None = None,
        *,
        explain: bool = False,
    ) -> ScoreResponse:
        """As `AsyncRewardClient.score`."""
        return self._wait(self._core.score(items, run, idempotency_key, explain=explain))

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


async def _awaited(work: Awaitable[T]) -> T:
    return await work


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
    return min(_LONGEST_PAUSE_S, float(value)) if value.isdecimal() else 0.0

"""`Idempotency-Key`: a request that is sent again is answered again, not scored again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import NoReturn

from anyio import to_thread
from starlette.requests import HTTPConnection

from env_server.engine import KeepReply
from env_server.ledger.kept_replies import KeptReply, KeyTaken, in_tenant
from env_server.ledger.writer import LedgerWriter
from env_server.terms import single_header
from rewarders.errors import IdempotencyConflict, LedgerError, RequestError

HEADER = "Idempotency-Key"
MAX_KEY_CHARS = 200
_NOT_LOOKED_UP = "whether there is an answer under the Idempotency-Key could not be found out"
_Kept = tuple[str, bytes] | None
"""Request digest and answer, where there are any."""


def key_of(connection: HTTPConnection) -> str | None:
    """The key that was sent, if one was. Raises RequestError: there are two."""
    return single_header(connection, HEADER)


class Replays:
    """Answers kept by key. They live in the ledger's database, written with the records they belong to."""

    def __init__(self, ledger: LedgerWriter | None) -> None:
        self._ledger = ledger
        self._lookups = _Lookups(ledger) if ledger else None
        self._in_flight: set[str] = set()

    async def answer(
        self, key: str, asked: str, compute: Callable[[KeepReply], Awaitable[bytes]], *, tenant: str | None = None
    ) -> bytes:
        """The kept answer for the tenant's key, or a newly computed one, which is then kept.

        Args:
            key: as it was sent.
            asked: a digest of the request's body.
            compute: computes the answer and keeps it.
            tenant: whose key it is.

        Raises:
            RequestError: the key is not one (422), or was used with another body (422).
            IdempotencyConflict: the first request with this key is still running (409).
        """
        with self._alone(key, tenant) as key:
            kept = await self._lookups.kept(key) if self._lookups else None
            if kept is None:
                try:
                    return await compute(KeepReply(key, asked))
                except KeyTaken as taken:  # by another process on the same database
                    kept = taken.kept.request_digest, taken.kept.body
            if kept[0] != asked:
                _refuse_other_body()
            return kept[1]

    @asynccontextmanager
    async def in_parts(
        self, key: str, asked: str, count: int, *, tenant: str | None = None
    ) -> AsyncIterator["KeptParts"]:
        """The answer's parts that are kept already, and a place for the others. Nobody else has the key meanwhile.

        The key itself is kept first, with an empty answer, so that all that asks under it asks the same.

        Raises:
            RequestError, IdempotencyConflict: as `answer`.
            LedgerError: the key cannot be kept.
        """
        with self._alone(key, tenant) as key:
            request_digest = f"{asked} in parts"
            kept: Mapping[int, bytes] = {}
            if self._ledger and not await self._claim(self._ledger, key, request_digest):
                kept = await to_thread.run_sync(_parts_of, self._ledger, key, request_digest, count)
            yield KeptParts(key, request_digest, kept)

    @staticmethod
    async def _claim(ledger: LedgerWriter, key: str, request_digest: str) -> bool:
        """Whether this is the first request under the key."""
        kept = await to_thread.run_sync(ledger.kept_reply, key)
        if kept is None:
            try:
                await ledger.append([], KeptReply(key, request_digest, b""))
            except KeyTaken as taken:
                kept = taken.kept.request_digest, taken.kept.body
        if kept and kept[0] != request_digest:
            _refuse_other_body()
        return kept is None

    @contextmanager
    def _alone(self, key: str, tenant: str | None) -> Iterator[str]:
        """The name under which the tenant's key is kept, taken until the end of the block."""
        if not (0 < len(key) <= MAX_KEY_CHARS and key.isascii() and key.isprintable()):
            raise RequestError(f"an Idempotency-Key has 1 to {MAX_KEY_CHARS} printable ASCII characters")
        name = in_tenant(tenant, key)
        if name in self._in_flight:
            raise IdempotencyConflict("the first request with this Idempotency-Key is still running")
        self._in_flight.add(name)
        try:
            yield name
        finally:
            self._in_flight.discard(name)


@dataclass(frozen=True)
class KeptParts:
    """An answer that is kept in parts, as it is given in parts."""

    key: str
    request_digest: str
    kept: Mapping[int, bytes]
    """Those that there are already, by number."""

    async def answer(self, number: int, compute: Callable[[KeepReply], Awaitable[bytes]]) -> bytes:
        """The kept part of this number, or a newly computed one, which is then kept.

        Raises:
            RequestError: a part of another body's answer is kept under the key still.
        """
        if (kept := self.kept.get(number)) is not None:
            return kept
        try:
            return await compute(KeepReply(_name(self.key, number), self.request_digest))
        except KeyTaken as taken:  # by another process, or by the request whose connection broke
            return _of_this_body(taken.kept, self.request_digest)


def _parts_of(ledger: LedgerWriter, key: str, request_digest: str, count: int) -> dict[int, bytes]:
    """Blocks on the database."""
    found = ledger.kept_replies([_name(key, number) for number in range(count)])
    names = {_name(key, number): number for number in range(count)}
    return {names[name]: _of_this_body(part, request_digest) for name, part in found.items()}


def _of_this_body(kept: KeptReply, request_digest: str) -> bytes:
    """A part is forgotten after the key itself: who was given the key anew may meet one."""
    if kept.request_digest != request_digest:
        _refuse_other_body()
    return kept.body


def _name(key: str, number: int) -> str:
    """Of a part: no client can say it, for a key is printable."""
    return f"{key}\x1f{number}"


def _refuse_other_body() -> NoReturn:
    raise RequestError("this Idempotency-Key was used with another body", hint="send a new key with a new request")


class _Lookups:
    """Asks the database for kept answers, in one thread at a time for all who wait.

    A thread for each would take turns with the event loop far more often than the question is worth.
    """

    def __init__(self, ledger: LedgerWriter) -> None:
        self._ledger = ledger
        self._waiting: dict[str, asyncio.Future[_Kept]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def kept(self, key: str) -> _Kept:
        """Request digest and answer, if there are any. Nobody else asks for the same key meanwhile."""
        answer: asyncio.Future[_Kept] = asyncio.get_running_loop().create_future()
        self._waiting[key] = answer
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._ended)
        return await answer

    async def _read(self) -> None:
        while self._waiting:
            await self._look_up()

    def _ended(self, reading: asyncio.Task[None]) -> None:
        """Whoever waits still, and for nobody else, is told now: it was no end as it should be."""
        if reading is self._reading:
            _fail(self._waiting.values(), LedgerError(_NOT_LOOKED_UP))
            self._waiting.clear()

    async def _look_up(self) -> None:
        """Answer everybody who waits now, whatever becomes of it."""
        asked, self._waiting = self._waiting, {}
        try:
            found = await to_thread.run_sync(self._find, list(asked))
            for key, kept in found.items():
                if not asked[key].done():  # the request may have been given up
                    asked[key].set_result(kept)
        except LedgerError as error:
            _fail(asked.values(), error)
        finally:
            _fail(asked.values(), LedgerError(_NOT_LOOKED_UP))

    def _find(self, keys: Sequence[str]) -> dict[str, _Kept]:
        return {key: self._ledger.kept_reply(key) for key in keys}


def _fail(answers: Iterable["asyncio.Future[_Kept]"], why: LedgerError) -> None:
    """Those that are still waited for."""
    for answer in answers:
        if not answer.done():
            answer.set_exception(why)

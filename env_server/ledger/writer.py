"""Appending with group commit: many requests share one durable transaction.

One thread owns the writing connection. Requests put their records on a bounded queue and wait; the thread takes all
that has gathered, links and inserts it, commits once, and only then are the requests answered.
"""

import asyncio
import queue
import threading
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import OperationalError

from env_server.ledger.chain import Draft, Head, link
from env_server.ledger.tables import database_errors, heads, metadata, open_database, records, replies
from rewarders.errors import LedgerError, Overloaded, boundary

_MOST_RECORDS_A_COMMIT = 4096
_CHAIN = 1


@dataclass(frozen=True)
class KeptReply:
    """The answer to a request that carried an idempotency key, to be kept with its records."""

    key: str
    request_digest: str
    body: bytes


@dataclass(frozen=True)
class _Append:
    drafts: Sequence[Draft]
    reply: KeptReply | None
    done: "asyncio.Future[None]"
    loop: asyncio.AbstractEventLoop

    def settle(self, error: LedgerError | None) -> None:
        self.loop.call_soon_threadsafe(self._settle, error)

    def _settle(self, error: LedgerError | None) -> None:
        if self.done.done():
            return
        if error:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)


class LedgerWriter:
    """The only thing that writes to a ledger."""

    def __init__(self, data_dir: Path, *, max_waiting_records: int, keep_replies_s: float) -> None:
        self._database = open_database(data_dir, create=True)
        self._keep_replies_s = keep_replies_s
        self._max_waiting = max_waiting_records
        self._waiting = 0
        self._queue: queue.SimpleQueue[_Append | None] = queue.SimpleQueue()
        self._prepare()
        self._thread = threading.Thread(target=self._write_until_closed, name="ledger", daemon=True)
        self._thread.start()

    async def append(self, drafts: Sequence[Draft], reply: KeptReply | None = None) -> None:
        """Make the records, and the reply, durable.

        Raises:
            Overloaded: the queue is full; nothing was taken.
            LedgerError: the database refused; nothing was written.
        """
        if self._waiting + len(drafts) > self._max_waiting:
            raise Overloaded(f"{self._waiting} records wait to be written")
        if not self.alive:
            raise LedgerError("the ledger is closed")
        loop = asyncio.get_running_loop()
        wanted = _Append(drafts, reply, loop.create_future(), loop)
        self._waiting += len(drafts)
        self._queue.put(wanted)
        try:
            await wanted.done
        finally:
            self._waiting -= len(drafts)

    @property
    def alive(self) -> bool:
        """Whether records can be written at all."""
        return self._thread.is_alive()

    def kept_reply(self, key: str) -> tuple[str, bytes] | None:
        """Request digest and answer kept under an idempotency key, if any. Blocks on the database.

        Raises:
            LedgerError: the database cannot be read.
        """
        fresh = (replies.c.key == key) & (replies.c.at_s >= self._oldest_kept())
        query = select(replies.c.request_digest, replies.c.body).where(fresh)
        with (
            database_errors("cannot be read"),
            self._database.connect().execution_options(read_only=True) as connection,
        ):
            row = connection.execute(query).one_or_none()
        return (row.request_digest, zlib.decompress(row.body)) if row else None

    def close(self) -> None:
        """Write what was appended, then stop."""
        self._queue.put(None)
        self._thread.join()
        self._database.dispose()

    def _oldest_kept(self) -> float:
        return time.time() - self._keep_replies_s

    def _prepare(self) -> None:
        first = upsert(heads).values(chain=_CHAIN, count=0, hash=Head().hash).on_conflict_do_nothing()
        with database_errors(f"in {self._database.url.database} cannot be opened"):
            metadata.create_all(self._database)
            with self._database.begin() as connection:
                connection.execute(first)

    def _write_until_closed(self) -> None:
        while (group := self._gather()) is not None:
            error = self._commit(group)
            if error is None or len(group) == 1 or isinstance(error.__cause__, OperationalError):
                for wanted in group:
                    wanted.settle(error)
            else:  # something in one of them cannot be written: let the others not suffer for it
                for wanted in group:
                    wanted.settle(self._commit([wanted]))

    def _commit(self, group: Sequence[_Append]) -> LedgerError | None:
        """Write in one transaction. Whatever goes wrong is returned: this thread has to outlive it."""
        try:
            with (
                boundary(LedgerError, "writing the ledger"),
                database_errors("could not be written"),
                self._database.begin() as connection,
            ):
                self._write(connection, group)
        except LedgerError as error:
            return error
        return None

    def _gather(self) -> list[_Append] | None:
        """Everything that waits, up to a bound; None when closed."""
        first = self._queue.get()
        if first is None:
            return None
        group, count = [first], len(first.drafts)
        while count < _MOST_RECORDS_A_COMMIT and not self._queue.empty():
            wanted = self._queue.get()
            if wanted is None:
                self._queue.put(None)
                break
            group.append(wanted)
            count += len(wanted.drafts)
        return group

    def _write(self, connection: Connection, group: Sequence[_Append]) -> None:
        place = select(heads.c.count, heads.c.hash).where(heads.c.chain == _CHAIN)
        count, digest = connection.execute(place).one()
        rows, head = _linked([draft for wanted in group for draft in wanted.drafts], Head(count, digest))
        if rows:
            connection.execute(insert(records), rows)
        connection.execute(update(heads).where(heads.c.chain == _CHAIN).values(count=head.count, hash=head.hash))
        kept = [_reply_row(wanted.reply) for wanted in group if wanted.reply]
        if kept:
            connection.execute(delete(replies).where(replies.c.at_s < self._oldest_kept()))
            connection.execute(insert(replies), kept)


def _linked(drafts: Sequence[Draft], head: Head) -> tuple[list[dict[str, Any]], Head]:
    rows = []
    for draft in drafts:
        following = Head(head.count + 1, link(head.hash, draft.body))
        place = {"seq": following.count, "prev_hash": head.hash, "hash": following.hash}
        rows.append({**place, **draft.columns, "body": draft.body})
        head = following
    return rows, head


def _reply_row(reply: KeptReply) -> dict[str, Any]:
    packed = zlib.compress(reply.body, level=1)
    return {"key": reply.key, "request_digest": reply.request_digest, "body": packed, "at_s": time.time()}

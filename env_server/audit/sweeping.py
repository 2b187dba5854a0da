"""Removing what no record refers to any more, wherever it was left."""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import CompoundSelect, Connection, Engine, and_, delete, except_, or_, select, text

from env_server.ledger.codec import unpack
from env_server.ledger.schema import bodies, records, replies, writers

_AT_ONCE = 500
_ANSWERS_AT_ONCE = 16
"""One may be some megabytes."""
_REFERENCES = ("task", "completion", "instrument")
_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def sweep_bodies(database: Engine) -> int:
    """Remove the bodies that no record refers to, and answer how many there were.

    They are looked for beside the writers, and removed in short turns that keep the writers out: each turn spares what
    was referred to since. Raises SQLAlchemyError.
    """
    with _reading(database) as connection:
        sizes = {row.id: row.size for row in connection.execute(select(writers.c.id, writers.c.size))}
        unused = list(connection.scalars(_unused()))
    removed = 0
    for some in _batches(unused):
        with database.begin() as connection:
            if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
                connection.execute(text("LOCK TABLE bodies IN EXCLUSIVE MODE"))
            gone = set(some) - _referred_to_since(connection, sizes)
            removed += connection.execute(delete(bodies).where(bodies.c.digest.in_(sorted(gone)))).rowcount
    return removed


def sweep_replies(database: Engine) -> int:
    """Remove kept answers that hold an erased record, and answer how many there were. Raises SQLAlchemyError."""
    removed, last = 0, ""
    while kept := _kept_after(database, last):
        with _reading(database) as connection:
            erased = _erased(connection, sorted({one for ids in kept.values() for one in ids or ()}))
        with database.begin() as connection:
            gone = [key for key, ids in kept.items() if ids is None or ids & erased]
            removed += connection.execute(delete(replies).where(replies.c.key.in_(gone))).rowcount
        last = [*kept][-1]
    return removed


def wipe(database: Engine) -> str:
    """Have the database give up the bytes of what was deleted. Answers why it could not, if so."""
    if database.dialect.name == "postgresql":
        with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in ("records", "details", "bodies", "replies"):
                connection.execute(text(f"VACUUM {table}"))
        return "VACUUM has run; PostgreSQL overwrites the freed space when it needs it, and keeps WAL for a while"
    with closing(database.raw_connection()) as raw:
        driver: Any = raw.driver_connection
        busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return "a reader holds the write-ahead log; it is emptied when nobody reads" if busy else ""


def _reading(database: Engine) -> Connection:
    return database.connect().execution_options(read_only=True)


def _kept_after(database: Engine, key: str) -> dict[str, set[bytes] | None]:
    """The next keys, with the records that each answer holds."""
    some = select(replies.c.key, replies.c.body).where(replies.c.key > key).order_by(replies.c.key).limit(_AT_ONCE)
    with _reading(database) as connection:
        streaming = connection.execution_options(yield_per=_ANSWERS_AT_ONCE)
        return {row.key: _records_in(row.body) for row in streaming.execute(some)}


def _erased(connection: Connection, ids: Sequence[bytes]) -> set[bytes]:
    erased: set[bytes] = set()
    for some in _batches(ids):
        erased.update(connection.scalars(select(records.c.id).where(records.c.id.in_(some), records.c.salt.is_(None))))
    return erased


def _unused() -> CompoundSelect[Any]:
    """Set by set, which both databases do by sorting, however many there are."""
    used = (select(records.c[name]) for name in _REFERENCES)
    return except_(select(bodies.c.digest), *(one.where(one.selected_columns[0].is_not(None)) for one in used))


def _referred_to_since(connection: Connection, sizes: dict[int, int]) -> set[bytes]:
    """What is referred to by records that came after the trees had these sizes."""
    newer = [and_(records.c.writer == one, records.c.seq >= size) for one, size in sizes.items()]
    newer.append(records.c.writer.not_in(sorted(sizes)))
    rows = connection.execute(select(*(records.c[name] for name in _REFERENCES)).where(or_(*newer)))
    return {digest for row in rows for digest in row if digest is not None}


def _records_in(body: bytes) -> set[bytes] | None:
    """Ids of the records that an answer holds; None where it cannot be read, and is of no use to anybody."""
    try:
        return {UUID(found.decode()).bytes for found in _ID.findall(unpack(body))}
    except ValueError:
        return None


def _batches(values: Sequence[Any]) -> Iterator[list[Any]]:
    rest = iter(values)
    while some := list(islice(rest, _AT_ONCE)):
        yield some

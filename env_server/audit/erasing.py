"""Erasing what records hold while their trees still verify.

A record's row stays, with its reward and its commitment; its salt, its detail and its references to bodies go, and the
bodies that nobody else refers to. First of all a record says what is erased: whoever verifies finds both, or finds out.

Every step can be cut short and taken again: what is chosen is what still has a salt, and the sweeps look for what
nobody refers to, whoever left it there.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, and_, delete, select, update

from env_server.audit.selecting import Chosen, Target, notes_about
from env_server.audit.spans import of_numbers, total
from env_server.audit.sweeping import sweep_bodies, sweep_replies, wipe
from env_server.judges.memory import FILE_NAME, Memory, key_of
from env_server.ledger.codec import unpack
from env_server.ledger.entry import Entry, Kind, new_id
from env_server.ledger.merkle import Span
from env_server.ledger.opening import database_errors, open_to_write
from env_server.ledger.place import Place
from env_server.ledger.schema import details, records, writers
from env_server.ledger.writer import LedgerWriter
from rewarders.digests import canonical_json
from rewarders.errors import LedgerError

_SPANS_AT_ONCE = 100
Places = dict[int, list[Span]]
"""Places in trees, by the number of the writer."""


@dataclass
class Erased:
    """What an erasure came to."""

    records: int = 0
    """Notes about records included."""
    bodies: int = 0
    """That nobody refers to any more."""
    replies: int = 0
    """Answers kept under idempotency keys, which repeat what was recorded."""
    judge_replies: int = 0
    """Remembered answers of judges."""
    said_in: list[str] = field(default_factory=list)
    """Ids of the records that say so."""
    not_wiped: str = ""
    """Why deleted bytes may still lie in the database's files, if they may."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return dict(self.__dict__)


def erase(
    place: Place,
    writer: LedgerWriter,
    chosen: Sequence[Chosen],
    why: str,
    *,
    by: str = "",
    progress: Callable[[int], None] = lambda _: None,
) -> Erased:
    """Erase what the chosen records hold, and what only they refer to.

    Args:
        place: where the ledger is. Answers of judges are forgotten in its data directory alone.
        writer: of this ledger; it records what is erased.
        chosen: which records.
        why: goes on the record for good: name no person.
        by: who wants it so; goes on the record too.
        progress: called with the number of records that were erased since the last call.

    Raises:
        LedgerError: the database refused; take it again, it goes on where it stopped.
    """
    erased = Erased()
    database = open_to_write(place)
    try:
        with database_errors("could not be erased from"):
            for one in chosen:
                _erase_chosen(_Erasing(place, database, writer, {"why": why, "by": by}, erased), one, progress)
            erased.bodies = sweep_bodies(database)
            erased.replies = sweep_replies(database)
        with database_errors("could not be wiped"):
            erased.not_wiped = wipe(database)
    finally:
        database.dispose()
    return erased


@dataclass(frozen=True)
class _Erasing:
    """An erasure under way."""

    place: Place
    database: Engine
    writer: LedgerWriter
    said: dict[str, str]
    erased: Erased


def _erase_chosen(erasing: _Erasing, chosen: Chosen, progress: Callable[[int], None]) -> None:
    with erasing.database.connect().execution_options(read_only=True) as connection:
        for batch in chosen.batches(connection):
            connection.rollback()  # what reads while it waits would hold back the others
            progress(_erase_with_notes(erasing, [one.id for one in batch], batch))
    progress(_erase_with_notes(erasing, chosen.ids, []))


def _erase_with_notes(erasing: _Erasing, ids: Sequence[bytes], found: Sequence[Target]) -> int:
    """Erase what was found and what is said of those ids, and look again: notes were let in until they were erased."""
    count, seen = 0, set(ids)
    while batch := sorted({*found, *_notes_about(erasing, sorted(seen))}):
        _erase_batch(erasing, batch)
        seen.update(one.id for one in batch)
        count, found = count + len(batch), ()
    return count


def _notes_about(erasing: _Erasing, ids: Sequence[bytes]) -> list[Target]:
    with erasing.database.connect().execution_options(read_only=True) as connection:
        return notes_about(connection, ids)


def _erase_batch(erasing: _Erasing, batch: Sequence[Target]) -> None:
    """Say it, make judges forget it, do it: in this order, so that what is cut short can be taken again."""
    places = _places(batch)
    entry = _erasure(erasing, places, batch)
    erasing.writer.append_now([entry])
    erasing.erased.said_in.append(str(UUID(bytes=entry.id)))
    erasing.erased.judge_replies += _forget_judges(erasing, places)
    with erasing.database.begin() as connection:
        _remove(connection, places)
    erasing.erased.records += len(batch)


def _places(batch: Sequence[Target]) -> Places:
    writers_seen = {target.writer for target in batch}
    return {one: of_numbers(target.seq for target in batch if target.writer == one) for one in writers_seen}


def _erasure(erasing: _Erasing, places: Places, batch: Sequence[Target]) -> Entry:
    """The record that says what is erased: places rather than ids, which come to a few bytes for a whole run."""
    with erasing.database.connect().execution_options(read_only=True) as connection:
        keys = {row.id: row.public_key.hex() for row in connection.execute(select(writers.c.id, writers.c.public_key))}
    said = {name: value for name, value in erasing.said.items() if value}
    count = sum(total(spans) for spans in places.values())
    detail = {**said, "what": "bodies", "records": count, "places": {keys[one]: places[one] for one in places}}
    about = batch[0].id if len(batch) == 1 else None
    return Entry(id=new_id(), kind=Kind.ERASURE, detail=canonical_json(detail), about=about)


def _within(table: Any, places: Places) -> list[Any]:
    """Conditions that meet exactly these places, some at a time."""
    return [
        and_(table.c.writer == writer, table.c.seq >= begin, table.c.seq < end)
        for writer, spans in places.items()
        for begin, end in spans
    ]


def _remove(connection: Connection, places: Places) -> None:
    for condition in _within(details, places):
        connection.execute(delete(details).where(condition))
    for condition in _within(records, places):
        connection.execute(update(records).where(condition).values(salt=None, task=None, completion=None))


def _forget_judges(erasing: _Erasing, places: Places) -> int:
    """Make the judges of this data directory forget what they answered about these records."""
    data_dir = erasing.place.data_dir
    if data_dir is None or not (data_dir / FILE_NAME).exists():
        return 0
    keys: list[str] = []
    same_place = (records.c.writer == details.c.writer) & (records.c.seq == details.c.seq)
    with erasing.database.connect().execution_options(read_only=True) as connection:
        for condition in _within(details, places):
            wanted = select(details.c.data, records.c.tenant).join(records, same_place).where(condition)
            for row in connection.execute(wanted):
                keys += _remembered_under(row.data, row.tenant)
    try:
        with closing(Memory(data_dir)) as memory:
            return memory.forget(keys)
    except sqlite3.Error as error:
        raise LedgerError(f"judges cannot be made to forget in {data_dir / FILE_NAME}: {error}") from error


def _remembered_under(packed: bytes, tenant: str | None) -> list[str]:
    """The keys of a judge's memory for what is on a record; none where the record cannot be read."""
    try:
        parts = json.loads(unpack(packed)).get("models") or []
        exchanges = [one for part in parts if part for one in part["exchanges"] if "question" in one]
        return [key_of(tenant, one["identity"], one["question"], one["sample"]) for one in exchanges]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []

"""Holding what is erased against what records say was erased, both ways."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select

from env_server.audit.database_source import reading
from env_server.audit.findings import Damage, Finding
from env_server.audit.row_checks import is_erased
from env_server.audit.sources import Source, Writer
from env_server.audit.span_checks import erased_by
from env_server.audit.spans import of_numbers, shared, without
from env_server.ledger.codec import unpack
from env_server.ledger.entry import Kind
from env_server.ledger.merkle import Span
from env_server.ledger.place import Place
from env_server.ledger.schema import details, records, writers

_LOOKS, _PAUSE_S = 10, 0.5
"""An erasure says what it does, and then does it: that takes a moment, on a busy machine some seconds."""
Places = dict[str, list[Span]]
"""By the writer's public key, in hexadecimal digits."""


@dataclass
class Erasures:
    """What was found of erasures in a ledger."""

    gone: Places = field(default_factory=dict)
    """Whose salt is gone."""
    stated: Places = field(default_factory=dict)
    """Of which a record says so."""
    present: Places = field(default_factory=dict)
    """Which are there at all: an export need not hold everything."""

    def state(self, erased: Sequence[tuple[str, Span]]) -> None:
        """Add what records say."""
        for key, span in erased:
            self.stated.setdefault(key, []).append(span)

    def wrong(self, source: Source, writers: Sequence[Writer]) -> Iterator[Finding]:
        """What is erased without a word, and what is not although a record says so. Raises LedgerError."""
        names = {writer.public_key.hex(): writer.name for writer in writers}
        for key, spans in self._unsaid(source, writers).items():
            for begin, end in spans:
                message = f"{_places(begin, end)} erased, and no record says so"
                yield Finding(Damage.ERASED_UNSAID, message, names[key], begin)
        for key, spans in self._undone(source, writers).items():
            for begin, end in spans:
                message = f"a record says that {_places(begin, end)} erased, which is not so; erase again"
                yield Finding(Damage.ERASURE_UNDONE, message, names[key], begin)

    def _unsaid(self, source: Source, writers: Sequence[Writer]) -> Places:
        unsaid = {key: list(without(gone, self.stated.get(key, ()))) for key, gone in self.gone.items()}
        if not any(unsaid.values()):
            return {}
        later = _said_later(source, writers)
        return {key: list(without(spans, later.get(key, ()))) for key, spans in unsaid.items()}

    def _undone(self, source: Source, writers: Sequence[Writer]) -> Places:
        """What is still not erased when it is looked at again: an erasure may be under way."""
        by_key = {writer.public_key.hex(): writer for writer in writers}
        undone = {
            key: list(without(shared(stated, self.present.get(key, ())), self.gone.get(key, ())))
            for key, stated in self.stated.items()
        }
        for _ in range(_LOOKS):
            if not any(undone.values()):
                break
            time.sleep(_PAUSE_S)
            undone = {key: _not_erased(source, by_key[key], spans) for key, spans in undone.items() if spans}
        return undone


def told_of(place: Place, record: dict[str, Any]) -> dict[str, Any] | None:
    """The erasure of a record, as its `notes` show it; None where no record says so. Raises LedgerError.

    Erasures name places, so that a whole run costs a few bytes.
    """
    wanted, seq = record["place"]["writer"], record["place"]["seq"]
    joined = records.join(details, (details.c.writer == records.c.writer) & (details.c.seq == records.c.seq))
    after = records.c.id > UUID(record["id"]).bytes
    erasures = select(records.c.id, details.c.data).select_from(joined).where(records.c.kind == Kind.ERASURE, after)
    with reading(place) as connection:
        key = connection.execute(select(writers.c.public_key).where(writers.c.name == wanted)).scalar_one().hex()
        for found, packed in connection.execute(erasures.order_by(records.c.id)):
            try:
                detail = unpack(packed)
            except ValueError:
                continue  # `audit verify` says so
            if any(whose == key and begin <= seq < end for whose, (begin, end) in erased_by(detail)):
                said = {name: value for name, value in json.loads(detail).items() if name != "places"}
                return {"id": str(UUID(bytes=found)), "kind": "erasure", **said}
    return None


def _not_erased(source: Source, writer: Writer, spans: list[Span]) -> list[Span]:
    rows = (row for span in spans for row in source.rows(writer, span))
    return list(without(spans, of_numbers(row.columns["seq"] for row in rows if is_erased(row.columns))))


def _said_later(source: Source, writers: Sequence[Writer]) -> Places:
    """What was said to be erased while the ledger was read."""
    sizes = {writer.id: writer.size for writer in writers}
    found = Erasures()
    for writer in source.writers():
        for row in source.rows(writer, (sizes.get(writer.id, 0), writer.size)):
            if row.columns["kind"] == Kind.ERASURE and row.detail:
                found.state(list(erased_by(row.detail)))
    return found.stated


def _places(begin: int, end: int) -> str:
    return f"record {begin} was" if end - begin == 1 else f"records {begin} to {end - 1} were"

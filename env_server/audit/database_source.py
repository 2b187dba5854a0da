"""A ledger's database, read for an audit: in pieces, and without trusting what is in it."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Connection, Join, Select, func, literal_column, select
from sqlalchemy.sql.selectable import NamedFromClause

from env_server.audit.sources import Left, Row, Signed, Writer
from env_server.ledger.codec import unpack
from env_server.ledger.entry import said_digest
from env_server.ledger.merkle import Span
from env_server.ledger.notes import BadNote, parse_checkpoint
from env_server.ledger.opening import database_errors, open_to_read
from env_server.ledger.place import Place
from env_server.ledger.schema import bodies, checkpoints, details, outcome_parts, outcomes, records, writers
from rewarders.digests import canonical_json

ROWS_A_SPAN = 1 << 14
_ROWS_AT_ONCE = 1000
_IDS_AT_ONCE = 500
_BODIES_AT_ONCE = 200
_COLUMNS = tuple(column.name for column in records.c)
_ROW = "the writer's row"
_OUTCOME_PARTS = select(outcome_parts).order_by(outcome_parts.c.outcome, outcome_parts.c.position)

Said = tuple[tuple[str, str, bool], ...]


@contextmanager
def reading(place: Place) -> Iterator[Connection]:
    """A connection that only reads, and that takes whatever bytes a text may hold. Raises LedgerError."""
    engine = open_to_read(place)
    try:
        with database_errors("cannot be read"), engine.connect().execution_options(read_only=True) as connection:
            if connection.dialect.name == "sqlite":
                driver: Any = connection.connection.driver_connection
                driver.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
            yield connection
    finally:
        engine.dispose()


@dataclass(frozen=True)
class DatabaseSource:
    """The database at a place."""

    place: Place
    whole: bool = True

    def writers(self) -> list[Writer]:
        """Every writer."""
        with reading(self.place) as connection:
            return writers_in(connection)

    def spans(self, writer: Writer) -> list[Span]:
        """Pieces of a fixed number of records. Where whoever tampers left a great gap, it is not walked through."""
        if writer.end - writer.records < ROWS_A_SPAN:
            begins = list(range(0, writer.end, ROWS_A_SPAN))
        else:
            with reading(self.place) as connection:
                begins = list(connection.scalars(_every_so_many(writer)))
        return list(pairwise([*begins, writer.end])) if begins else []

    def rows(self, writer: Writer, span: Span) -> Iterator[Row]:
        """One query for each piece."""
        with reading(self.place) as connection:
            said = outcomes_in(connection)
            streaming = connection.execution_options(yield_per=_ROWS_AT_ONCE)
            for found in streaming.execute(_rows(writer.id, span)).partitions():
                for row in found:
                    yield _row(tuple(row), said)

    def left_out(self, writer: Writer) -> Iterator[Left]:
        """A database leaves nothing out."""
        return iter(())

    def wrong_bodies(self) -> Iterator[bytes]:
        """Every body is unpacked and hashed."""
        with reading(self.place) as connection:
            for digest, data in _bodies(connection):
                unpacked, _ = _unpacked(data)
                if unpacked is None or hashlib.sha256(unpacked).digest() != digest:
                    yield digest

    def unknown(self, ids: set[bytes]) -> set[bytes]:
        """Looked up some at a time."""
        wanted, known = sorted(ids), set[bytes]()
        with reading(self.place) as connection:
            for begin in range(0, len(wanted), _IDS_AT_ONCE):
                some = wanted[begin : begin + _IDS_AT_ONCE]
                known.update(connection.scalars(select(records.c.id).where(records.c.id.in_(some))))
        return ids - known


def writers_in(connection: Connection) -> list[Writer]:
    """Every writer; the checkpoints are read first, so that none is of more records than are read after it."""
    signed: dict[int, list[Signed]] = {}
    for writer, *rest in connection.execute(select(checkpoints).order_by(checkpoints.c.size)):
        signed.setdefault(writer, []).append(_signed(*rest))
    known = [_writer(row, signed.pop(row.id, [])) for row in connection.execute(_writers())]
    lost = set(connection.scalars(_without_writer())) | set(signed)
    return known + [Writer(one, "", b"", 0, b"", strays=1) for one in sorted(lost, key=repr)]


def _writers() -> Select[Any]:
    """One statement, so that its parts see the same moment."""
    mine, within = records.c.writer == writers.c.id, (records.c.seq >= 0) & (records.c.seq < writers.c.size)
    count = select(func.count()).where(mine, within).scalar_subquery()
    last = select(func.max(records.c.seq)).where(mine, within).scalar_subquery()
    strays = select(func.count()).where(mine, ~within).scalar_subquery()
    return select(writers, count.label("records"), last.label("last"), strays.label("strays")).order_by(writers.c.id)


def _every_so_many(writer: Writer) -> Select[Any]:
    numbered = (
        select(records.c.seq, func.row_number().over(order_by=records.c.seq).label("number"))
        .where(records.c.writer == writer.id, records.c.seq >= 0, records.c.seq < writer.end)
        .subquery()
    )
    return select(numbered.c.seq).where(numbered.c.number % ROWS_A_SPAN == 1).order_by(numbered.c.seq)


def _writer(row: Any, signed: list[Signed]) -> Writer:
    """A writer's row, whatever it holds: SQLite keeps whatever whoever tampers gives it."""
    end = row.last + 1 if type(row.last) is int else 0
    key, frontier = (value if isinstance(value, bytes) else b"" for value in (row.public_key, row.frontier))
    size = row.size if type(row.size) is int else 0
    newest = [] if row.note in [one.note for one in signed] else [_signed_in(row.note)]
    return Writer(row.id, str(row.name), key, size, frontier, row.records, end, row.strays, (*signed, *newest))


def _signed_in(note: Any) -> Signed:
    """The note of a writer's row, which stands beside no columns that repeat it."""
    try:
        said = parse_checkpoint(str(note))
    except BadNote:
        return Signed(-1, b"", -1, str(note), _ROW)
    return Signed(said.size, said.root, said.at_ms, said.note, _ROW)


def _signed(size: Any, root: Any, at_ms: Any, note: Any) -> Signed:
    numbers = [value if type(value) is int else -1 for value in (size, at_ms)]
    return Signed(numbers[0], root if isinstance(root, bytes) else b"", numbers[1], str(note))


def _without_writer() -> Select[Any]:
    return select(records.c.writer).distinct().where(records.c.writer.not_in(select(writers.c.id)))


def _bodies(connection: Connection) -> Iterator[tuple[Any, Any]]:
    """Every body, some in each transaction: a database that is written to cannot clean up behind a long one.

    In SQLite by the number of the row, since whoever tampers can put anything where the digest belongs.
    """
    key: ColumnElement[Any] = bodies.c.digest if connection.dialect.name == "postgresql" else literal_column("rowid")
    some = select(key.label("place"), bodies.c.digest, bodies.c.data).order_by(key).limit(_BODIES_AT_ONCE)
    found = connection.execute(some).all()
    while found:
        connection.rollback()
        yield from ((row.digest, row.data) for row in found)
        found = connection.execute(some.where(key > found[-1].place)).all()


def with_what_they_name(names: Sequence[str]) -> tuple[Join, list[NamedFromClause[Any]]]:
    """Records beside their details and the bodies that these columns name, as far as they are there."""
    joined = records.outerjoin(details, (details.c.writer == records.c.writer) & (details.c.seq == records.c.seq))
    named = []
    for name in names:
        body = bodies.alias()
        joined = joined.outerjoin(body, body.c.digest == records.c[name])
        named.append(body)
    return joined, named


def _rows(writer: int, span: Span) -> Select[Any]:
    joined, named = with_what_they_name(("task", "completion", "instrument"))
    within = (records.c.writer == writer) & (records.c.seq >= span[0]) & (records.c.seq < span[1])
    wanted = (*records.c, details.c.data, *(body.c.digest for body in named))
    return select(*wanted).select_from(joined).where(within).order_by(records.c.seq)


def outcomes_in(connection: Connection) -> dict[int, Said]:
    """What the numbers stand for; those that are not what their digest was made of are none."""
    said: dict[int, list[tuple[str, str, bool]]] = {}
    for outcome, _, *part in connection.execute(_OUTCOME_PARTS):
        said.setdefault(outcome, []).append((part[0], part[1], part[2]))
    digests = {row.id: row.digest for row in connection.execute(select(outcomes))}
    return {one: tuple(parts) for one, parts in said.items() if _said_digest(parts) == digests.get(one)}


def outcome_in(connection: Connection, outcome: int | None) -> Said:
    """What a number stands for, whether or not it was changed."""
    parts = connection.execute(_OUTCOME_PARTS.where(outcome_parts.c.outcome == outcome))
    return tuple((part.rewarder, part.reason, part.fault) for part in parts)


def _row(values: tuple[Any, ...], outcomes: dict[int, Said]) -> Row:
    columns = dict(zip(_COLUMNS, values, strict=False))
    packed, *held = values[len(_COLUMNS) :]
    detail, problem = (None, "") if packed is None else _unpacked(packed)
    said = () if columns["outcome"] is None else outcomes.get(columns["outcome"])
    columns["said"] = said_digest(said) if said else None
    return Row(columns, detail, problem, said, *(digest is not None for digest in held))


def _unpacked(data: Any) -> tuple[bytes | None, str]:
    if not isinstance(data, bytes):
        return None, "is no binary data"
    try:
        return unpack(data), ""
    except ValueError as error:
        return None, str(error)


def _said_digest(parts: list[tuple[str, str, bool]]) -> bytes:
    try:
        return hashlib.sha256(canonical_json(parts)).digest()
    except (ValueError, TypeError):
        return b""

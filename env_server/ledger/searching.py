"""Finding records: filters, in the order of their ids, page by page.

An id is a UUIDv7, so its order is that of time, and a span of time is a span of ids. A page goes on after the last id
of the page before it: nothing is given twice, and nothing is missed that was there when the first page was read.
Several writers append at once, each a moment after it made its ids: whoever follows a living ledger, oldest first, goes
back a minute and leaves out what it has.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, literal_column, select, union_all

from env_server.ledger.entry import Kind
from env_server.ledger.schema import outcome_parts, records
from env_server.record_filter import RecordFilter
from rewarders.errors import RequestError

_MOST_BRANCHES = 200
"""SQLite joins at most 500 queries into one."""
_NO_OUTCOME = -1
_EQUAL = ("tenant", "run", "step", "group", "task_id", "rubric")
_COLUMNS = ("id", "at_ms", "kind", "about", "run", "step", "group", "sample", "task_id", "rubric", "status", "reward")
_RANDOM_BITS = 80
_MOST_MS = 2**48 - 1


@dataclass(frozen=True)
class Position:
    """Where a page begins, and which way it goes."""

    after: UUID | None = None
    """The last id of the page before; None begins at the end that `newest_first` says."""
    newest_first: bool = True
    limit: int = 100
    """Most records."""


def position(cursor: str | None, *, newest_first: bool, limit: int) -> Position:
    """Where the page begins that a cursor stands for. Raises RequestError: it is none."""
    try:
        after = UUID(cursor) if cursor else None
    except ValueError:
        raise RequestError("the cursor is none that a page ended with", field="cursor") from None
    return Position(after, newest_first, limit)


def page(connection: Connection, wanted: RecordFilter, where: Position) -> tuple[list[dict[str, Any]], str | None]:
    """Small rows in order, and the cursor of the page that follows; None where nothing does."""
    found = connection.execute(query(connection, wanted, where, where.limit + 1)).all()
    rows, more = found[: where.limit], len(found) > where.limit
    said = _said(connection, {row.outcome for row in rows if row.outcome is not None})
    shown = [_shown(row, said.get(row.outcome, ())) for row in rows]
    return shown, shown[-1]["id"] if more else None


Search = Callable[[RecordFilter, Position], tuple[list[dict[str, Any]], str | None]]


def all_pages(
    search: Search, wanted: RecordFilter, *, newest_first: bool = True, at_once: int = 200
) -> Iterator[list[dict[str, Any]]]:
    """Page after page of what matches; newest first, those that come in meanwhile are left out."""
    where = Position(newest_first=newest_first, limit=at_once)
    while True:
        rows, cursor = search(wanted, where)
        yield rows
        if cursor is None:
            return
        where = position(cursor, newest_first=newest_first, limit=at_once)


def count(connection: Connection, wanted: RecordFilter) -> int:
    """How many there are."""
    conditions = _conditions(wanted)
    if wanted.rewarder or wanted.reason:
        conditions.append(records.c.outcome.in_(_outcomes(wanted)))
    return connection.execute(select(func.count()).select_from(records).where(*conditions)).scalar_one()


def query(connection: Connection, wanted: RecordFilter, where: Position, limit: int) -> Select[Any]:
    """The statement of one page. One that asks for reasons looks up first which combinations of them there are."""
    conditions = [*_conditions(wanted), *_beyond(where)]
    if not (wanted.rewarder or wanted.reason):
        return _ordered(_rows(conditions), where, limit)
    outcomes: list[int] = [row.outcome for row in connection.execute(_outcomes(wanted))]
    if len(outcomes) > _MOST_BRANCHES:
        return _ordered(_rows([*conditions, records.c.outcome.in_(_outcomes(wanted))]), where, limit)
    return _merged(conditions, outcomes, where, limit)


def _merged(
    conditions: Sequence[ColumnElement[bool]], outcomes: Sequence[int], where: Position, limit: int
) -> Select[Any]:
    """The first of each combination, merged: none of them is read further than a page."""
    branches = [
        select(_ordered(_rows([*conditions, records.c.outcome == one]), where, limit).subquery())
        for one in outcomes or [_NO_OUTCOME]
    ]
    merged = union_all(*branches).subquery()
    ordered = merged.c.id.desc() if where.newest_first else merged.c.id.asc()
    return select(merged).order_by(ordered).limit(limit)


def _rows(conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    return select(*(records.c[name] for name in _COLUMNS), records.c.outcome).where(and_(True, *conditions))


def _ordered(rows: Select[Any], where: Position, limit: int) -> Select[Any]:
    return rows.order_by(records.c.id.desc() if where.newest_first else records.c.id.asc()).limit(limit)


def _conditions(wanted: RecordFilter) -> list[ColumnElement[bool]]:
    given = wanted.model_dump(exclude_none=True, exclude={"kind"})
    found = [records.c[name] == given[name] for name in _EQUAL if name in given]
    bounds = [("step_min", "step", True), ("step_max", "step", False)]
    bounds += [("reward_min", "reward", True), ("reward_max", "reward", False)]
    for name, column, lowest in bounds:
        if name in given:
            found.append(records.c[column] >= given[name] if lowest else records.c[column] <= given[name])
    if wanted.since:
        found.append(records.c.id >= _first_id(wanted.since))
    if wanted.until:
        found.append(records.c.id < _first_id(wanted.until))
    return [*found, *_rare(wanted)]


def _rare(wanted: RecordFilter) -> Iterator[ColumnElement[bool]]:
    """What few records are, spelled as the partial indexes spell it."""
    if wanted.status == "unscored":
        yield records.c.status == literal_column("'unscored'")
    elif wanted.status:
        yield records.c.status == wanted.status
    if wanted.kind != "all":
        yield records.c.kind == wanted.kind
    if wanted.kind not in ("all", Kind.REWARD, Kind.ERASURE):
        yield records.c.about.is_not(None)


def _beyond(where: Position) -> Iterator[ColumnElement[bool]]:
    if where.after:
        last = where.after.bytes
        yield records.c.id < last if where.newest_first else records.c.id > last


def _outcomes(wanted: RecordFilter) -> Select[tuple[int]]:
    chosen = {"rewarder": wanted.rewarder, "reason": wanted.reason}
    conditions = [outcome_parts.c[name] == value for name, value in chosen.items() if value]
    return select(outcome_parts.c.outcome).where(*conditions).distinct()


def _first_id(moment: datetime) -> bytes:
    """Below every id that is made at this moment."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    milliseconds = min(max(int(aware.timestamp() * 1000), 0), _MOST_MS)
    return (milliseconds << _RANDOM_BITS).to_bytes(16)


def _said(connection: Connection, outcomes: set[int]) -> dict[int, list[dict[str, Any]]]:
    parts = select(outcome_parts).where(outcome_parts.c.outcome.in_(outcomes))
    said: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(parts.order_by(outcome_parts.c.outcome, outcome_parts.c.position)):
        said.setdefault(row.outcome, []).append({"rewarder": row.rewarder, "reason": row.reason, "fault": row.fault})
    return said


def _shown(row: Row[Any], said: Sequence[dict[str, Any]]) -> dict[str, Any]:
    columns = {name: getattr(row, name) for name in _COLUMNS if name != "at_ms"}
    at = datetime.fromtimestamp(row.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    about = str(UUID(bytes=row.about)) if row.about else None
    return {**columns, "id": str(UUID(bytes=row.id)), "at": at, "about": about, "said": list(said)}

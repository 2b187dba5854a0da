"""Reading a ledger's records. Never writes, and needs no running server."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Row, func, select

from env_server.ledger import searching
from env_server.ledger.codec import unpack
from env_server.ledger.entry import Kind
from env_server.ledger.opening import database_errors, open_to_read
from env_server.ledger.place import Place
from env_server.ledger.reading_threads import ReadingThreads
from env_server.ledger.rubrics import recorded_rubric
from env_server.ledger.schema import bodies, details, records, writers
from env_server.ledger.searching import Position
from env_server.record_filter import RecordFilter
from rewarders.digests import digest
from rewarders.errors import LedgerError

P = ParamSpec("P")
T = TypeVar("T")
MOST_NOTES = 100
"""Of a record that are shown with it."""
ALL_NOTES = 1 << 62


class LedgerReader:
    """Read access to a ledger."""

    def __init__(self, place: Place, statement_s: float | None = None) -> None:
        """Read from a place; `statement_s` is how long one statement may take.

        Raises LedgerError when there is no ledger that this version reads; ConfigError as `open_to_read` does.
        """
        self._database = open_to_read(place, statement_s)
        self._threads = ReadingThreads()

    async def aside(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `read` answers, in a thread that is only for reading. Raises Overloaded when too many read already."""
        return await self._threads.run(read, *args, **kwargs)

    def record(
        self, record_id: str, most_notes: int = MOST_NOTES, *, tenant: str | None = None
    ) -> dict[str, Any] | None:
        """One record with all that belongs to it, or None: of its notes the newest. Blocks on the database.

        Args:
            record_id: in whatever spelling of a UUID.
            most_notes: so many at most.
            tenant: whose it has to be; anybody's if None.

        Raises:
            LedgerError: it cannot be read, or is damaged.
        """
        wanted = _as_bytes(record_id)
        if wanted is None:
            return None
        with database_errors("cannot be read"), self.connect() as connection:
            mine = [] if tenant is None else [records.c.tenant == tenant]
            row = connection.execute(_found.where(records.c.id == wanted, *mine)).one_or_none()
            return _document(connection, row, most_notes) if row else None

    def search(self, wanted: RecordFilter, where: Position) -> tuple[list[dict[str, Any]], str | None]:
        """Small rows of a page, and the cursor of the next. Blocks on the database. Raises LedgerError."""
        with database_errors("cannot be read"), self.connect() as connection:
            return searching.page(connection, wanted, where)

    def matching(self, wanted: RecordFilter) -> int:
        """How many records match. Raises LedgerError."""
        with database_errors("cannot be read"), self.connect() as connection:
            return searching.count(connection, wanted)

    def rubric(self, name: str) -> str | None:
        """The rubric that was served under a name, as JSON; None if none ever was. Raises LedgerError."""
        with database_errors("cannot be read"), self.connect() as connection:
            return recorded_rubric(connection, name)

    def connect(self) -> Connection:
        """A connection that only reads. Its errors are SQLAlchemy's: use `database_errors`."""
        return self._database.connect().execution_options(read_only=True)

    def close(self) -> None:
        """Let go of the database."""
        self._threads.close()
        self._database.dispose()


_COLUMNS = (
    "id", "kind", "about", "tenant", "run", "step", "group", "sample", "task_id", "rubric", "status", "reward",
)  # fmt: skip
_found = select(records, writers.c.name.label("writer_name"), details.c.data.label("detail")).select_from(
    records.outerjoin(writers, writers.c.id == records.c.writer).outerjoin(
        details, (details.c.writer == records.c.writer) & (details.c.seq == records.c.seq)
    )
)


def _as_bytes(record_id: str) -> bytes | None:
    try:
        return UUID(record_id).bytes
    except ValueError:
        return None


def _document(connection: Connection, row: Row[Any], most_notes: int) -> dict[str, Any]:
    """Everything a record says, and where it stands."""
    columns = {name: _plain(getattr(row, name)) for name in _COLUMNS}
    detail = _json(row.detail, row) or {}
    document = {
        **columns,
        "at": _iso(row.at_ms),
        "task": _body(connection, row.task, row),
        "completion": _body(connection, row.completion, row),
        "erased": row.salt is None,
        **_notes(connection, row.id, most_notes),
        "place": {
            "writer": row.writer_name, "seq": row.seq, "leaf": row.leaf.hex(), "commitment": row.commitment.hex(),
        },
    }  # fmt: skip
    if row.kind != Kind.REWARD:
        return {**document, "detail": detail}
    return {**document, **_reward(document, detail, _body(connection, row.instrument, row) or {})}


def _reward(document: dict[str, Any], detail: dict[str, Any], instrument: dict[str, Any]) -> dict[str, Any]:
    """What only a reward has. What the row and the bodies say is not in its detail once more."""
    task, completion = document["task"], document["completion"]
    breakdown = {
        **{name: document[name] for name in ("task_id", "rubric", "reward")},
        "rubric_digest": instrument.get("rubric_digest"),
        "completion_digest": digest(completion) if completion else None,
    }
    return {
        "task_digest": detail.get("task_digest") or (digest(task) if task else None),
        "breakdown": {**breakdown, **detail["breakdown"]} if "breakdown" in detail else None,
        "redactions": detail.get("redactions", []),
        "instrument": [*_instruments(instrument.get("parts", []), detail)],
        "service": instrument.get("service"),
        **{name: detail[name] for name in ("trace",) if name in detail},
    }


def _instruments(parts: list[dict[str, Any]], detail: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each part with what ran its programs and what models were asked for it."""
    for place, part in enumerate(parts):
        used = {"sandbox": detail.get("sandboxes"), "models": detail.get("models")}
        yield {**part, **{name: each[place] for name, each in used.items() if each and each[place]}}


def _notes(connection: Connection, about: bytes, most: int) -> dict[str, Any]:
    """The newest records about a record, the oldest of them first, and how many there are in all."""
    is_note = records.c.about == about
    rows = connection.execute(_found.where(is_note).order_by(records.c.id.desc()).limit(most)).all()
    count = len(rows)
    if count == most:
        count = connection.execute(select(func.count()).select_from(records).where(is_note)).scalar_one()
    shown = [{**_note(row), "id": _plain(row.id), "kind": row.kind, "at": _iso(row.at_ms)} for row in reversed(rows)]
    return {"notes": shown, "note_count": count}


def _note(row: Row[Any]) -> dict[str, Any]:
    detail = _json(row.detail, row) or {}
    return {name: value for name, value in detail.items() if name != "components"}


def _body(connection: Connection, digest: bytes | None, row: Row[Any]) -> Any:
    """A body, parsed; None where there is none, or none any more."""
    if digest is None:
        return None
    return _json(connection.execute(select(bodies.c.data).where(bodies.c.digest == digest)).scalar(), row)


def _json(packed: bytes | None, row: Row[Any]) -> Any:
    try:
        return json.loads(unpack(packed)) if packed is not None else None
    except ValueError as error:
        raise LedgerError(
            f"record {_plain(row.id)} is damaged: {error}", hint="`env-server audit verify` says what else is"
        ) from error


def _plain(value: Any) -> Any:
    return str(UUID(bytes=value)) if isinstance(value, bytes) else value


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")

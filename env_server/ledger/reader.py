"""Reading a ledger: one record, or the whole chain to verify it. Never writes, and needs no running server."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, select

from env_server.ledger.chain import INDEXED, Finding, Head, Stored, findings
from env_server.ledger.tables import database_errors, heads, open_database, records

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class Verification:
    """What `audit verify` found."""

    count: int
    head: str
    findings: tuple[Finding, ...]


class LedgerReader:
    """Read access to the ledger of a data directory."""

    def __init__(self, data_dir: Path) -> None:
        """Raises LedgerError when there is no ledger."""
        self._database = open_database(data_dir, create=False)

    def record(self, record_id: str) -> dict[str, Any] | None:
        """One record with its place in the chain, or None. Blocks on the database. Raises LedgerError."""
        with database_errors("cannot be read"), self._connect() as connection:
            row = connection.execute(select(records).where(records.c.id == record_id)).one_or_none()
        if row is None:
            return None
        chain = {"seq": row.seq, "prev_hash": row.prev_hash.hex(), "hash": row.hash.hex()}
        return {**json.loads(row.body), "chain": chain}

    def count(self) -> int:
        """How many records there are. Raises LedgerError."""
        with database_errors("cannot be read"), self._connect() as connection:
            return connection.execute(select(func.count()).select_from(records)).scalar_one()

    def verify(self, expected: bytes | None = None, progress: Callable[[int], None] = lambda _: None) -> Verification:
        """Check every record and every link.

        Args:
            expected: a head hash kept elsewhere, which the chain has to pass through.
            progress: called with the number of records checked since the last call.

        Raises:
            LedgerError: the database cannot be read.
        """
        with database_errors("cannot be read"), self._connect() as connection:
            head = _head(connection)
            found = tuple(findings(_rows(connection, progress), head, expected))
        return Verification(head.count, head.hash.hex(), found)

    def close(self) -> None:
        """Let go of the database."""
        self._database.dispose()

    def _connect(self) -> Connection:
        return self._database.connect().execution_options(read_only=True)


def _head(connection: Connection) -> Head:
    row = connection.execute(select(heads.c.count, heads.c.hash)).one_or_none()
    return Head(*row) if row else Head()


def _rows(connection: Connection, progress: Callable[[int], None]) -> Iterator[Stored]:
    result = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(select(records).order_by(records.c.seq))
    for batch in result.partitions():
        yield from map(_stored, batch)
        progress(len(batch))


def _stored(row: Row[Any]) -> Stored:
    columns = {name: getattr(row, name) for name in INDEXED}
    return Stored(row.seq, columns, _bytes(row.body), _bytes(row.prev_hash), _bytes(row.hash))


def _bytes(value: Any) -> bytes:
    """SQLite keeps whatever type it is given, and whoever tampers need not keep to ours."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")

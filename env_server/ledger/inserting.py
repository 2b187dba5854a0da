"""Many rows into a table in one statement, as fast as each database can.

Rows are tuples in the order of the table's columns. SQLite takes them by the dozen: its driver gives other threads the
interpreter for each statement, and has to wait for it after each. PostgreSQL takes them column by column as binary
arrays, at the rate of COPY, which knows no ON CONFLICT.
"""

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite

_SQLITE_ROWS = (1024, 128, 16, 1)
"""Rows in a statement: few lengths, so that SQLite's statements are compiled once each."""


def insert_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert the rows. Raises SQLAlchemyError, IntegrityError where one is there already."""
    _insert(connection, table, rows, unless_there=False)


def insert_new(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert the rows that are not there yet, and answer how many those are.

    Sorted, so that writers that want the same ones do not deadlock.
    """
    return _insert(connection, table, rows, unless_there=True)


def insert_for(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT of this database's own kind, which can leave alone what is there."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _insert(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]], *, unless_there: bool) -> int:
    if not rows:
        return 0
    if connection.dialect.name == "postgresql":
        columns = tuple(list(column) for column in zip(*rows, strict=True))
        return connection.exec_driver_sql(_into_postgresql(table, connection.dialect, unless_there), columns).rowcount
    made, start = 0, 0
    for count in _SQLITE_ROWS:
        while len(rows) - start >= count:
            values = tuple(chain.from_iterable(rows[start : start + count]))
            statement = _into_sqlite(table, connection.dialect, unless_there, count)
            made += connection.exec_driver_sql(statement, values).rowcount
            start += count
    return made


@cache
def _into_postgresql(table: Table, dialect: Dialect, unless_there: bool) -> str:
    types = (column.type.compile(dialect) for column in table.columns)
    return _statement(
        table, dialect, f"SELECT * FROM unnest({', '.join(f'%b::{kind}[]' for kind in types)})", unless_there
    )


@cache
def _into_sqlite(table: Table, dialect: Dialect, unless_there: bool, count: int) -> str:
    row = f"({', '.join('?' for _ in table.columns)})"
    return _statement(table, dialect, f"VALUES {', '.join([row] * count)}", unless_there)


def _statement(table: Table, dialect: Dialect, rows: str, unless_there: bool) -> str:
    names = ", ".join(dialect.identifier_preparer.quote(column.name) for column in table.columns)
    return f"INSERT INTO {table.name} ({names}) {rows}{' ON CONFLICT DO NOTHING' if unless_there else ''}"

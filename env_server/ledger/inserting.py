"""Many rows into a table in one statement, as fast as each database can.

Rows are tuples in the order of the table's columns. SQLite takes them one by one in a prepared statement; PostgreSQL
takes them column by column as binary arrays, at the rate of COPY, which knows no ON CONFLICT.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert the rows. Raises SQLAlchemyError, IntegrityError where one is there already."""
    _insert(connection, table, rows, unless_there=False)


def insert_new(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert the rows that are not there yet. Sorted, so that writers that want the same ones do not deadlock."""
    _insert(connection, table, rows, unless_there=True)


def insert_for(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT of this database's own kind, which can leave alone what is there."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _insert(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]], *, unless_there: bool) -> None:
    if not rows:
        return
    statement = _statement(table, connection.dialect, unless_there)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(statement, tuple(list(column) for column in zip(*rows, strict=True)))
    else:
        connection.exec_driver_sql(statement, list(rows))


@cache
def _statement(table: Table, dialect: Dialect, unless_there: bool) -> str:
    names = ", ".join(dialect.identifier_preparer.quote(column.name) for column in table.columns)
    if dialect.name == "postgresql":
        types = (column.type.compile(dialect) for column in table.columns)
        rows = f"SELECT * FROM unnest({', '.join(f'%b::{kind}[]' for kind in types)})"
    else:
        rows = f"VALUES ({', '.join('?' for _ in table.columns)})"
    conflict = " ON CONFLICT DO NOTHING" if unless_there else ""
    return f"INSERT INTO {table.name} ({names}) {rows}{conflict}"

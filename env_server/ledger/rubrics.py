"""Rubrics the ledger remembers: under one name, one rubric for ever, so that a record's rubric can be found again."""

import time
from collections.abc import Iterable

from sqlalchemy import Connection, select

from env_server.ledger.inserting import insert_new
from env_server.ledger.opening import database_errors, open_to_write
from env_server.ledger.place import Place
from env_server.ledger.schema import rubrics as table
from rewarders.errors import ConfigError
from rewarders.rubric import Rubric


def remember_rubrics(place: Place, served: Iterable[Rubric]) -> None:
    """Enter what is served, before anything is scored by it. Safe for several processes at once.

    Raises:
        ConfigError: a rubric is not the one that was served under its name before.
        LedgerError: the ledger cannot be written.
    """
    database = open_to_write(place)
    try:
        with database_errors(f"in {place} cannot be written"), database.begin() as connection:
            remember(connection, served)
    finally:
        database.dispose()


def remember(connection: Connection, served: Iterable[Rubric]) -> None:
    """The same within a transaction of the caller's."""
    given = sorted(served, key=lambda rubric: rubric.name)
    at_ms = time.time_ns() // 1_000_000
    insert_new(connection, table, [(one.name, one.digest, one.model_dump_json(), at_ms) for one in given])
    query = select(table.c.name, table.c.digest).where(table.c.name.in_([one.name for one in given]))
    known = {row.name: row.digest for row in connection.execute(query)}
    for rubric in given:
        if known[rubric.name] != rubric.digest:
            raise _changed(rubric)


def recorded_rubric(connection: Connection, name: str) -> str | None:
    """The rubric of that name as JSON, or None if none was ever served."""
    query = select(table.c.document).where(table.c.name == name)
    document: str | None = connection.execute(query).scalar_one_or_none()
    return document


def _changed(rubric: Rubric) -> ConfigError:
    stem, _, version = rubric.name.rpartition(".v")
    return ConfigError(
        f"rubric {rubric.name} ({rubric.source or 'in the configuration'}) is not the one that the ledger knows by "
        "that name",
        hint=f"give it a name of its own, such as {stem}.v{int(version) + 1}, or take the change back; "
        f"`env-server rubric diff {rubric.name}` shows it",
    )

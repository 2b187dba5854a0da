"""How the ledger's database is opened: SQLite in the data directory or PostgreSQL by URL, durable, in this schema."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from env_server.ledger.place import SQLITE_FILE, Place, url_problem
from env_server.ledger.schema import REVISION
from rewarders.errors import ConfigError, LedgerError

BUSY_TIMEOUT_MS = 10_000
_WAL_BYTES = 64 * 1024 * 1024
"""Past a long read SQLite's log is cut back to so much."""
_WAL_PAGES = 4000
"""Of SQLite's log before it moves into the database, 16 MB: a page that every commit changes moves once."""
_MIGRATING = 0x4173736179  # "Assay": the key of PostgreSQL's advisory lock
_TOOK_TOO_LONG = ("interrupted", "canceling statement due to statement timeout")
"""What SQLite and PostgreSQL say of a statement that was given up."""
_LOOK_EVERY = 10_000
"""Instructions of SQLite's machine, well below a millisecond."""
_MIGRATIONS = Path(__file__).parent / "migrations"
_POSTGRESQL = {
    "application_name": "assay",
    "client_encoding": "UTF8",
    "connect_timeout": 10,
    "tcp_user_timeout": 20_000,
    "options": "-c synchronous_commit=on -c lock_timeout=10000 -c idle_in_transaction_session_timeout=20000",
}
"""A database may have synchronous_commit off for everybody; the ledger has not. A host that vanished in the middle of a
transaction must not keep its locks. In a SQL_ASCII database psycopg reads no text but bytes unless it is told."""


def open_to_write(place: Place) -> Engine:
    """The database, made or migrated to this schema where needed. Safe for several processes at once.

    Raises:
        LedgerError: it cannot be reached or made, or is of a newer schema.
        ConfigError: the URL, the password file or the driver is wrong.
    """
    if place.data_dir is None:
        raise LedgerError("a ledger is written from a data directory: it holds the writer's key")
    with _errors_of(place.data_dir):
        place.data_dir.mkdir(parents=True, exist_ok=True)
    database = _engine(place)
    with _or_closed(database), database_errors(f"in {place} cannot be opened"), database.begin() as connection:
        if connection.dialect.name == "postgresql":
            _require_unicode(connection, place)
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
        found = _revision(connection)
        if found != REVISION:
            _migrate(connection, found, place)
    return database


def open_to_read(place: Place, statement_s: float | None = None) -> Engine:
    """The database as it is. Readers connect with `execution_options(read_only=True)`.

    Args:
        place: where it is.
        statement_s: how long one statement may take; as long as it needs if None.

    Raises:
        LedgerError: there is no ledger, it cannot be read, or is of another schema.
        ConfigError: the URL, the password file or the driver is wrong.
    """
    if place.url is None and not (place.data_dir and (place.data_dir / SQLITE_FILE).exists()):
        raise _no_ledger(place)
    database = _engine(place)
    if statement_s is not None:
        _limit(database, statement_s)
    with (
        _or_closed(database),
        database_errors(f"in {place} cannot be read"),
        database.connect().execution_options(read_only=True) as connection,
    ):
        found = _revision(connection)
        if found is None:
            raise _no_ledger(place)
        if found != REVISION:
            _require_known(found, place)
            raise LedgerError(
                f"the ledger in {place} has schema {found}, and this version reads {REVISION}",
                hint="start this version's service on it once: that migrates it",
            )
    return database


@contextmanager
def database_errors(what: str) -> Iterator[None]:
    """Turn the database's errors into ours: `what` could not be done, and why. Raises LedgerError."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = (str(getattr(error, "orig", None) or error).splitlines() or ["no reason given"])[0]
        if cause in _TOOK_TOO_LONG:
            hint = "ask for less: one run, a shorter time, or fewer at once"
            raise LedgerError(f"the ledger {what}: it would take too long", hint=hint) from error
        raise LedgerError(f"the ledger {what}: {cause}") from error


@contextmanager
def _or_closed(database: Engine) -> Iterator[None]:
    """Leave no connection open to a database that is not used."""
    try:
        yield
    except (LedgerError, ConfigError):
        database.dispose()
        raise


def _engine(place: Place) -> Engine:
    if place.url is not None:
        return _postgresql(place.url, place.password_file)
    assert place.data_dir is not None, "callers have checked"
    engine = create_engine(
        URL.create("sqlite", database=str(place.data_dir / SQLITE_FILE)),
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
        hide_parameters=True,  # an error must not repeat what was to be written
    )
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql(url: str, password_file: Path | None) -> Engine:
    if problem := url_problem(url):
        raise ConfigError(f"the ledger's URL {problem}")
    try:
        where = make_url(url).set(drivername="postgresql+psycopg", password=_password(password_file))
        return create_engine(where, connect_args=dict(_POSTGRESQL), hide_parameters=True, pool_pre_ping=True)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise ConfigError("the ledger is in PostgreSQL, and psycopg is not installed",
                          hint="pip install 'assay[postgres]'") from error  # fmt: skip
    except (SQLAlchemyError, ValueError) as error:
        raise ConfigError("the ledger's URL cannot be read as one") from error


def _password(path: Path | None) -> str | None:
    if path is None:
        return None  # libpq looks into PGPASSWORD and the file of PGPASSFILE
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"ledger.password_file is {str(path)!r}, which cannot be read: {error}") from error


def _limit(database: Engine, statement_s: float) -> None:
    """Give up statements that take longer."""

    def limit_postgresql(connection: Any, _: Any) -> None:
        connection.execute(f"SET statement_timeout = {round(statement_s * 1000)}")
        connection.commit()

    def limit_sqlite(_: Any, cursor: Any, *__: Any) -> None:
        until = time.monotonic() + statement_s
        cursor.connection.set_progress_handler(lambda: time.monotonic() > until, _LOOK_EVERY)

    if database.dialect.name == "postgresql":
        event.listen(database, "connect", limit_postgresql)
    else:
        event.listen(database, "before_cursor_execute", limit_sqlite)


def _configure_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin_sqlite`, not by the driver
    pragmas = ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_MS}", "secure_delete=ON")
    for pragma in (*pragmas, f"journal_size_limit={_WAL_BYTES}", f"wal_autocheckpoint={_WAL_PAGES}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    """Writers take the lock at once: one that began by reading could not wait for its turn to write."""
    mode = "DEFERRED" if connection.get_execution_options().get("read_only") else "IMMEDIATE"
    connection.exec_driver_sql(f"BEGIN {mode}")


def _require_unicode(connection: Connection, place: Place) -> None:
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise LedgerError(
            f"the database {place} keeps text as {encoding}, which not every text can be kept as",
            hint="make it with ENCODING 'UTF8'",
        )


def _revision(connection: Connection) -> str | None:
    """Which schema the database has; `0000` is the one from before there were migrations, None an empty database."""
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        return found
    return "0000" if "heads" in tables else None


def _migrate(connection: Connection, found: str | None, place: Place) -> None:
    if found is not None:
        _require_known(found, place)
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    command.upgrade(config, "head")


def _require_known(found: str, place: Place) -> None:
    if found == "0000":
        raise LedgerError(
            f"the ledger in {place} was made before its schema had a number, and cannot be read any more",
            hint="keep it for the version that made it, and give this one another data directory",
        )
    if not any((_MIGRATIONS / "versions").glob(f"{found}_*.py")):
        raise LedgerError(
            f"the ledger in {place} has schema {found}, which this version does not know",
            hint=f"use the version of assay that wrote it; this one knows schemas up to {REVISION}",
        )


def _no_ledger(place: Place) -> LedgerError:
    hint = "give the service's data directory to --data-dir, or its database to --url"
    return LedgerError(f"there is no ledger in {place}", hint=hint)


@contextmanager
def _errors_of(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LedgerError(f"cannot make the data directory {data_dir}: {os.strerror(error.errno or 0)}") from error

"""The ledger's tables, and how its database is opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Engine,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
)
from sqlalchemy.exc import SQLAlchemyError

from rewarders.errors import LedgerError

FILE = "ledger.sqlite3"
BUSY_TIMEOUT_MS = 10_000

metadata = MetaData()

records = Table(
    "records",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", String, nullable=False, unique=True),
    Column("at", String, nullable=False),
    Column("run", String),
    Column("step", Integer),
    Column("task_id", String, nullable=False),
    Column("rubric", String, nullable=False),
    Column("status", String, nullable=False),
    Column("reward", Float),
    Column("body", LargeBinary, nullable=False),
    Column("prev_hash", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Index("records_by_run", "run", "step"),
)

heads = Table(
    "heads",
    metadata,
    Column("chain", Integer, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)

replies = Table(
    "replies",
    metadata,
    Column("key", String, primary_key=True),
    Column("request_digest", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at_s", Float, nullable=False, index=True),
)


def open_database(data_dir: Path, *, create: bool) -> Engine:
    """The SQLite database of a data directory: WAL, and synchronous=FULL so that a commit outlives a power cut.

    Raises:
        LedgerError: there is no ledger and none was to be created, or the directory cannot be made.
    """
    path = data_dir / FILE
    if not create and not path.exists():
        raise LedgerError(f"there is no ledger in {data_dir}", hint="give the service's data directory to --data-dir")
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(f"cannot make the data directory {data_dir}: {error.strerror}") from error
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
        hide_parameters=True,  # an error must not repeat what was to be written
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def database_errors(what: str) -> Iterator[None]:
    """Turn the database's errors into ours: `what` could not be done, and why. Raises LedgerError."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise LedgerError(f"the ledger {what}: {cause}") from error


def _configure(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin`, not by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_MS}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Any) -> None:
    """Writers take the lock at once: two servers on one data directory then share one chain instead of forking it."""
    mode = "DEFERRED" if connection.get_execution_options().get("read_only") else "IMMEDIATE"
    connection.exec_driver_sql(f"BEGIN {mode}")

"""Where a ledger is. Imports nothing heavy, so that it can stand in the configuration."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

SQLITE_FILE = "ledger.sqlite3"
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


@dataclass(frozen=True)
class Place:
    """A data directory, and the PostgreSQL database if the records are not in a SQLite file of that directory."""

    data_dir: Path | None
    """Holds the writers' keys; None for whoever only reads from `url`."""
    url: str | None = None
    """`postgresql://user@host/database`, without a password."""
    password_file: Path | None = None

    def __str__(self) -> str:
        return self.url or str(self.data_dir)


def url_problem(url: str) -> str | None:
    """What is wrong with the URL of a ledger's database, without repeating it: it may hold a password."""
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:
        return "is no URL"
    if parts.scheme not in _POSTGRESQL:
        return "has to begin with postgresql:// (a ledger in SQLite needs none, it lies in data_dir)"
    if password is not None or any("password" in key.lower() for key, _ in parse_qsl(parts.query, True)):
        return "holds a password, which belongs in password_file, in PGPASSWORD, or in the file that PGPASSFILE names"
    return None

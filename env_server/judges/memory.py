"""What judges answered, and what they have used, in one SQLite file of the data directory.

Replies are found by the digest of everything that could change them, the judge's whole identity included, and of whose
question it was: no tenant meets what another asked, not even by the clock. A reply that could not be read is not kept.
What was used is added up for good: a budget outlives a restart.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rewarders.digests import digest
from rewarders.errors import ConfigError

FILE_NAME = "judges.sqlite3"
MAX_REPLIES = 200_000
_PRUNE_EVERY = 1000
_TABLES = """
CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (seq INTEGER PRIMARY KEY, key TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS used (judge TEXT PRIMARY KEY, tokens INTEGER NOT NULL, money REAL NOT NULL);
"""


def key_of(tenant: str | None, identity: str, question: str, sample: int) -> str:
    """What a reply is remembered under; `identity` and `question` are digests."""
    return digest([*([tenant] if tenant is not None else []), identity, question, sample])


class Memory:
    """Opened when it is first used, on the thread that uses it."""

    def __init__(self, data_dir: Path | None, may_keep: Callable[[dict[str, Any]], bool] | None = None) -> None:
        """None keeps everything in this process; of a reply that `may_keep` denies, nothing is kept anywhere."""
        self._may_keep = may_keep
        self._place = str(data_dir / FILE_NAME) if data_dir else ":memory:"
        self._opened: sqlite3.Connection | None = None
        self._kept = 0

    @property
    def _database(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> sqlite3.Connection:
        try:
            if self._place != ":memory:":
                Path(self._place).parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self._place, timeout=10.0, isolation_level=None)
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            database.executescript(_TABLES)
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(f"{self._place} cannot be used to remember what judges answer: {error}") from error
        return database

    def reply(self, key: str) -> dict[str, Any] | None:
        """What was kept under the key."""
        row = self._database.execute("SELECT body FROM replies WHERE key = ?", (key,)).fetchone()
        return dict(json.loads(row[0])) if row else None

    def keep(self, key: str, reply: dict[str, Any]) -> None:
        """Keep a reply, unless one is remembered: who only asks once more, to compare, changes no later reward. The
        oldest go where there are too many."""
        if self._may_keep and not self._may_keep(reply):
            return
        database = self._database
        database.execute("INSERT OR IGNORE INTO replies VALUES (?, ?)", (key, json.dumps(reply)))
        database.execute("INSERT INTO kept (key) VALUES (?)", (key,))
        self._kept += 1
        if self._kept % _PRUNE_EVERY == 0:
            self._prune(MAX_REPLIES)

    def forget(self, keys: Sequence[str]) -> int:
        """Remove replies so that their bytes are gone from the file too; answers how many there were."""
        database = self._database
        database.execute("PRAGMA secure_delete=ON")
        known = sum(database.execute("DELETE FROM replies WHERE key = ?", (key,)).rowcount for key in keys)
        if known:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return known

    def _prune(self, most: int) -> None:
        last = "(SELECT MAX(seq) FROM kept) - ?"
        newer = f"(SELECT key FROM kept WHERE seq > {last})"
        old = f"SELECT key FROM kept WHERE seq <= {last} AND key NOT IN {newer}"
        self._database.execute(f"DELETE FROM replies WHERE key IN ({old})", (most, most))
        self._database.execute(f"DELETE FROM kept WHERE seq <= {last}", (most,))

    def used(self, judge: str) -> tuple[int, float]:
        """Tokens and money that the judge has used so far."""
        row = self._database.execute("SELECT tokens, money FROM used WHERE judge = ?", (judge,)).fetchone()
        return (int(row[0]), float(row[1])) if row else (0, 0.0)

    def use(self, judge: str, tokens: int, money: float) -> None:
        """Add to it."""
        self._database.execute(
            "INSERT INTO used VALUES (?, ?, ?) ON CONFLICT (judge) DO UPDATE SET "
            "tokens = tokens + excluded.tokens, money = money + excluded.money",
            (judge, tokens, money),
        )

    def close(self) -> None:
        """Close the file."""
        if self._opened:
            self._opened.close()
            self._opened = None

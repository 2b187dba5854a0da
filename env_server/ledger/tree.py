"""One writer's tree in the database: who it is, where its tree ends, and the transaction that makes it longer.

The writer's row in the database is the truth, and signed. Each commit moves it from the size that is known here to the
next, or not at all: were the row to move without us (two processes with one key, a database restored from a backup),
nothing is written any more. What cannot be known (a connection lost during COMMIT) is read again before the next one.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NoReturn

from sqlalchemy import Connection, Engine, Row, func, insert, select, update

from env_server.ledger import kept_replies
from env_server.ledger.entry import placed_leaf
from env_server.ledger.inserting import insert_new, insert_rows
from env_server.ledger.kept_replies import KeptReply, KeysTaken
from env_server.ledger.laying import Laid
from env_server.ledger.merkle import Frontier, leaf_hash
from env_server.ledger.notes import BadNote, Checkpoint, open_checkpoint
from env_server.ledger.opening import database_errors
from env_server.ledger.outcomes import Outcomes
from env_server.ledger.schema import bodies, checkpoints, details, records, writers
from env_server.ledger.slots import CHECKPOINT_FILE, Slot, newest_checkpoint
from env_server.ledger.subjects import refuse_erased_subjects
from rewarders.errors import LedgerError

CHECKPOINT_RECORDS = 1000
CHECKPOINT_S = 1.0
_FORGET_EVERY_S = 60.0
_CHANGED = "somebody else wrote to the database: `env-server audit verify` says what is wrong; bring back a backup"


class Refused(LedgerError):
    """This writer must not write any more: its tree in the database is not the one it made."""


@dataclass(frozen=True)
class _End:
    """Where a tree ends, and what its writer signed of that."""

    frontier: Frontier
    signed: Checkpoint

    @property
    def columns(self) -> dict[str, Any]:
        """Those of the writer's row."""
        return {"size": self.frontier.size, "frontier": self.frontier.dump(), "note": self.signed.note}


class WriterTree:
    """The one tree that this process extends. Not for several threads."""

    def __init__(
        self, database: Engine, slot: Slot, publish: Callable[[str], None], *, keep_replies_s: float = 0.0
    ) -> None:
        """Find the writer by its key, or enter it. Raises LedgerError."""
        self._database, self._signer, self._publish = database, slot.signer, publish
        self._keep_replies_s = keep_replies_s
        self._outcomes = Outcomes()
        self._tried: _End | None = None
        self._forgot_at = 0.0
        self.refused: Refused | None = None
        with database_errors("cannot be opened"), database.begin() as connection:
            self._writer, self._end = self._enter(connection)
            self._kept_size = self._kept_so_far(connection)
        self._kept_at = time.monotonic()
        self._file = _identity(database)
        self._check_against(slot)

    @property
    def size(self) -> int:
        """How many records the tree has."""
        return self._end.frontier.size

    @property
    def is_ahead(self) -> bool:
        """Whether records came after the last checkpoint that was kept."""
        return self.size > self._kept_size

    def commit(self, laid: Sequence[Laid], kept: Sequence[KeptReply] = ()) -> None:
        """Make records and replies durable, all or none.

        Raises:
            LedgerError: nothing was written, or it cannot be known whether it was.
            KeysTaken: nothing was written, since some of the replies' keys have theirs.
            Refused: nothing was written, and nothing will be.
        """
        self._find_out()
        frontier, leaves = self._extended(laid)
        self._tried = longer = self._signed(frontier)
        is_due = self._is_due(longer.frontier.size)
        try:
            with database_errors("could not be written"), self._database.begin() as connection:
                self._advance(connection, longer)
                self._keep(connection, kept)
                self._write(connection, laid, leaves)
                if is_due:
                    connection.execute(insert(checkpoints), self._checkpoint(longer.signed))
        except KeysTaken:
            self._make_room(kept)
            return self.commit(laid, kept)
        self._settle(longer, is_kept=is_due)

    def sign(self) -> None:
        """Keep what is signed of the tree's end, if records came after the last checkpoint. Raises LedgerError."""
        self._find_out()
        if not self.is_ahead:
            return
        with database_errors("could not be signed"), self._database.begin() as connection:
            self._advance(connection, self._end)
            connection.execute(insert(checkpoints), self._checkpoint(self._end.signed))
        self._settle(self._end, is_kept=True)

    def _settle(self, end: _End, *, is_kept: bool) -> None:
        self._end, self._tried = end, None
        self._outcomes.remember()
        if is_kept:
            self._kept_size, self._kept_at = end.frontier.size, time.monotonic()
            self._publish(end.signed.note)

    def _extended(self, laid: Sequence[Laid]) -> tuple[Frontier, list[bytes]]:
        """The tree with the records at its end, and their leaves."""
        longer = Frontier.load(self.size, self._end.frontier.dump())
        unplaced = chain.from_iterable(part.leaves for part in laid)
        leaves = [leaf_hash(placed_leaf(seq, data)) for seq, data in enumerate(unplaced, self.size)]
        longer.extend(leaves)
        return longer, leaves

    def _signed(self, frontier: Frontier) -> _End:
        size, root, at_ms = frontier.size, frontier.root, time.time_ns() // 1_000_000
        note = self._signer.checkpoint(size, root, at_ms)
        return _End(frontier, Checkpoint(self._signer.name, size, root, at_ms, note))

    def _advance(self, connection: Connection, end: _End) -> None:
        """Move the writer's row, which also keeps out whoever has the same key."""
        mine = (writers.c.id == self._writer) & (writers.c.size == self.size)
        moved = update(writers).where(mine).values(end.columns)
        if connection.execute(moved).rowcount != 1:
            self._refuse(connection.execute(select(writers.c.size).where(writers.c.id == self._writer)).scalar())

    def _write(self, connection: Connection, laid: Sequence[Laid], leaves: Sequence[bytes]) -> None:
        refuse_erased_subjects(connection, set().union(*(part.abouts for part in laid)))
        numbers = self._outcomes.numbers(connection, {digest: s for part in laid for digest, s in part.said.items()})
        packed = {digest: body for part in laid for digest, body in part.bodies.items()}
        insert_new(connection, bodies, sorted(packed.items()))
        said_of = chain.from_iterable(part.details for part in laid)
        insert_rows(connection, details, [(self._writer, seq, said) for seq, said in enumerate(said_of, self.size)])
        rows = (row for part in laid for row in zip(part.heads, part.outcomes, part.tails, strict=True))
        insert_rows(
            connection,
            records,
            [
                (self._writer, seq, *head, numbers.get(outcome), *tail, leaf)
                for seq, ((head, outcome, tail), leaf) in enumerate(zip(rows, leaves, strict=True), self.size)
            ],
        )

    def _keep(self, connection: Connection, kept: Sequence[KeptReply]) -> None:
        """Comes before all else that writers share. Raises KeysTaken where a key is not free."""
        now = time.time()
        if kept and now > self._forgot_at + _FORGET_EVERY_S:
            self._forgot_at = now
            kept_replies.forget(connection, now - self._keep_replies_s)
        kept_replies.keep(connection, kept, now)

    def _make_room(self, kept: Sequence[KeptReply]) -> None:
        """Forget what has had its time, so that its keys are free. Raises KeysTaken where one is not."""
        keys = {one.key for one in kept}
        with database_errors("could not be written"), self._database.begin() as connection:
            kept_replies.forget(connection, time.time() - self._keep_replies_s)
            taken = kept_replies.taken(connection, keys)
        if taken or len(keys) < len(kept):
            raise KeysTaken(taken)

    def _is_due(self, size: int) -> bool:
        new = size - self._kept_size
        return new >= CHECKPOINT_RECORDS or (new > 0 and time.monotonic() >= self._kept_at + CHECKPOINT_S)

    def _checkpoint(self, signed: Checkpoint) -> dict[str, Any]:
        columns = {"size": signed.size, "root": signed.root, "at_ms": signed.at_ms, "note": signed.note}
        return {"writer": self._writer, **columns}

    def _find_out(self) -> None:
        """Read the writer's row again if the last commit may or may not have happened. Raises LedgerError."""
        if self.refused:
            raise self.refused
        if _identity(self._database) != self._file:
            self._refuse_as(f"{self._database.url.database} is not the file any more that the ledger was opened in")
        if self._tried is None:
            return
        where = select(writers.c.size, writers.c.frontier, writers.c.note).where(writers.c.id == self._writer)
        with database_errors("could not be written"), self._database.begin() as connection:
            # FOR UPDATE waits for a transaction of ours that PostgreSQL may still be ending.
            row = connection.execute(where.with_for_update()).one_or_none()
            self._kept_size = self._kept_so_far(connection)
        known = (one for one in (self._end, self._tried) if row and one.signed.note == row.note)
        found = next(known, None)
        if found is None:
            self._refuse(row.size if row else None)
        self._end, self._tried = found, None

    def _refuse(self, found: int | None) -> NoReturn:
        there = "is not in the database" if found is None else f"has {found} records in the database"
        self._refuse_as(
            f"the tree of {self._signer.name} {there}, and {self.size} were written here: another process writes with "
            "the same key, or the database was put back to an older state"
        )

    def _refuse_as(self, problem: str) -> NoReturn:
        self.refused = Refused(problem, hint="give each server a data directory of its own, and restart this one")
        raise self.refused

    def _enter(self, connection: Connection) -> tuple[int, _End]:
        mine = select(writers).where(writers.c.public_key == self._signer.public_key)
        row = connection.execute(mine).one_or_none()
        if row is None:
            key, name = self._signer.public_key, self._signer.name
            nothing = self._signed(Frontier()).columns
            connection.execute(insert(writers).values(public_key=key, name=name, **nothing))
            row = connection.execute(mine).one()
        return row.id, self._opened(row)

    def _opened(self, row: Row[Any]) -> _End:
        """The end of the tree, if it is what this writer signed: whoever has the database alone can write another."""
        try:
            frontier, signed = Frontier.load(row.size, bytes(row.frontier)), open_checkpoint(row.note, row.public_key)
        except (ValueError, TypeError, BadNote) as error:
            raise LedgerError(f"the row of writer {self._signer.name} is damaged: {error}", hint=_CHANGED) from error
        if (signed.size, signed.root) != (frontier.size, frontier.root):
            raise LedgerError(
                f"writer {self._signer.name} signed {signed.size} records, and the database has {frontier.size}"
                f"{', which are others' if signed.size == frontier.size else ''}",
                hint=_CHANGED,
            )
        return _End(frontier, signed)

    def _kept_so_far(self, connection: Connection) -> int:
        signed = select(func.max(checkpoints.c.size)).where(checkpoints.c.writer == self._writer)
        return connection.execute(signed).scalar() or 0

    def _check_against(self, slot: Slot) -> None:
        """What this writer signed must still be in the database: to go on from less would fork its history."""
        note = newest_checkpoint(slot.directory)
        if note is None:
            return
        try:
            signed = open_checkpoint(note, self._signer.public_key)
        except BadNote as error:
            raise LedgerError(f"{slot.directory / CHECKPOINT_FILE}: {error}") from error
        same_size = signed.size == self.size
        if signed.size > self.size or (same_size and signed.root != self._end.frontier.root):
            raise LedgerError(
                f"writer {self._signer.name} signed {signed.size} records, and the database has {self.size}"
                f"{', which are others' if same_size else ''}: it was put back to an older state, or is another one",
                hint=f"bring back the newer database, or move {slot.directory} away to begin a new tree",
            )


def _identity(database: Engine) -> tuple[int, int] | None:
    """Which file SQLite's path names just now; None where there is none."""
    path = database.url.database
    if database.dialect.name != "sqlite" or path is None:
        return None
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino

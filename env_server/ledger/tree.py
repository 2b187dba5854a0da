"""One writer's tree in the database: who it is, where its tree ends, and the transaction that makes it longer.

The writer's row in the database is the truth. Each commit moves it from the size that is known here to the next, or not
at all: were the row to move without us (two processes with one key, a database restored from a backup), nothing is
written any more. What cannot be known (a connection lost during COMMIT) is read again before the next commit.
"""

import time
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NoReturn

from sqlalchemy import Connection, Engine, func, insert, select, update

from env_server.ledger import kept_replies
from env_server.ledger.entry import leaf_data
from env_server.ledger.inserting import insert_new, insert_rows
from env_server.ledger.kept_replies import KeptReply
from env_server.ledger.laying import Laid
from env_server.ledger.merkle import Frontier, leaf_hash
from env_server.ledger.notes import BadNote, open_checkpoint
from env_server.ledger.opening import database_errors
from env_server.ledger.outcomes import Outcomes
from env_server.ledger.schema import bodies, checkpoints, details, records, writers
from env_server.ledger.slots import CHECKPOINT_FILE, Slot, newest_checkpoint
from rewarders.errors import LedgerError

CHECKPOINT_RECORDS = 1000
CHECKPOINT_S = 1.0
_FORGET_EVERY_S = 60.0
_in_order = itemgetter(*(column.name for column in records.columns))


class Refused(LedgerError):
    """This writer must not write any more: its tree in the database is not the one it made."""


class WriterTree:
    """The one tree that this process extends. Not for several threads."""

    def __init__(
        self, database: Engine, slot: Slot, publish: Callable[[str], None], *, keep_replies_s: float = 0.0
    ) -> None:
        """Find the writer by its key, or enter it. Raises LedgerError."""
        self._database, self._signer, self._publish = database, slot.signer, publish
        self._keep_replies_s = keep_replies_s
        self._outcomes = Outcomes()
        self._tried: Frontier | None = None
        self._forgot_at = 0.0
        self.refused: Refused | None = None
        with database_errors("cannot be opened"), database.begin() as connection:
            self._writer, self._frontier = self._enter(connection)
            self._signed_size = self._signed_so_far(connection)
        self._signed_at = time.time()
        self._check_against(slot)

    @property
    def size(self) -> int:
        """How many records the tree has."""
        return self._frontier.size

    @property
    def unsigned(self) -> bool:
        """Whether records came after the last checkpoint."""
        return self._frontier.size > self._signed_size

    def commit(self, laid: Sequence[Laid], kept: Sequence[KeptReply] = ()) -> None:
        """Make records and replies durable, all or none.

        Raises:
            LedgerError: nothing was written, or it cannot be known whether it was.
            Refused: nothing was written, and nothing will be.
        """
        self._find_out()
        longer = self._extended(laid)
        checkpoint = self._checkpoint(longer) if self._is_due(longer) else None
        self._tried = longer
        with database_errors("could not be written"), self._database.begin() as connection:
            self._advance(connection, longer)
            self._write(connection, laid)
            if checkpoint:
                connection.execute(insert(checkpoints), checkpoint)
            self._keep(connection, kept)
        self._settle(longer, checkpoint)

    def sign(self) -> None:
        """Sign where the tree ends, if records came after the last checkpoint. Raises LedgerError."""
        self._find_out()
        if not self.unsigned:
            return
        checkpoint = self._checkpoint(self._frontier)
        with database_errors("could not be signed"), self._database.begin() as connection:
            self._advance(connection, self._frontier)
            connection.execute(insert(checkpoints), checkpoint)
        self._settle(self._frontier, checkpoint)

    def _settle(self, longer: Frontier, checkpoint: dict[str, Any] | None) -> None:
        self._frontier, self._tried = longer, None
        self._outcomes.remember()
        if checkpoint:
            self._signed_size, self._signed_at = longer.size, time.time()
            self._publish(checkpoint["note"])

    def _extended(self, laid: Sequence[Laid]) -> Frontier:
        """The tree with the records at its end; they are given their places and leaves."""
        longer = Frontier.load(self._frontier.size, self._frontier.dump())
        for part in laid:
            for row in part.rows:
                row["writer"], row["seq"] = self._writer, longer.size
                row["leaf"] = leaf_hash(leaf_data(row))
                longer.append(row["leaf"])
        return longer

    def _advance(self, connection: Connection, longer: Frontier) -> None:
        """Move the writer's row, which also keeps out whoever has the same key."""
        mine = (writers.c.id == self._writer) & (writers.c.size == self._frontier.size)
        moved = update(writers).where(mine).values(size=longer.size, frontier=longer.dump())
        if connection.execute(moved).rowcount != 1:
            self._refuse(connection.execute(select(writers.c.size).where(writers.c.id == self._writer)).scalar())

    def _write(self, connection: Connection, laid: Sequence[Laid]) -> None:
        numbers = self._outcomes.numbers(connection, [said for part in laid for said in part.said])
        for part in laid:
            for row, said in zip(part.rows, part.said, strict=True):
                row["outcome"] = numbers[said]
        rows = [row for part in laid for row in part.rows]
        packed = {digest: body for part in laid for digest, body in part.bodies.items()}
        said_of = [detail for part in laid for detail in part.details]
        insert_new(connection, bodies, sorted(packed.items()))
        insert_rows(connection, details, [(row["writer"], row["seq"], d) for row, d in zip(rows, said_of, strict=True)])
        insert_rows(connection, records, [_in_order(row) for row in rows])

    def _keep(self, connection: Connection, kept: Sequence[KeptReply]) -> None:
        now = time.time()
        kept_replies.keep(connection, kept, now)
        if kept and now > self._forgot_at + _FORGET_EVERY_S:
            self._forgot_at = now
            kept_replies.forget(connection, now - self._keep_replies_s)

    def _is_due(self, longer: Frontier) -> bool:
        new = longer.size - self._signed_size
        return new >= CHECKPOINT_RECORDS or (new > 0 and time.time() >= self._signed_at + CHECKPOINT_S)

    def _checkpoint(self, frontier: Frontier) -> dict[str, Any]:
        size, root, at_ms = frontier.size, frontier.root, time.time_ns() // 1_000_000
        note = self._signer.checkpoint(size, root, at_ms)
        return {"writer": self._writer, "size": size, "root": root, "at_ms": at_ms, "note": note}

    def _find_out(self) -> None:
        """Read the writer's row again if the last commit may or may not have happened. Raises LedgerError."""
        if self.refused:
            raise self.refused
        if self._tried is None:
            return
        where = select(writers.c.size, writers.c.frontier).where(writers.c.id == self._writer)
        with database_errors("could not be written"), self._database.begin() as connection:
            # FOR UPDATE waits for a transaction of ours that PostgreSQL may still be ending.
            row = connection.execute(where.with_for_update()).one_or_none()
            self._signed_size = self._signed_so_far(connection)
        known = {(one.size, one.dump()): one for one in (self._frontier, self._tried)}
        found = known.get((row.size, bytes(row.frontier))) if row else None
        if found is None:
            self._refuse(row.size if row else None)
        self._frontier, self._tried = found, None

    def _refuse(self, found: int | None) -> NoReturn:
        there = "is not in the database" if found is None else f"has {found} records in the database"
        self.refused = Refused(
            f"the tree of {self._signer.name} {there}, and {self.size} were written here: another process writes with "
            "the same key, or the database was put back to an older state",
            hint="give each server a data directory of its own, and restart this one",
        )
        raise self.refused

    def _enter(self, connection: Connection) -> tuple[int, Frontier]:
        mine = select(writers.c.id, writers.c.size, writers.c.frontier)
        mine = mine.where(writers.c.public_key == self._signer.public_key)
        row = connection.execute(mine).one_or_none()
        if row is None:
            key, name = self._signer.public_key, self._signer.name
            connection.execute(insert(writers).values(public_key=key, name=name, size=0, frontier=b""))
            row = connection.execute(mine).one()
        try:
            return row.id, Frontier.load(row.size, bytes(row.frontier))
        except ValueError as error:
            raise LedgerError(f"the row of writer {self._signer.name} is damaged: {error}") from error

    def _signed_so_far(self, connection: Connection) -> int:
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
        if signed.size > self.size or (same_size and signed.root != self._frontier.root):
            raise LedgerError(
                f"writer {self._signer.name} signed {signed.size} records, and the database has {self.size}"
                f"{', which are others' if same_size else ''}: it was put back to an older state, or is another one",
                hint=f"bring back the newer database, or move {slot.directory} away to begin a new tree",
            )

"""Appending with group commit: many requests share one durable transaction.

One thread owns the writing connection. Requests lay out their records, put them on a bounded queue and wait; the thread
takes all that has gathered, makes the tree longer by it in one commit, and only then are the requests answered.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from env_server.ledger import kept_replies
from env_server.ledger.entry import Entry
from env_server.ledger.kept_replies import KeptReply, KeysTaken, KeyTaken
from env_server.ledger.laying import Laid, lay_out
from env_server.ledger.opening import database_errors, open_to_write
from env_server.ledger.place import Place
from env_server.ledger.publishing import Publisher
from env_server.ledger.slots import CHECKPOINT_FILE, Slot, claim_slot
from env_server.ledger.tree import CHECKPOINT_S, Refused, WriterTree
from env_server.observing.tallies import LedgerTally
from rewarders.errors import LedgerError, Overloaded, boundary

_MOST_RECORDS_A_COMMIT = 4096
_MOST_BYTES_A_COMMIT = 64 * 1024 * 1024
_LAID_OUT_AT_ONCE = 8
"""More entries are laid out in a thread, so that the event loop goes on serving others."""
_DAY_S = 24 * 3600.0


@dataclass(frozen=True)
class _Append:
    laid: Laid
    reply: KeptReply | None
    done: "Future[None]" = field(default_factory=Future)

    def __post_init__(self) -> None:
        self.done.set_running_or_notify_cancel()  # whoever stops waiting does not undo what is being written

    def settle(self, error: LedgerError | None) -> None:
        if error:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)


class LedgerWriter:
    """What writes to a ledger: one writer, with a key and a tree of its own, in one thread."""

    def __init__(
        self,
        place: Place,
        *,
        max_waiting_records: int = 1,
        keep_replies_s: float = _DAY_S,
        publish_dir: Path | None = None,
    ) -> None:
        """Open the database, migrating it where needed, and take a writer's slot of the data directory.

        Raises:
            LedgerError: the database or the slot cannot be used, or they do not belong together.
            ConfigError: the URL, the password file or the driver is wrong.
        """
        with ExitStack() as undo:
            self._database = open_to_write(place)
            undo.callback(self._database.dispose)
            assert place.data_dir is not None, "open_to_write has checked"
            self._slot = claim_slot(place.data_dir)
            undo.callback(self._slot.release)
            self._publisher = Publisher(_checkpoint_files(self._slot, publish_dir))
            self._tree = WriterTree(self._database, self._slot, self._publisher.publish, keep_replies_s=keep_replies_s)
            undo.pop_all()
        self._keep_replies_s = keep_replies_s
        self._max_waiting = max_waiting_records
        self._waiting = 0
        self._since_s: dict[object, float] = {}
        self._outage: LedgerError | None = None
        self.tally = LedgerTally()
        self._queue: queue.SimpleQueue[_Append | None] = queue.SimpleQueue()
        # One thread: several would take the interpreter from one another, and from the one that writes.
        self._laying = ThreadPoolExecutor(1, "laying")
        self._thread = threading.Thread(target=self._write_until_closed, name="ledger", daemon=True)
        self._thread.start()

    async def append(self, entries: Sequence[Entry], reply: KeptReply | None = None) -> None:
        """Make the records, and the reply, durable.

        Raises:
            Overloaded: the queue is full; nothing was taken.
            KeyTaken: the reply's key has an answer, of another process; nothing was written.
            LedgerError: the database refused; nothing was written.
        """
        if self._waiting + len(entries) > self._max_waiting:
            raise Overloaded(f"{self._waiting} records wait to be written")
        self._waiting += len(entries)
        mine = object()
        self._since_s[mine] = time.monotonic()
        try:
            laid = await self._laid_out(entries)
            await asyncio.wrap_future(self._put(laid, reply))
        finally:
            self._waiting -= len(entries)
            del self._since_s[mine]

    async def _laid_out(self, entries: Sequence[Entry]) -> Laid:
        if len(entries) <= _LAID_OUT_AT_ONCE:
            return _lay_out(entries)
        return await asyncio.get_running_loop().run_in_executor(self._laying, _lay_out, entries)

    def append_now(self, entries: Sequence[Entry]) -> None:
        """Make the records durable, blocking until they are: for commands. Raises LedgerError."""
        self._put(_lay_out(entries), None).result()

    def _put(self, laid: Laid, reply: KeptReply | None) -> "Future[None]":
        if not self._thread.is_alive():
            raise LedgerError("the ledger is closed")
        wanted = _Append(laid, reply)
        self._queue.put(wanted)
        return wanted.done

    @property
    def waiting_records(self) -> int:
        """How many are on their way."""
        return self._waiting

    @property
    def lag_s(self) -> float:
        """How long the oldest of them has been."""
        return next((time.monotonic() - since_s for since_s in self._since_s.values()), 0.0)

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written just now, if nothing can."""
        if refused := self._tree.refused or self._outage:
            return str(refused)
        return None if self._thread.is_alive() else "the ledger is not being written any more"

    @property
    def limitation(self) -> str | None:
        """What does not work although records are written, if something does not."""
        return self._publisher.trouble

    def kept_reply(self, key: str) -> tuple[str, bytes] | None:
        """Request digest and answer kept under an idempotency key, if any. Blocks on the database.

        Raises:
            LedgerError: the database cannot be read.
        """
        with (
            database_errors("cannot be read"),
            self._database.connect().execution_options(read_only=True) as connection,
        ):
            return kept_replies.find(connection, key, time.time() - self._keep_replies_s)

    def kept_replies(self, keys: Sequence[str]) -> dict[str, KeptReply]:
        """What is kept under the keys, by key. Blocks on the database.

        Raises:
            LedgerError: the database cannot be read.
        """
        with (
            database_errors("cannot be read"),
            self._database.connect().execution_options(read_only=True) as connection,
        ):
            return kept_replies.taken(connection, keys)

    def close(self) -> None:
        """Write what was appended, sign where the tree ends, then stop."""
        self._queue.put(None)
        self._thread.join()
        self._laying.shutdown()
        self._database.dispose()
        self._slot.release()

    def _write_until_closed(self) -> None:
        while (group := self._gather()) is not None:
            if group:
                self._write(group)
            else:
                self._look_for_database()
                self._sign()
        self._sign()

    def _look_for_database(self) -> None:
        """Whoever is told to send requests elsewhere sends none that would show that it is there again."""
        if self._outage is not None:
            with suppress(LedgerError), database_errors("cannot be read"), self._database.connect() as connection:
                connection.execute(text("SELECT 1"))
                self._outage = None

    def _write(self, group: Sequence[_Append]) -> None:
        error = self._try_to_commit(group)
        if isinstance(error, KeysTaken) and error.taken:
            self._write_rest(group, error.taken)
        elif error is None or len(group) == 1 or isinstance(error, Refused) or _is_outage(error):
            for wanted in group:
                wanted.settle(error)
        else:  # something in one of them cannot be written: let the others not suffer for it
            for wanted in group:
                wanted.settle(self._try_to_commit([wanted]))

    def _write_rest(self, group: Sequence[_Append], taken: dict[str, KeptReply]) -> None:
        """Whoever was too late with a key is told alone."""
        rest = []
        for wanted in group:
            if wanted.reply and (kept := taken.get(wanted.reply.key)):
                wanted.settle(KeyTaken(kept))
            else:
                rest.append(wanted)
        if rest:
            self._write(rest)

    def _try_to_commit(self, group: Sequence[_Append]) -> LedgerError | None:
        """Write in one transaction. Whatever goes wrong is returned: this thread has to outlive it."""
        began_s = time.monotonic()
        try:
            with boundary(LedgerError, "writing the ledger"):
                self._tree.commit([wanted.laid for wanted in group], [wanted.reply for wanted in group if wanted.reply])
        except LedgerError as error:
            self._outage = error if _is_outage(error) else None
            return error
        finally:
            self.tally.busy_s += time.monotonic() - began_s
        self._outage = None
        self.tally.commits += 1
        self.tally.records += sum(len(wanted.laid) for wanted in group)
        self.tally.size_bytes += sum(wanted.laid.size_bytes for wanted in group)
        return None

    def _sign(self) -> None:
        try:
            with boundary(LedgerError, "signing the ledger"):
                self._tree.sign()
                self._publisher.flush()
        except LedgerError as error:
            self._publisher.trouble = str(error)

    def _gather(self) -> list[_Append] | None:
        """Everything that waits, up to a bound; nothing where it is time for other work; None when closed."""
        is_due = self._tree.is_ahead or self._publisher.waiting or self._outage
        try:
            first = self._queue.get(timeout=CHECKPOINT_S if is_due else None)
        except queue.Empty:
            return []
        if first is None:
            return None
        group, records, size_bytes = [first], len(first.laid), first.laid.size_bytes
        while records < _MOST_RECORDS_A_COMMIT and size_bytes < _MOST_BYTES_A_COMMIT and not self._queue.empty():
            wanted = self._queue.get()
            if wanted is None:
                self._queue.put(None)
                break
            group.append(wanted)
            records += len(wanted.laid)
            size_bytes += wanted.laid.size_bytes
        return group


def _checkpoint_files(slot: Slot, publish_dir: Path | None) -> list[Path]:
    """Beside the key, and where the operator wants it."""
    published = publish_dir and publish_dir / f"{slot.signer.name.replace('/', '-')}.{CHECKPOINT_FILE}"
    return [slot.directory / CHECKPOINT_FILE, *filter(None, [published])]


def _lay_out(entries: Sequence[Entry]) -> Laid:
    with boundary(LedgerError, "laying out the records"):
        return lay_out(entries)


def _is_outage(error: LedgerError) -> bool:
    """Whether it is the database's trouble, and not that of one record."""
    return isinstance(error.__cause__, OperationalError)

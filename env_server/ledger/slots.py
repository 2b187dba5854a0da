"""Which writer a process is: each takes a slot of the data directory, with a signing key and so a chain of its own.

`data_dir/writers/<n>/` holds `lock`, `key.pem` and the newest `checkpoint`. The lock is the kernel's: it goes with the
process, however that ends, and the next process takes the slot over.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from env_server.ledger.notes import Signer
from rewarders.errors import LedgerError

CHECKPOINT_FILE = "checkpoint"


@dataclass(frozen=True)
class Slot:
    """A writer's directory, held until it is released."""

    directory: Path
    signer: Signer
    lock: int

    def release(self) -> None:
        """Let another process have it."""
        os.close(self.lock)


def claim_slot(data_dir: Path) -> Slot:
    """The first slot that nobody holds, made if there is none.

    Raises:
        LedgerError: the directory cannot be used, or the slot's key cannot.
    """
    for number in count(1):
        directory = data_dir / "writers" / str(number)
        with _errors(directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = _try_to_lock(directory / "lock")
        if lock is not None:
            return _with_key(directory, lock)
    raise AssertionError("there is always a next number")


def newest_checkpoint(directory: Path) -> str | None:
    """What the slot's writer signed last, if anything. Raises LedgerError where it cannot be read."""
    with _errors(directory):
        try:
            return (directory / CHECKPOINT_FILE).read_text("utf-8") or None
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise LedgerError(f"{directory / CHECKPOINT_FILE} is no checkpoint") from error


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that it is never seen half written. Not synced: the database has it too. Raises OSError."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_text(text, "utf-8")
    unfinished.replace(path)


def _with_key(directory: Path, lock: int) -> Slot:
    try:
        return Slot(directory, Signer.load_or_make(directory), lock)
    except LedgerError:
        os.close(lock)
        raise


def _try_to_lock(path: Path) -> int | None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError:
        os.close(handle)
        raise
    return handle


@contextmanager
def _errors(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LedgerError(f"the writer's directory {directory} cannot be used: {error.strerror}") from error

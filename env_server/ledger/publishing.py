"""Where signed checkpoints go beside the database, so that whoever rewrites that is found out."""

import time
from collections.abc import Sequence
from pathlib import Path

from env_server.ledger.slots import write_atomically

_PAUSE_S = 1.0
"""Replacing a file can take as long as a commit."""


class Publisher:
    """Writes the newest checkpoint to files. One that cannot be written stops nothing: the records are durable."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self.trouble: str | None = None
        """Why the newest checkpoint is not everywhere, if it is not."""
        self.waiting: str | None = None
        """The newest checkpoint, if it is still to be written."""
        self._wrote_at = 0.0

    def publish(self, note: str) -> None:
        """Write a checkpoint to every file, or keep it for `flush` if one was written just now."""
        self.waiting = note
        if time.monotonic() >= self._wrote_at + _PAUSE_S:
            self.flush()

    def flush(self) -> None:
        """Write the checkpoint that waits, if one does."""
        if self.waiting is None:
            return
        note, self.waiting, self._wrote_at = self.waiting, None, time.monotonic()
        troubles = [trouble for path in self._files if (trouble := _try_to_write(path, note))]
        self.trouble = "; ".join(troubles) or None


def _try_to_write(path: Path, note: str) -> str | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, note)
    except OSError as error:
        return f"the checkpoint {path} cannot be written: {error.strerror}"
    return None

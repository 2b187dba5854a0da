"""Where weights wait to be read by another process: a folder of this process alone, gone when the process is.

A process that is killed cannot tidy up. Its folder is locked as long as it lives, so that the next one can tell, and
removes what nobody holds.
"""

import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from torch import Tensor

from rewarders.errors import TrainingError

PREFIX: Final = "assay-weights-"
FILE: Final = "model.safetensors"
SHARED_MEMORY: Final = Path("/dev/shm")
_LOCK: Final = "lock"


class Outbox:
    """Folders of weights below `root`, each there for one transfer."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        sweep(root)
        self.folder = root.absolute() / f"{PREFIX}{uuid.uuid4().hex}"
        self.folder.mkdir(mode=0o700)
        self._lock = os.open(self.folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._written = 0

    @contextmanager
    def holding(self, tensors: Iterable[tuple[str, Tensor]]) -> Iterator[Path]:
        """A folder with the tensors in one file, for as long as the block lasts.

        Raises:
            TrainingError: there is no room for them.
        """
        from trainer.weights.streaming import write_tensors

        with self.folder_for_now() as place:
            with naming_the_place(place):
                write_tensors(place / FILE, tensors)
            yield place

    @contextmanager
    def folder_for_now(self) -> Iterator[Path]:
        """An empty folder with a name of its own, for as long as the block lasts. Raises TrainingError."""
        self._written += 1
        place = self.folder / str(self._written)
        try:
            with naming_the_place(place):
                place.mkdir()
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


@contextmanager
def naming_the_place(place: Path) -> Iterator[None]:
    """Say where weights could not be written. Raises TrainingError."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"the weights could not be written to {place}: {error}",
            hint="make room there, or choose another sampler.transfer",
        ) from error


def digest_of(place: Path) -> str:
    """SHA-256 of the weights in a folder."""
    with (place / FILE).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(root: Path) -> None:
    """Remove what processes that are gone have left below `root`."""
    for folder in root.glob(f"{PREFIX}*"):
        if _abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    """Whether nobody holds the folder. One that is not ours to open is left alone."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True

"""The folder in which several server processes keep their metrics: made, put together as they end, and removed.

Whoever uses it holds a shared lock on it, which goes with the process, however that ends. So what nobody holds is left
over, and whoever leaves last, or starts next, removes it.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path
from tempfile import gettempdir, mkdtemp

from prometheus_client.mmap_dict import MmapedDict

_MADE, _NOT_HELD_YET = "env-server-metrics-", "env-server-starting-"
_DEAD = 0
"""The process that all count for who have ended."""


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A new one, removed at the end; so are those that are left over from before."""
    for old in Path(gettempdir()).glob(f"{_MADE}*"):
        _remove_if_left(old)
    folder = Path(mkdtemp(prefix=_NOT_HELD_YET))
    named = folder.with_name(folder.name.replace(_NOT_HELD_YET, _MADE))
    try:
        with held(folder):
            yield folder.rename(named)
    finally:
        _remove_if_left(named)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """While the folder is used by this process."""
    descriptor = _opened(folder)
    flock(descriptor, LOCK_SH)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def used(folder: Path) -> Iterator[None]:
    """As `held`; behind it the folder is removed if nobody else uses it: those who had made it are gone then."""
    try:
        with held(folder):
            yield
    finally:
        _remove_if_left(folder)


@contextmanager
def as_a_whole(folder: Path) -> Iterator[None]:
    """While it is read: nothing is moved from one file to another meanwhile."""
    with _lock(folder).open("a") as lock:
        flock(lock, LOCK_SH)
        yield


def fold(folder: Path, ended: Collection[int]) -> bool:
    """Add up in one file of each kind what processes counted that have ended; drop what they said of themselves.

    Without it each that ever ran would be read for every `/metrics`.

    Returns:
        Whether it was done; not while somebody reads, who may be stuck.
    """
    with _lock(folder).open("a") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return False
        for file in folder.glob("*.db"):
            kind, _, pid = file.stem.rpartition("_")
            if int(pid) in ended:
                if not kind.startswith("gauge"):
                    _add(file, folder / f"{kind}_{_DEAD}.db")
                file.unlink()
    return True


def _add(file: Path, total: Path) -> None:
    sums = MmapedDict(str(total))  # type: ignore[no-untyped-call]
    for key, value, *_ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
        sums.write_value(key, sums.read_value(key)[0] + value, 0.0)  # type: ignore[no-untyped-call]
    sums.close()  # type: ignore[no-untyped-call]


def _lock(folder: Path) -> Path:
    return folder / "lock"


def _remove_if_left(folder: Path) -> None:
    """Unless somebody uses it, or it is none of ours."""
    with suppress(OSError):
        descriptor = _opened(folder)
        try:
            if os.fstat(descriptor).st_uid == os.getuid():
                flock(descriptor, LOCK_EX | LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)

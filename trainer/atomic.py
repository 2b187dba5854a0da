"""Write directories and files so that a reader, or a crash, sees all of it or none."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield an empty sibling to fill; on success it is flushed to disk and takes the place of `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".draft-{path.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    yield draft
    for file in sorted(draft.rglob("*")):
        _sync(file)
    _sync(draft)
    if path.exists():
        shutil.rmtree(path)
    draft.rename(path)
    _sync(path.parent)


def write_atomically(path: Path, text: str) -> None:
    """Replace the file at `path` by one with this text."""
    draft = path.with_name(f".draft-{path.name}")
    draft.write_text(text, "utf-8")
    _sync(draft)
    draft.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

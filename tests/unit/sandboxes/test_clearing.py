"""Whatever a program left, it is removed, by root and by an ordinary user alike, and nothing beside it."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watched_runs import NOBODY, as_ordinary_user

from sandboxes.inside import clearing


def deep(top: Path) -> None:
    """Deeper than a path may be long, and than Python may recurse."""
    at = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


def many(top: Path) -> None:
    for number in range(4000):
        (top / str(number)).touch()


def wide(top: Path) -> None:
    for number in range(300):
        (top / str(number) / "inner").mkdir(parents=True)


def locked(top: Path) -> None:
    """Nobody may read, enter or write any of it."""
    inner = top / "a" / "b" / "c"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    for folder in (inner / "file", inner, inner.parent, inner.parent.parent, top):
        folder.chmod(0)


def odd(top: Path) -> None:
    """Names that are no text, and files that are no files."""
    for name in (b"\xff\xfe", b"new\nline", b"-rf", b"*", b" ", b"x" * 255, "ü".encode(), b"%s"):
        os.mkdir(os.path.join(os.fsencode(top), name))
        os.mknod(os.path.join(os.fsencode(top), name, name), 0o600)
    os.mkfifo(top / "fifo")
    (top / "dangling").symlink_to("nowhere")
    (top / "loop").symlink_to("loop")
    os.link(top / "fifo", top / "another name")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own: an ordinary user has to reach it."""
    made = Path(tempfile.mkdtemp())
    if os.geteuid() == 0:
        os.chown(made, NOBODY, NOBODY)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.parametrize("litter", [deep, many, wide, locked, odd])
def test_an_ordinary_user_empties_a_folder_of_anything(folder: Path, litter: Callable[[Path], None]):
    as_ordinary_user(lambda: litter(folder), lambda: clearing.empty(str(folder)))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("litter", [deep, many, wide, locked, odd])
def test_a_folder_is_removed_with_anything_in_it(folder: Path, litter: Callable[[Path], None]):
    as_ordinary_user(lambda: litter(folder))
    assert clearing.remove(str(folder)) is True
    assert not folder.exists()


def test_no_link_is_followed(tmp_path: Path):
    kept, top = tmp_path / "kept", tmp_path / "top"
    for place in (kept, top / "inner"):
        place.mkdir(parents=True)
    (kept / "file").write_text("precious")
    kept.chmod(0o750)
    (top / "link").symlink_to(kept)
    (top / "inner" / "link").symlink_to(kept)
    assert clearing.remove(str(top)) is True
    assert (kept / "file").read_text() == "precious"
    assert kept.stat().st_mode & 0o777 == 0o750


def test_a_link_in_the_place_of_the_folder_is_left_alone(tmp_path: Path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "kept").chmod(0o750)
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    assert clearing.remove(str(tmp_path / "link")) is False
    assert (tmp_path / "kept" / "file").exists()
    if os.geteuid() == 0:  # who could follow it anywhere
        assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o750


def test_what_resists_is_said(folder: Path):
    (folder / "theirs").mkdir()
    (folder / "theirs" / "file").touch()
    if os.geteuid() != 0:
        pytest.skip("only root can make a folder that its owner's folder does not give the right to empty")

    def refused() -> None:
        assert clearing.remove(str(folder)) is False
        with pytest.raises(PermissionError):
            clearing.empty(str(folder))

    as_ordinary_user(refused)
    assert (folder / "theirs" / "file").exists()


def test_what_is_gone_already_is_removed(tmp_path: Path):
    assert clearing.remove(str(tmp_path / "gone")) is True

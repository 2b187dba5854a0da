"""What a keeper brings back of a program's files: plain ones alone, in bounded number, with names that can be told."""

import os
from pathlib import Path

import pytest

from sandboxes.inside import keeper


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path


def fetched(work: Path, *wanted: str) -> dict[str, bytes]:
    """Path to content, as the warden would see it."""
    found = keeper._fetch(str(work), list(wanted))
    contents = {}
    for name, descriptor in found:
        with os.fdopen(descriptor, "rb") as file:
            contents[name] = file.read()
    assert len(contents) == len(found)
    return contents


def test_files_and_folders_come_back_in_the_order_asked_for(work: Path):
    (work / "out" / "deep").mkdir(parents=True)
    for path in ("out/b", "out/a", "out/deep/c", "single", "unasked"):
        (work / path).write_text(path)
    found = fetched(work, "single", "out")
    assert list(found) == ["single", "out/a", "out/b", "out/deep/c"]
    assert found["out/deep/c"] == b"out/deep/c"


def test_what_is_missing_or_no_plain_file_is_left_out(work: Path):
    os.mkfifo(work / "fifo")
    (work / "real").write_text("real")
    (work / "link").symlink_to("real")
    (work / "outside").symlink_to("/etc/passwd")
    assert fetched(work, "fifo", "missing", "missing/deeper", "link", "outside", "real", "real/below") == {
        "real": b"real"
    }


def test_no_link_on_the_way_is_followed(work: Path):
    (work / "folder").mkdir()
    (work / "folder" / "file").write_text("inside")
    (work / "way").symlink_to("folder")
    (work / "etc").symlink_to("/etc")
    (work / "folder" / "up").symlink_to("..")
    assert fetched(work, "way/file", "etc/passwd", "way", "folder/up/folder/file", "folder") == {
        "folder/file": b"inside"
    }


def test_no_more_files_come_back_than_can_be_told(work: Path):
    (work / "out").mkdir()
    for number in range(4000):
        (work / "out" / f"{number:04}").touch()
    assert list(fetched(work, "out")) == [f"out/{number:04}" for number in range(keeper.MAX_FETCHED_FILES)]


def test_looking_for_files_ends_however_many_folders_there_are(work: Path):
    for number in range(4000):
        (work / "out" / f"{number:04}" / "empty").mkdir(parents=True)
    assert fetched(work, "out") == {}


@pytest.mark.parametrize("name", [b"\xff", b"new\nline", b"\x01" * 100, b"\x7f"])
def test_a_file_whose_name_is_no_text_is_left_out(work: Path, name: bytes):
    (work / "out").mkdir()
    for each in (name, b"plain", 'ü "quoted" \\'.encode()):
        with open(os.path.join(os.fsencode(work), b"out", each), "wb"):
            pass
    assert set(fetched(work, "out")) == {"out/plain", 'out/ü "quoted" \\'}


def test_what_the_warden_reads_of_an_ending_is_what_was_written():
    ended = keeper.Ended(2**31 - 1, 1 / 3, 2**63, 256, "no such file: „x“")
    assert keeper.Ended.read(ended.packed()) == ended


def test_a_deep_folder_is_no_trouble(work: Path):
    path = work
    for _ in range(60):
        path = path / "deep"
    path.mkdir(parents=True)
    (path / "file").touch()
    assert fetched(work, "deep") == {}  # its path is longer than is told
    (work / "deep" / "file").touch()
    assert set(fetched(work, "deep")) == {"deep/file"}

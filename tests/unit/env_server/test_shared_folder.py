"""The folder of metrics that server processes share: what has ended is put together, and nothing is left behind."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from env_server.observing import shared_folder as folders
from env_server.observing.shared_folder import as_a_whole, fold, shared_folder, used


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(folders, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def counted(folder: Path, pid: int, kind: str, name: str, value: float, **labels: str) -> None:
    """A process has counted so far."""
    file = MmapedDict(str(folder / f"{kind}_{pid}.db"))
    family = name.removesuffix("_total").removesuffix("_bucket")
    file.write_value(mmap_key(family, name, list(labels), list(labels.values()), "Help."), value, 0.0)
    file.close()


def exposed(folder: Path) -> str:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    return generate_latest(registry).decode()


def test_what_processes_counted_that_have_ended_is_counted_still_in_one_file():
    with shared_folder() as folder:
        for pid in range(1, 41):
            counted(folder, pid, "counter", "items_total", pid, rubric="r")
            counted(folder, pid, "histogram", "took_bucket", 2, le="1.0")
            counted(folder, pid, "gauge_livesum", "alive", 1)
        before = exposed(folder)
        assert all(fold(folder, {pid}) for pid in range(1, 40))
        expected = before.replace("alive 40.0", "alive 1.0")
        assert sorted(exposed(folder).splitlines()) == sorted(expected.splitlines())
        assert sorted(file.name for file in folder.glob("counter*")) == ["counter_0.db", "counter_40.db"]


def test_nothing_is_moved_while_somebody_reads():
    with shared_folder() as folder:
        counted(folder, 7, "counter", "items_total", 5)
        with as_a_whole(folder):
            assert not fold(folder, {7})
            assert (folder / "counter_7.db").exists()
        assert fold(folder, {7})
        assert "items_total 5.0" in exposed(folder)


def test_a_folder_whose_processes_were_killed_is_removed_by_the_next_that_starts(parent: Path):
    left, strange = parent / "env-server-metrics-left", parent / "env-server-metrics-file"
    left.mkdir()
    counted(left, 7, "counter", "items_total", 5)
    strange.write_text("none of ours")
    with shared_folder() as folder:
        assert set(parent.iterdir()) == {folder, strange}
        with shared_folder() as another:
            assert folder.exists()
            assert another != folder
    assert set(parent.iterdir()) == {strange}


def test_a_folder_goes_with_the_last_who_uses_it_and_with_what_goes_wrong_there(parent: Path):
    folder = parent / "env-server-metrics-one"
    folder.mkdir()
    with used(folder):
        with pytest.raises(SystemExit), used(folder):
            raise SystemExit(3)
        assert folder.exists()
    assert not folder.exists()
    with pytest.raises(SystemExit), shared_folder():
        raise SystemExit(3)
    assert list(parent.iterdir()) == []


def test_a_link_is_not_followed(parent: Path):
    with ExitStack() as stack:
        theirs = parent / "theirs"
        theirs.mkdir()
        (parent / "env-server-metrics-link").symlink_to(theirs)
        stack.enter_context(shared_folder())
        assert theirs.exists()

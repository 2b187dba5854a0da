"""A disk without room: nothing is answered that could not be recorded, and all goes on once there is room."""

import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from raw_items import raw_item

from env_server.audit.database_source import DatabaseSource
from env_server.audit.verifying import verify
from env_server.ledger.place import Place


@contextmanager
def limited_files(server) -> Iterator[None]:
    """No file of the server may grow: its next write fails, as on a full disk."""
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    longest = max(path.stat().st_size for path in server.data_dir.iterdir() if path.is_file())
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (longest, resource.RLIM_INFINITY))
    yield
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, unlimited)


@contextmanager
def filled_disk(server) -> Iterator[None]:
    """Somebody else fills the file system to the last byte."""
    filler = server.data_dir / "filler"
    with pytest.raises(OSError, match="No space left"):
        _write_for_ever(filler)
    yield
    filler.unlink()


def _write_for_ever(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB, where one can be mounted."""
    folder = tmp_path / "data"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("A FULL FILE SYSTEM IS NOT TESTED HERE: tmpfs cannot be mounted; files that cannot grow are")
    yield folder
    subprocess.run(["umount", folder], check=True)


def score(client: httpx.Client, count: int = 200) -> httpx.Response:
    items = [raw_item("x" * 200 + str(n)) for n in range(count)]
    return client.post("/v1/score", json={"items": items})


def check_that_it_fails_closed_and_recovers(server, full: Callable) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        recorded = 0
        for _ in range(2):
            assert score(client).status_code == 200
            recorded += 200
            with full(server):
                for _ in range(3):
                    refused = score(client)
                    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
                    assert "reward" not in refused.json()
            assert score(client).status_code == 200
            recorded += 200
    assert server.stop() == 0
    verification = verify(DatabaseSource(Place(server.data_dir)), processes=1)
    assert (verification.records, verification.findings) == (recorded, ())


def test_files_that_cannot_grow_fail_closed_and_recover(make_server):
    check_that_it_fails_closed_and_recovers(make_server(), limited_files)


def test_a_file_system_without_room_fails_closed_and_recovers(small_disk: Path, make_server):
    server = make_server()
    assert server.data_dir == small_disk
    check_that_it_fails_closed_and_recovers(server, filled_disk)

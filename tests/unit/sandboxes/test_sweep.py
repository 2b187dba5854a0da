"""A sweep removes what the dead left and nothing else."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes.inside import clearing
from sandboxes.inside.cgroups import Cgroups, NoCgroups, leftovers, owned_by, process_start
from sandboxes.sweep import sweep_here

ALIVE = owned_by(os.getpid())
DEAD = ALIVE.replace(f"-{process_start(os.getpid())}-", "-1-")


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    for name in (ALIVE, DEAD):
        clearing.remove(f"/tmp/{name}")


def test_a_dead_owners_work_folder_is_removed_and_named():
    folder = Path("/tmp") / DEAD
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "file").touch()
    assert str(folder) in sweep_here()
    assert not folder.exists()
    assert str(folder) not in sweep_here()


def test_a_living_owners_work_folder_is_left():
    folder = Path("/tmp") / ALIVE
    folder.mkdir()
    assert str(folder) not in sweep_here()
    assert folder.exists()


def test_a_link_of_such_a_name_is_left_alone(tmp_path: Path):
    (tmp_path / "file").touch()
    planted = Path("/tmp") / DEAD
    planted.symlink_to(tmp_path)
    try:
        assert str(planted) not in sweep_here()
        assert (tmp_path / "file").exists()
    finally:
        planted.unlink()


def test_dead_owners_control_groups_are_removed_and_named():
    try:
        cgroups = Cgroups()
    except NoCgroups as why:
        pytest.skip(f"no control groups can be made here: {why}")
    cgroups.make()
    roots = set(cgroups._roots.values())
    for root in roots:  # as the kernel does not rename all of them, the dead get one of their own
        (root.parent / DEAD / "1").mkdir(parents=True)
    try:
        removed = sweep_here()
        assert {str(root.parent / DEAD) for root in roots} <= set(removed)
        assert all((root / "1").is_dir() for root in roots)
        assert not any(DEAD in str(path) for path in leftovers())
    finally:
        for root in roots:
            (root / "1").rmdir()
        cgroups.close()

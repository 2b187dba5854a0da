"""A sweep removes what the dead left and nothing else."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from watched_runs import NOBODY, as_ordinary_user

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


def test_an_ordinary_users_sweep_changes_nothing_that_a_link_leads_to():
    place = Path(tempfile.mkdtemp())
    target = place / "theirs"
    target.mkdir(mode=0o750)
    planted = Path("/tmp") / DEAD
    planted.symlink_to(target)
    if os.geteuid() == 0:
        for path in (place, target):
            os.chown(path, NOBODY, NOBODY)
        os.lchown(planted, NOBODY, NOBODY)
    try:
        as_ordinary_user(sweep_here)
        assert target.stat().st_mode & 0o777 == 0o750
    finally:
        planted.unlink()
        shutil.rmtree(place)


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

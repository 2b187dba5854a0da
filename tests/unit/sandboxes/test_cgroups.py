"""Control groups: version 2 in a folder that looks like one, version 1 for real where this machine lets us."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sandboxes.inside.cgroups import Cgroups, Group, NoCgroups, leftovers, owned_by, owner_is_gone, process_start

MIB = 1024 * 1024
HOARDS = "import sys; sys.stdin.read(1); kept = [b'x' * (1 << 20) for _ in range(400)]"
FORKS = "import os, sys; sys.stdin.read(1); [os.fork() or os._exit(0) for _ in range(8)]"


@pytest.fixture
def delegated(tmp_path: Path) -> Path:
    """A folder with what version 2 shows of a delegated group."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    return tmp_path


@pytest.fixture
def real() -> Iterator[Cgroups]:
    try:
        cgroups = Cgroups()
    except NoCgroups as why:
        pytest.skip(f"no control groups can be made here: {why}")
    yield cgroups
    cgroups.close()


def made(delegated: Path) -> tuple[Group, Path]:
    group = Cgroups(delegated).make()
    return group, delegated / owned_by(os.getpid()) / "1"


def test_a_delegated_folder_gets_the_controllers_and_a_group_one_core(delegated: Path):
    _, folder = made(delegated)
    for parent in (delegated, folder.parent):
        assert (parent / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    assert (folder / "cpu.max").read_text() == "100000 100000"


def test_limits_are_written_once_for_runs_alike(delegated: Path):
    group, folder = made(delegated)
    group.limit(64 * MIB, 32)
    assert (folder / "memory.max").read_text() == str(64 * MIB)
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "pids.max").read_text() == "32"
    (folder / "pids.max").unlink()
    group.limit(64 * MIB, 32)
    assert not (folder / "pids.max").exists()
    group.limit(64 * MIB, 33)
    assert (folder / "pids.max").read_text() == "33"


def test_the_counters_are_read_in_the_units_they_promise(delegated: Path):
    group, folder = made(delegated)
    (folder / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1000000\n")
    (folder / "memory.peak").write_text("4096\n")
    (folder / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    assert group.cpu_s() == 1.5
    assert group.peak_bytes() == 4096
    assert group.out_of_memory_kills() == 2


def test_a_kernel_without_a_peak_counts_none(delegated: Path):
    group, _ = made(delegated)
    assert group.peak_bytes() == 0


def test_a_group_that_still_holds_something_is_not_removed(delegated: Path):
    group, folder = made(delegated)
    assert group.remove() is False
    (folder / "cpu.max").unlink()  # the kernel's own files do not keep a real one
    assert group.remove() is True
    assert group.remove() is True


def test_a_folder_that_is_not_delegated_is_named(delegated: Path):
    (delegated / "cgroup.subtree_control").mkdir()  # not even root can write to it
    with pytest.raises(NoCgroups, match=f"{delegated} is not delegated"):
        Cgroups(delegated)


def test_a_named_folder_without_the_controllers_is_not_replaced_by_another(tmp_path: Path):
    (tmp_path / "cgroup.controllers").write_text("cpu pids\n")
    with pytest.raises(NoCgroups, match=f"{tmp_path}.*memory"):
        Cgroups(tmp_path)


def test_a_dead_owners_groups_are_left_over_and_a_living_ones_are_not(delegated: Path):
    dead = delegated / owned_by(os.getpid()).replace(str(process_start(os.getpid())), "1")
    for folder in (dead / "1", dead / "2", delegated / owned_by(os.getpid()) / "1", delegated / "assay-data"):
        folder.mkdir(parents=True)
    assert [path for path in leftovers(delegated) if delegated in path.parents] == [dead / "1", dead / "2", dead]


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        (owned_by(os.getpid()), False),
        (owned_by(os.getpid()).replace(str(process_start(os.getpid())), "1"), True),
        (owned_by(os.getpid()).replace(f"-{os.getpid()}-", "-4194305-"), True),
        (owned_by(os.getpid()).replace(f"-{os.getpid()}-", "-4194305-").rpartition("-")[0] + "-1", False),
        ("assay-data", False),
        ("assay-1-1", False),
        ("assay-1-None-1", False),
    ],
    ids=["alive", "number-given-anew", "ended", "another-containers", "not-ours", "no-namespace", "no-start"],
)
def test_an_owner_is_gone_only_when_we_can_tell(name: str, gone: bool):
    assert owner_is_gone(name) is gone


def test_a_real_group_counts_cpu_time_and_kills_for_memory(real: Cgroups):
    group = real.make()
    group.limit(64 * MIB, 16)
    with subprocess.Popen([sys.executable, "-S", "-c", HOARDS], stdin=subprocess.PIPE) as process:
        group.attach(process.pid)
        assert group.remove() is False
        with suppress(BrokenPipeError):
            process.communicate(b"x")
    assert process.returncode == -9
    assert group.out_of_memory_kills() >= 1
    assert group.cpu_s() > 0
    assert 32 * MIB < group.peak_bytes() <= 64 * MIB
    assert group.remove() is True


def test_a_real_group_limits_processes_and_forgets_its_peak(real: Cgroups):
    group = real.make()
    group.limit(64 * MIB, 4)
    with subprocess.Popen(
        [sys.executable, "-S", "-c", FORKS], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        group.attach(process.pid)
        _, said = process.communicate(b"x")
    assert b"BlockingIOError" in said
    before = group.peak_bytes()
    group.limit(64 * MIB, 4)
    assert group.peak_bytes() < before
    assert group.remove() is True


def test_a_group_that_is_removed_counts_nothing(delegated: Path):
    group, folder = made(delegated)
    (folder / "cpu.max").unlink()
    assert group.remove()
    assert (group.cpu_s(), group.peak_bytes(), group.out_of_memory_kills()) == (0, 0, 0)

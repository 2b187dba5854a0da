"""Control groups for memory, processes and CPU: version 2 where delegated to us, version 1 as root, else none.

A folder `assay-<pid>-<start time>-<pid namespace>` below our own group holds those of one warden, so that `sweep` can
tell whose owner is dead.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_V1 = ("memory", "pids", "cpu", "cpuacct")
_V2 = {"memory", "pids", "cpu"}
_PERIOD_US = 100_000
_CLOSING_S = 2.0
PREFIX = "assay-"
_OWNED = re.compile(rf"{PREFIX}(?P<pid>[0-9]+)-(?P<start>[0-9]+)-(?P<namespace>[0-9]+)")


class NoCgroups(OSError):
    """This process may not make control groups; the message says what is missing."""


def process_start(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None if there is no such process."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return None


def owned_by(pid: int) -> str:
    """Name for what a process leaves behind, from which `sweep` can tell whether it is still alive."""
    return f"{PREFIX}{pid}-{process_start(pid)}-{_pid_namespace()}"


def owner_is_gone(name: str) -> bool:
    """Whether the process that `owned_by` made a name for has ended. False for any other name, and where we could not
    see the process: in another container that shares the folder."""
    owner = _OWNED.fullmatch(name)
    if owner is None or int(owner["namespace"]) != _pid_namespace():
        return False
    return process_start(int(owner["pid"])) != int(owner["start"])


def _pid_namespace() -> int:
    return os.stat("/proc/self/ns/pid").st_ino


class Group:
    """One control group: the folder of each hierarchy, and what it counts."""

    _removed = False

    def __init__(self, folders: dict[str, Path], version: int) -> None:
        self._folders, self._version = folders, version
        self._limits: tuple[int, int] | None = None
        self._files: dict[str, int] = {}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
        self._set("cpu", "cpu.max", f"{_PERIOD_US} {_PERIOD_US}", "cpu.cfs_quota_us", str(_PERIOD_US))

    def attach(self, pid: int) -> None:
        """Move a process in. Raises OSError when it is gone."""
        for folder in set(self._folders.values()):
            (folder / "cgroup.procs").write_text(str(pid))

    def limit(self, memory_bytes: int, pids: int) -> None:
        """Set the limits of the next run and forget the peak of the one before. Raises OSError."""
        if self._limits != (memory_bytes, pids):
            self._forbid_swap(memory_bytes)  # first on the way up, because memory may not be over memory and swap
            self._set("memory", "memory.max", str(memory_bytes), "memory.limit_in_bytes", str(memory_bytes))
            self._forbid_swap(memory_bytes)  # last on the way down
            self._set("pids", "pids.max", str(pids), "pids.max", str(pids))
            self._limits = (memory_bytes, pids)
        with suppress(OSError):  # before Linux 6.12 version 2 cannot forget
            os.pwrite(self._open(*self._peak), b"reset" if self._version == 2 else b"0", 0)

    def cpu_s(self) -> float:
        """CPU seconds used so far."""
        if self._version == 1:
            return int(self._read("cpuacct", "cpuacct.usage")) / 1e9
        return _counter(self._read("cpu", "cpu.stat"), b"usage_usec") / 1e6

    def peak_bytes(self) -> int:
        """Most memory used at once since `limit`; 0 where the kernel does not say."""
        try:
            return int(self._read(*self._peak))
        except OSError:
            return 0

    def out_of_memory_kills(self) -> int:
        """Processes that the kernel has killed here for want of memory."""
        name = "memory.events" if self._version == 2 else "memory.oom_control"
        return _counter(self._read("memory", name), b"oom_kill")

    def remove(self) -> bool:
        """Remove it; False while something still lives in it. What is removed counts nothing."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()
        for folder in set(self._folders.values()):
            try:
                with suppress(FileNotFoundError):
                    folder.rmdir()
            except OSError:
                return False
            self._removed = True
        return True

    @property
    def _peak(self) -> tuple[str, str]:
        return "memory", "memory.peak" if self._version == 2 else "memory.max_usage_in_bytes"

    def _read(self, controller: str, name: str) -> bytes:
        return b"0" if self._removed else os.pread(self._open(controller, name), 4096, 0)

    def _open(self, controller: str, name: str) -> int:
        """Several are read for every run, so they stay open."""
        if name not in self._files:
            try:
                descriptor = os.open(self._folders[controller] / name, os.O_RDWR | os.O_CLOEXEC)
            except OSError:  # not ours to write, or mounted read-only
                descriptor = os.open(self._folders[controller] / name, os.O_RDONLY | os.O_CLOEXEC)
            self._files[name] = descriptor
        return self._files[name]

    def _forbid_swap(self, memory_bytes: int) -> None:
        with suppress(OSError):  # not allowed in this order, or no swap accounting
            self._set("memory", "memory.swap.max", "0", "memory.memsw.limit_in_bytes", str(memory_bytes))

    def _set(self, controller: str, name_v2: str, value_v2: str, name_v1: str, value_v1: str) -> None:
        name, value = (name_v2, value_v2) if self._version == 2 else (name_v1, value_v1)
        (self._folders[controller] / name).write_text(value)


class Cgroups:
    """Where this process may make groups."""

    def __init__(self, parent: Path | None = None) -> None:
        """Find a hierarchy and make our folder in it.

        Args:
            parent: a delegated version 2 folder named by the operator; by default the group of this process.

        Raises:
            NoCgroups: saying what is missing.
        """
        self.version, roots = _hierarchies(parent)
        self._roots = {controller: root / owned_by(os.getpid()) for controller, root in roots.items()}
        self._count = 0
        try:
            for root in dict.fromkeys(self._roots.values()):
                root.mkdir(exist_ok=True)
                if self.version == 2:
                    (root / "cgroup.subtree_control").write_text("+memory +pids +cpu")
        except OSError as error:
            self.close()
            raise NoCgroups(f"cannot make a control group: {error}") from error

    def make(self) -> Group:
        """A new group. Raises OSError."""
        self._count += 1
        return Group({name: root / str(self._count) for name, root in self._roots.items()}, self.version)

    def close(self) -> None:
        """Remove our folders; what lived in them may take a moment to be gone."""
        end = time.monotonic() + _CLOSING_S
        while not self._removed() and time.monotonic() < end:
            time.sleep(0.01)

    def _removed(self) -> bool:
        roots = set(self._roots.values())
        for folder in (folder for root in roots for folder in (*root.glob("*/"), root)):
            with suppress(OSError):
                folder.rmdir()
        return not any(root.is_dir() for root in roots)


class GivenGroup(Group):
    """The group that a container engine has put this whole container into. It counts; its limits are the engine's."""

    def __init__(self, folders: dict[str, Path], version: int) -> None:
        self._folders, self._version = folders, version
        self._files: dict[str, int] = {}

    def attach(self, pid: int) -> None:
        """Everything in the container is in it."""

    def limit(self, memory_bytes: int, pids: int) -> None:
        """The engine has."""

    def cpu_s(self) -> float:
        """CPU seconds used so far, without this process's own."""
        return super().cpu_s() - time.process_time()

    def peak_bytes(self) -> int:
        """Unknown: only who may write to the group can make it forget the runs before."""
        return 0

    def remove(self) -> bool:
        """It goes with the container."""
        return True


class GivenCgroups(Cgroups):
    """A container's own group, for one submission at a time."""

    def __init__(self) -> None:
        """Find it. Raises NoCgroups where the container does not show it."""
        mounts, own = dict(_mounts()), dict(_own_groups())
        if "memory" in mounts and "cpuacct" in mounts:
            self.version = 1
            folders = {name: _visible(mounts[name], own[name]) for name in ("memory", "cpuacct")}
        elif "" in mounts:
            self.version = 2
            folders = dict.fromkeys(("memory", "cpu"), _visible(mounts[""], own[""]))
        else:
            raise NoCgroups("the container does not show its control group")
        self._group = GivenGroup(folders, self.version)
        try:
            self._group.out_of_memory_kills(), self._group.cpu_s()
        except OSError as error:
            raise NoCgroups(f"the container's control group cannot be read: {error}") from error

    def make(self) -> Group:
        """The one group there is."""
        return self._group

    def close(self) -> None:
        """It goes with the container."""


def _hierarchies(parent: Path | None) -> tuple[int, dict[str, Path]]:
    if parent is not None and not _available(parent) >= _V2:
        raise NoCgroups(f"{parent} does not offer the controllers memory, pids and cpu")
    mounts = dict(_mounts())
    own = dict(_own_groups())
    if parent is None and "" in own and "" in mounts:
        parent = mounts[""] / own[""].lstrip("/")
    if parent is not None and _available(parent) >= _V2:
        _delegate(parent)
        return 2, dict.fromkeys(_V2, parent)
    if all(name in mounts and name in own for name in _V1):
        return 1, {name: _visible(mounts[name], own[name]) for name in _V1}
    raise NoCgroups("no hierarchy with memory, pids and cpu controllers can be found")


def _available(folder: Path) -> set[str]:
    try:
        return set((folder / "cgroup.controllers").read_text().split())
    except OSError:
        return set()


def _delegate(parent: Path) -> None:
    try:
        (parent / "cgroup.subtree_control").write_text("+memory +pids +cpu")
    except OSError as error:
        raise NoCgroups(f"{parent} is not delegated to us, or holds processes itself: {error.strerror}") from error


def _visible(mount: Path, group: str) -> Path:
    """The folder of our group; a container sees its own group as the top."""
    folder = mount / group.lstrip("/")
    return folder if folder.is_dir() else mount


def _mounts() -> Iterator[tuple[str, Path]]:
    """(controller, mount point), with "" for version 2."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup2":
            yield "", Path(before.split()[4])
        if kind == "cgroup":
            for option in options.split(","):
                yield option, Path(before.split()[4])


def _own_groups() -> Iterator[tuple[str, str]]:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, group


def _counter(table: bytes, name: bytes) -> int:
    for line in table.splitlines():
        key, _, value = line.partition(b" ")
        if key == name:
            return int(value)
    return 0


def leftovers(parent: Path | None = None) -> Iterator[Path]:
    """Folders of wardens that are dead, innermost first. Raises OSError.

    Args:
        parent: the delegated version 2 folder, if the operator named one; our own groups are looked at in any case.
    """
    mounts, own = dict(_mounts()), dict(_own_groups())
    places = [_visible(mounts[name], own[name]) for name in (*_V1, "") if name in mounts and name in own]
    for place in dict.fromkeys([*places, *([parent] if parent else [])]):
        for folder in sorted(place.glob(f"{PREFIX}*")):
            if owner_is_gone(folder.name):
                yield from sorted(folder.glob("*/"))
                yield folder

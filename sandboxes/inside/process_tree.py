"""A process and all below it, where no namespace holds them together and nothing else counts what they spend."""

import os
import signal
from contextlib import suppress

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_CHILDREN_ARE_LISTED = os.path.exists(f"/proc/self/task/{os.getpid()}/children")


def descendants(pid: int) -> list[int]:
    """The processes below one, as far as they can be seen just now."""
    found, waiting = [], [pid]
    while waiting:
        below = _children(waiting.pop())
        waiting += below
        found += below
    return found


def _children(parent: int) -> list[int]:
    if not _CHILDREN_ARE_LISTED:
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent(pid) == parent]
    found: list[int] = []
    with suppress(OSError):  # it has ended
        for task in os.listdir(f"/proc/{parent}/task"):
            with open(f"/proc/{parent}/task/{task}/children") as children:
                found += map(int, children.read().split())
    return found


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return int(stat.read().rpartition(")")[2].split()[1])
    except OSError:  # it has ended
        return 0


def end_descendants(pid: int) -> None:
    """Kill everything below a process, and what forks meanwhile. It has to be the one that orphans fall to."""
    killed: set[int] = set()
    while not killed.issuperset(found := descendants(pid)):
        for each in found:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        killed.update(found)


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process, its ended children and everything below it."""
    return sum(map(_own_seconds, (pid, *descendants(pid))))


def _own_seconds(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) * _TICK_S


def starved_seconds(pid: int, spent_s: float) -> float:
    """The longest that one process of the tree was ready to run and had no CPU, since it started.

    What the others of the tree used meanwhile does not count, or a program could wait for itself.

    Args:
        pid: the top of the tree.
        spent_s: CPU seconds of the whole tree.
    """
    times = map(_ran_and_waited, (pid, *descendants(pid)))
    return max(0.0, *(waited_s - max(0.0, spent_s - ran_s) for ran_s, waited_s in times))


def _ran_and_waited(pid: int) -> tuple[float, float]:
    try:
        with open(f"/proc/{pid}/schedstat") as times:
            ran_ns, waited_ns, _ = times.read().split()
    except OSError:
        return 0.0, 0.0
    return int(ran_ns) / 1e9, int(waited_ns) / 1e9

"""What a process and all below it spent, where nothing else counts it."""

import os

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> list[int]:
    """The processes below one, as far as they can be seen just now."""
    found, waiting = [], [pid]
    while waiting:
        parent = waiting.pop()
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{task}/children") as children:
                    waiting += (below := [int(child) for child in children.read().split()])
                    found += below
        except OSError:  # it has ended
            continue
    return found


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


def starved_seconds(pid: int) -> float:
    """The longest that one process of the tree was ready to run and had no CPU, since it started."""
    return max(map(_run_delay, (pid, *descendants(pid))))


def _run_delay(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/schedstat") as times:
            return int(times.read().split()[1]) / 1e9
    except OSError:
        return 0.0

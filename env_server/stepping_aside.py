"""Processes whose work may wait: where the cores are wanted by all, those that serve others have more of them."""

import os
import time
from contextlib import suppress
from pathlib import Path

_AUTOGROUP = "/proc/self/autogroup"
_TRIES = 40
_PAUSE_S = 0.05


def step_aside(niceness: int) -> None:
    """Make this process and its children to be of less weight than others.

    A session of its own is a scheduling group of its own where the kernel makes groups of sessions (sched(7),
    autogroup): then niceness counts within the group alone, and the group has one too. Elsewhere it counts by itself.

    Args:
        niceness: 1 to 19. Each step is about a fifth less weight (sched(7)): 5 is a third, 10 a tenth.

    Raises:
        PermissionError: the process leads a process group, so it can have no session of its own (setsid(2)).
    """
    os.setsid()
    os.nice(niceness)
    with suppress(OSError):  # the kernel makes no such groups, or lets nobody change them
        _lighten_group(niceness)


def leave_a_core() -> None:
    """Keep this process and its children off one of its cores, always the same, if it has several.

    What wakes up while all cores compute waits for one of them, however little the others weigh: until the next tick
    of a kernel that has few of them (`CONFIG_HZ`), 4 ms of a request that takes three.
    """
    cores = os.sched_getaffinity(0)
    if len(cores) > 1:
        os.sched_setaffinity(0, cores - {min(cores)})


def _lighten_group(niceness: int) -> None:
    """The kernel lets those who are not root change one group every 0.1 s, of all there are: then wait for a turn."""
    group = os.open(_AUTOGROUP, os.O_WRONLY)
    try:
        for _ in range(_TRIES):
            with suppress(BlockingIOError):
                os.write(group, b"%d" % niceness)
                return
            time.sleep(_PAUSE_S)
    finally:
        os.close(group)


def awaited_core_s(pid: int) -> float:
    """How long a process has been kept waiting for a core, seconds since its birth; 0 where the kernel does not say.

    Of its first thread. Source: `Documentation/scheduler/sched-stats.rst` of Linux, `/proc/<pid>/schedstat`.
    """
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0

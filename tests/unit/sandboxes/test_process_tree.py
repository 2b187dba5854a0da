"""CPU time of a tree of processes, as it is counted where there are no control groups."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from watched_runs import alive, children, until

from sandboxes.inside.process_tree import cpu_seconds, descendants, end_descendants, starved_seconds

SPIN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
COUNTED_S = 0.25
"""What of it has to be seen: /proc counts in ticks, and each count is rounded down."""
WAIT = "import sys; sys.stdin.read()"
CHILD = "import os, sys\npid = os.fork()\nif pid == 0:\n    {child}\n    os._exit(0)\n{parent}\nsys.stdin.read()"


@contextmanager
def running(source: str) -> Iterator[int]:
    """A program that ends when the block does; its pid."""
    with subprocess.Popen([sys.executable, "-S", "-c", source], stdin=subprocess.PIPE) as process:
        yield process.pid


def test_a_process_counts_its_own_time():
    with running(SPIN + WAIT) as pid:
        until(lambda: cpu_seconds(pid) >= COUNTED_S)


def test_a_living_child_counts():
    child = "exec('''" + SPIN + "'''); sys.stdin.read()"
    with running(CHILD.format(child=child, parent="")) as pid:
        until(lambda: descendants(pid))
        (below,) = children(pid)
        until(lambda: cpu_seconds(below) >= COUNTED_S)
        assert cpu_seconds(pid) >= COUNTED_S


def test_a_child_that_ended_and_was_reaped_still_counts():
    child = "exec('''" + SPIN + "''')"
    with running(CHILD.format(child=child, parent="os.waitpid(pid, 0)")) as pid:
        until(lambda: cpu_seconds(pid) >= COUNTED_S and not children(pid))


def test_grandchildren_are_found_whichever_thread_forked_them():
    grandchild = "if os.fork() == 0: sys.stdin.read()"
    child = f"import threading; forking = threading.Thread(target=lambda: exec('{grandchild}', globals()))"
    source = CHILD.format(child=f"{child}; forking.start(); forking.join(); sys.stdin.read()", parent="")
    with running(source) as pid:
        until(lambda: len(descendants(pid)) == 2)
        (below,) = children(pid)
        assert descendants(pid) == [below, *children(below)]


def test_a_process_that_is_gone_has_used_nothing_and_has_nobody_below_it():
    with running(WAIT) as pid:
        pass
    assert cpu_seconds(pid) == 0
    assert descendants(pid) == []


def test_a_process_that_waits_for_its_own_kin_is_not_starved():
    child = "while True: pass"
    source = "import os\nos.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    source += CHILD.format(child=child, parent="exec('while os.times().user < 0.3: pass'); os.kill(pid, 9)")
    with running(source) as pid:
        until(lambda: starved_seconds(pid, 0.0) > 0.1)
        assert starved_seconds(pid, 1000.0) == 0


def test_nothing_below_a_process_outlives_its_end_however_fast_it_forks():
    # 32 processes that fork 20 each: were the end too slow, nothing would grow without bound.
    bomb = (
        "import os, time\nfor _ in range(5): os.fork()\nfor _ in range(20): os.fork() or os._exit(time.sleep(60) or 0)"
    )
    reaper = "import ctypes\nctypes.CDLL(None).prctl(36, 1)\n"  # orphans fall to it
    with running(reaper + CHILD.format(child=f"exec('''{bomb}''')", parent="")) as pid:
        until(lambda: len(descendants(pid)) > 100)
        end_descendants(pid)
        until(lambda: not [each for each in descendants(pid) if alive(each)])
        assert alive(pid)

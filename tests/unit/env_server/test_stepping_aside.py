"""Processes of less weight, seen from outside: what the kernel says of them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from env_server.stepping_aside import awaited_core_s

NICENESS = 7
UNPRIVILEGED = """
import ctypes, os, sys
from env_server.stepping_aside import step_aside
if os.geteuid() == 0:
    os.seteuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: or /proc/self would stay root's
sys.stdin.read(1)
step_aside(int(sys.argv[1]))
print(os.nice(0), os.getsid(0) == os.getpid(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def aside() -> Iterator[list["subprocess.Popen[str]"]]:
    """Three processes that step aside in the same moment; the kernel lets only one at a time."""
    command = [sys.executable, "-c", UNPRIVILEGED, str(NICENESS)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def begin(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("x")
    process.stdin.flush()


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_all_that_step_aside_at_once_weigh_less_each_in_a_session_of_its_own(aside: list["subprocess.Popen[str]"]):
    for process in aside:
        begin(process)
    assert [said(process) for process in aside] == [f"{NICENESS} True\n"] * 3
    assert [group_niceness(process.pid) for process in aside] in ([NICENESS] * 3, [None] * 3)


def test_one_core_is_left_to_others_and_the_last_is_kept():
    program = """
import os
from env_server.stepping_aside import leave_a_core
leave_a_core()
left = os.sched_getaffinity(0)
os.sched_setaffinity(0, {max(left)})
leave_a_core()
print(sorted(left), len(os.sched_getaffinity(0)))
"""
    ours = sorted(os.sched_getaffinity(0))
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == f"{ours[1:] or ours} 1\n"


def group_niceness(pid: int) -> int | None:
    """Of its scheduling group; None where the kernel makes none."""
    try:
        words = Path(f"/proc/{pid}/autogroup").read_text().split()
    except FileNotFoundError:
        return None
    return int(words[-1]) if words else None


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel does not count what is awaited")
def test_what_a_process_waits_for_a_core_is_told():
    core = min(os.sched_getaffinity(0))
    spin = f"import os; os.sched_setaffinity(0, {{{core}}}); print(flush=True)\nwhile True: pass"
    spinning = [subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for process in spinning:
            assert process.stdout is not None
            process.stdout.readline()
        before_s = awaited_core_s(spinning[0].pid)
        while awaited_core_s(spinning[0].pid) < before_s + 0.01:
            os.sched_yield()
    finally:
        for process in spinning:
            process.kill()
            process.communicate()


def test_a_process_that_has_gone_waited_for_nothing():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert awaited_core_s(process.pid) == 0.0

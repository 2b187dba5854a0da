"""Programs that can be found from outside by a mark, and what there is to watch about them."""

import asyncio
import os
import secrets
import shutil
import subprocess
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sandboxes.policy import base_python

NOBODY = 65534
WAIT_S = 30.0
_ENOUGH = "import sys; sys.exit(sys.version_info < (3, 11))"


def new_mark() -> str:
    """A name for processes that nothing else has; the kernel keeps 15 characters."""
    return f"run-{secrets.token_hex(5)}"


def marked_source(mark: str, then: str) -> str:
    """A Python program that takes the mark as its process name, and so for all that it forks."""
    return f"import ctypes\nctypes.CDLL(None).prctl(15, b'{mark}')\n{then}"


def processes(name: str) -> list[int]:
    """The living processes of that name."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            state, _, comm = _stat(folder)
            if comm == name and state != "Z":
                found.append(int(folder.name))
    return found


def ancestors(pid: int) -> list[int]:
    """Parent, grandparent and so on."""
    found = [pid]
    while found[-1] > 1:
        found.append(_stat(Path(f"/proc/{found[-1]}"))[1])
    return found[1:]


def alive(pid: int) -> bool:
    """Whether there is such a process, and no mere zombie."""
    with suppress(OSError):
        return _stat(Path(f"/proc/{pid}"))[0] != "Z"
    return False


def children(pid: int) -> list[int]:
    """The processes that a process forked and that are still there."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, parent, _ = _stat(folder)
            if parent == pid and state != "Z":
                found.append(int(folder.name))
    return found


def until(true: Callable[[], object]) -> None:
    """Wait for something to come true."""
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


async def comes_true(true: Callable[[], object]) -> None:
    """As `until`, while the event loop goes on."""
    await asyncio.to_thread(until, true)


def python_for_everybody() -> str | None:
    """An interpreter, new enough, that any user of this machine can read; None where there is none."""
    found = (base_python(), shutil.which("python3", path="/usr/local/bin:/usr/bin"))
    return next((os.path.realpath(path) for path in found if path and _is_for_everybody(path)), None)


def as_ordinary_user(*actions: Callable[[], object]) -> None:
    """Do it in a process of a user who owns nothing else, if we are root."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            for action in actions:
                action()
            code = 0
        finally:
            if code:
                traceback.print_exc()
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _is_for_everybody(python: str) -> bool:
    way = (python, *map(str, Path(python).parents))
    return (
        all(os.stat(step).st_mode & 0o005 == 0o005 for step in way)
        and subprocess.run([python, "-c", _ENOUGH], check=False).returncode == 0
    )


def _stat(folder: Path) -> tuple[str, int, str]:
    """State, parent and name."""
    before, _, after = (folder / "stat").read_text().rpartition(")")
    state, parent = after.split()[:2]
    return state, int(parent), before.partition("(")[2]


def rank_process(torchrun: int, rank: int) -> int:
    """The process of a rank: a child of torchrun with that number in its environment."""
    children = Path(f"/proc/{torchrun}/task/{torchrun}/children").read_text().split()
    for child in children:
        if f"\0RANK={rank}\0".encode() in b"\0" + Path(f"/proc/{child}/environ").read_bytes():
            return int(child)
    raise AssertionError(f"no rank {rank} among {children}")

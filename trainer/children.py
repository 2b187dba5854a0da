"""Programs the trainer starts: none outlives it, however it ends."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

_STOP_LIMIT_S = 15.0
_ORPHANS_LIMIT_S = 5.0

# Run in the child before the program: asks the kernel for SIGTERM when the thread that started it is gone,
# so that even a killed trainer leaves nothing behind. The request survives exec. Not a preexec_fn: that
# would run Python between fork and exec, which can deadlock in a process with torch's threads.
_DIE_WITH_PARENT = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the trainer is gone")
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[2:]])
"""


def child_command(module: str, *arguments: str) -> list[str]:
    """What runs `python -m module` until the thread that starts it ends: start it in the main thread."""
    return [sys.executable, "-c", _DIE_WITH_PARENT, str(os.getpid()), module, *arguments]


def stop_child(process: "subprocess.Popen[bytes]") -> None:
    """Ask the child to end, end it if it does not, and with it what is left of its own children.

    The child has to be the leader of a session.
    """
    process.terminate()
    try:
        process.wait(_STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    deadline = time.monotonic() + _ORPHANS_LIMIT_S
    with suppress(ProcessLookupError):  # nobody is left
        os.killpg(process.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            time.sleep(0.05)
            os.killpg(process.pid, 0)
        os.killpg(process.pid, signal.SIGKILL)

"""Processes that nobody is left to stop, once whoever started them is gone."""

import ctypes
import signal

_PR_SET_PDEATHSIG = 1


def die_with_parent(how: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this signal when the thread that started this process ends (PR_SET_PDEATHSIG, prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, how)

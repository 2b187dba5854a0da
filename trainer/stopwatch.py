"""Where a step's time goes: phases nest, each second counts for the innermost, and each thread has its own.

A phase costs about a microsecond, so that runs always note them; timings.jsonl has what `lap` tells. GPUs compute
behind the program's back: only `trainer profile` waits for them at the edges of each phase, which is what makes the
split among phases exact there.
"""

import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum


class Phase(StrEnum):
    """What a moment of a step is spent on. What belongs to none is the rest: templates, logs, evaluations."""

    SAMPLING = "sampling"
    GRADING = "grading"
    LOG_PROBS = "log_probs"
    """Forward passes: those that are learnt from, and those of the sampling weights, the reference and the critic."""
    BACKWARD = "backward"
    OPTIMISER = "optimiser"
    SYNC = "sync"
    """Weights on their way to the sampler, and gradients and decisions on their way between ranks."""
    IDLE = "idle"
    """Waiting for what another thread or rank has yet to do."""


class _Open(threading.local):
    """Of this thread: seconds of what was nested in each open phase, the innermost last."""

    def __init__(self) -> None:
        self.nested: list[float] = []


_open, _lock = _Open(), threading.Lock()
_spent: dict[tuple[int, str], float] = {}
_waits_for_devices = False


@contextmanager
def phase(name: Phase) -> Iterator[None]:
    """Count the seconds of this block, less those of phases inside it."""
    started = _now()
    _open.nested.append(0.0)
    try:
        yield
    finally:
        whole = _now() - started
        own = whole - _open.nested.pop()
        if _open.nested:
            _open.nested[-1] += whole
        key = threading.get_ident(), name.value
        with _lock:
            _spent[key] = _spent.get(key, 0.0) + own


def lap() -> dict[str, float]:
    """Seconds since the last lap, as timings.jsonl names them, and the peak of memory in bytes.

    `phase/NAME_s` is this thread's, `background/NAME_s` all others' together: theirs overlap with it. Phases count when
    they end. The peak is the device's since the last lap, or without one the process's since it began.
    """
    with _lock:
        spent = dict(_spent)
        _spent.clear()
    here, found = threading.get_ident(), {f"phase/{name}_s": 0.0 for name in Phase}
    for (thread, name), seconds in spent.items():
        key = f"{'phase' if thread == here else 'background'}/{name}_s"
        found[key] = found.get(key, 0.0) + seconds
    return {**found, "peak_memory_bytes": float(_peak_memory())}


@contextmanager
def exact() -> Iterator[None]:
    """Wait for the GPU at the edges of each phase in this block, in all threads."""
    global _waits_for_devices
    before, _waits_for_devices = _waits_for_devices, True
    try:
        yield
    finally:
        _waits_for_devices = before


def _now() -> float:
    if _waits_for_devices:
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()
    return time.perf_counter()


def _peak_memory() -> int:
    import torch

    if torch.cuda.is_available() and torch.cuda.is_initialized():
        peak = torch.cuda.max_memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        return peak
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

"""Who is to blame when a worker process ends in the middle of a job. Pure.

If the completion could have caused it, it is a verdict of 0: otherwise a policy could choose to be unscored. If it
could not, it is a fault of ours. None means: nobody can say yet, run the job again, alone and first in a fresh worker.

Accepted collisions: an operator's `kill -SEGV`, twice on the same job, reads as a crash; the kernel's out-of-memory
killer reads as a kill from outside, because worker memory is limited well before it wakes.
"""

import signal
from dataclasses import dataclass

from rewarders.types import Fault, Verdict

MAX_ATTEMPTS = 3
OUT_OF_MEMORY = 77
"""Exit code of a worker that ran out of memory: what filled it may be left over from earlier jobs."""
_CPU_SPENT = {signal.SIGPROF, signal.SIGXCPU, signal.SIGVTALRM}
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE}


@dataclass(frozen=True)
class Ending:
    """How a worker ended while it held a job."""

    attempt: int
    """1 for the first worker that was given the job."""
    signal: int | None = None
    exit_code: int | None = None
    overdue: bool = False
    """We killed it: the wall-clock deadline passed although its CPU budget was not spent."""


def blame(ending: Ending, rewarder: str) -> Verdict | Fault | None:
    """Judge one ending of a worker that was running `rewarder`."""
    if ending.overdue:
        message = f"{rewarder} did not answer before its wall-clock deadline, with CPU budget left"
        return Fault(kind="RewarderFault", message=message, retryable=True, attempt=ending.attempt)
    if ending.signal in _CPU_SPENT:
        return Verdict(score=0.0, reason="too_costly", evidence={"spent": "cpu"})
    if ending.exit_code == OUT_OF_MEMORY and ending.attempt > 1:
        return Verdict(score=0.0, reason="too_costly", evidence={"spent": "memory"})
    if ending.signal in _CRASHES and ending.attempt > 1:
        return Verdict(score=0.0, reason="crashed", evidence={"signal": signal.Signals(ending.signal).name})
    if ending.attempt < MAX_ATTEMPTS:
        return None
    how = f"signal {ending.signal}" if ending.signal else f"exit code {ending.exit_code}"
    message = f"the worker running {rewarder} ended by {how}, {ending.attempt} times"
    return Fault(kind="RewarderFault", message=message, retryable=True, attempt=ending.attempt)

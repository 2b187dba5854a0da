"""From the facts of an ending to its `Outcome`. Pure.

| what is known                                        | outcome        |
|------------------------------------------------------|----------------|
| the kernel killed something of it for want of memory | out_of_memory  |
| it wrote more than it may                            | output_limit   |
| it spent more CPU time than it may, or SIGXCPU ended it | cpu_limit   |
| the wall clock ended it                              | timed_out      |
| it exited with its language's code for no memory     | out_of_memory  |
| a signal ended it                                    | signalled      |
| else                                                 | exited         |
"""

import os
import signal
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from sandboxes.types import Outcome

Stop = Literal["wall", "cpu", "output", "judge", "left"]


@dataclass(frozen=True)
class Ending:
    """What is known of a run that has ended."""

    status: int | None
    """Wait status; None when nobody was left to see it."""
    stopped: Stop | None
    """Why we ended it: `judge` and `left` say that nobody wants it any more."""
    out_of_memory: bool
    """The kernel killed a process of the run for want of memory."""
    cpu_s: float


def classify(
    ending: Ending, cpu_limit_s: float, out_of_memory_exits: Collection[int] = ()
) -> tuple[Outcome, int | None, int | None]:
    """Outcome, exit code and signal of an ending; at most one of the two is given, as `SandboxResult` asks.

    Args:
        ending: the facts.
        cpu_limit_s: what the run was allowed.
        out_of_memory_exits: exit codes with which the language's runtime says that it found no memory.
    """
    killer = os.WTERMSIG(ending.status) if ending.status is not None and os.WIFSIGNALED(ending.status) else None
    if ending.out_of_memory:
        return Outcome.OUT_OF_MEMORY, None, None
    if ending.stopped == "output":
        return Outcome.OUTPUT_LIMIT, None, None
    if ending.stopped == "cpu" or killer == signal.SIGXCPU or ending.cpu_s > cpu_limit_s:
        return Outcome.CPU_LIMIT, None, None
    if ending.stopped == "wall":
        return Outcome.TIMED_OUT, None, None
    if killer is not None or ending.status is None:
        return Outcome.SIGNALLED, None, killer or signal.SIGKILL
    code = os.waitstatus_to_exitcode(ending.status)
    if code in out_of_memory_exits:
        return Outcome.OUT_OF_MEMORY, None, None
    return Outcome.EXITED, code, None

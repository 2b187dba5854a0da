"""How much work a call does, counted in calls of Python and C functions: a number that no busy machine changes."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def calls_in(work: Callable[[], Any]) -> int:
    """Functions called while `work` runs."""
    count = 0

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def grows_no_faster_than_its_input(work: Callable[[int], Any], size: int) -> bool:
    """Whether four times the input is at most five times the work; a square would be sixteen times."""
    work(1)  # what is imported or compiled once
    return calls_in(lambda: work(4 * size)) <= 5 * calls_in(lambda: work(size)) + 200

"""Who is served next: weighted fair queueing over rewarders and priorities.

Jobs of one rewarder and one priority wait in a line of their own, first come, first served. Each line has a clock that
goes on by what its jobs cost, divided by the weight of its priority, and the line whose clock is furthest behind is
served. So no line waits for ever, a rewarder whose jobs take long has no more of the workers than its neighbours have,
and of what everybody waits for `interactive` gets four times the share of `normal`, and that four times the share of
`background`. (A. Demers, S. Keshav and S. Shenker, Analysis and simulation of a fair queueing algorithm, 1989.)
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar

from env_server.terms import Priority

_WEIGHTS = {Priority.INTERACTIVE: 16.0, Priority.NORMAL: 4.0, Priority.BACKGROUND: 1.0}
_SWEEP_PAUSE_S = 0.1


class Line(NamedTuple):
    """What is alike in jobs that wait together."""

    rewarder: str
    overstayed: bool = False
    """Whether they turned out to take long, whatever the rewarder's others do."""


class Waits(Protocol):
    """What can stand in line."""

    @property
    def line(self) -> Line:
        """Where it waits: with others of its rewarder."""
        ...

    @property
    def priority(self) -> Priority:
        """Each has lines of its own."""
        ...

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for it any more."""
        ...


T = TypeVar("T", bound=Waits)


@dataclass
class _Waiting(Generic[T]):
    """A line, and those in it."""

    line: Line
    weight: float
    clock: float = 0.0
    waiting: deque[T] = field(default_factory=deque)


class FairQueue(Generic[T]):
    """What waits, in the order that it is taken."""

    def __init__(self) -> None:
        self._lines: dict[tuple[Line, Priority], _Waiting[T]] = {}
        self._clock = 0.0
        """Of the line that was served last: one that was empty has no claim to what it did not ask for."""
        self._length = 0
        self._swept_s = 0.0

    def __len__(self) -> int:
        return self._length

    def put(self, one: T) -> None:
        """At the end of its line."""
        self._line(one).waiting.append(one)
        self._length += 1

    def put_back(self, taken: Sequence[T]) -> None:
        """To the front of their lines, in the order in which they were taken."""
        for one in reversed(taken):
            self._line(one).waiting.appendleft(one)
        self._length += len(taken)

    def take(
        self, may: Callable[[Line], bool], most: Callable[[Line, int], int], cost_s: Callable[[Line], float]
    ) -> list[T]:
        """The next jobs, all of one rewarder; none where nobody waits who may be served.

        Args:
            may: whether those in a line are wanted just now.
            most: how many of them, of so many that wait in the line.
            cost_s: what one of them is expected to take.
        """
        while line := self._behind(may):
            count = min(len(line.waiting), most(line.line, len(line.waiting)))
            taken = [line.waiting.popleft() for _ in range(count)]
            self._length -= count
            self._clock = line.clock
            if wanted := [one for one in taken if not one.abandoned]:
                line.clock += len(wanted) * cost_s(line.line) / line.weight
                return wanted
        return []

    def sweep(self) -> None:
        """Leave out what nobody waits for any more; at most ten times a second, since it looks at everything."""
        if time.monotonic() < self._swept_s + _SWEEP_PAUSE_S:
            return
        self._swept_s = time.monotonic()
        for line in self._lines.values():
            line.waiting = deque(one for one in line.waiting if not one.abandoned)
        self._length = sum(len(line.waiting) for line in self._lines.values())

    def clear(self) -> list[T]:
        """Everything that waits; nothing does then."""
        held = [one for line in self._lines.values() for one in line.waiting]
        self._lines.clear()
        self._length = 0
        return held

    def expected_s(self, cost_s: Callable[[Line], float]) -> float:
        """What everything that waits is expected to take, one after the other."""
        return sum(len(line.waiting) * cost_s(line.line) for line in self._lines.values())

    def _line(self, one: T) -> _Waiting[T]:
        line = self._lines.get((one.line, one.priority))
        if line is None:
            line = self._lines[one.line, one.priority] = _Waiting(one.line, _WEIGHTS[one.priority])
        if not line.waiting:
            line.clock = max(line.clock, self._clock)
        return line

    def _behind(self, may: Callable[[Line], bool]) -> _Waiting[T] | None:
        """The line whose clock is furthest behind, of those that may be served."""
        lines: Iterable[_Waiting[T]] = (one for one in self._lines.values() if one.waiting and may(one.line))
        return min(lines, key=lambda line: line.clock, default=None)

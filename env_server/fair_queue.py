"""Who is served next: weighted fair queueing over tenants, and of each tenant over rewarders and priorities.

Jobs of one tenant, rewarder and priority wait in a line of their own, first come, first served. Everybody's clock goes
on by what their jobs cost, and who is furthest behind is served: first a tenant, then a line of the tenant's, where the
cost is divided by the weight of the priority. So no line waits for ever, and neither a tenant with many jobs nor a
rewarder whose jobs take long has more of the workers than its neighbours have; of what a tenant waits for,
`interactive` gets four times the share of `normal`, and that four times the share of `background`. (A. Demers,
S. Keshav and S. Shenker, Analysis and simulation of a fair queueing algorithm, 1989.)

Clocks are kept for each kind of server: those who are not served by the same ones never compete, and a clock that went
on elsewhere says nothing here. Whoever comes to a kind of server begins where it has come to (P. Goyal, H. Vin and
H. Cheng, Start-time fair queueing, 1996): who was away has neither saved anything up nor fallen behind.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
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
    def tenant(self) -> str | None:
        """Who asked; nobody pays for another's jobs."""
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


def _clocks() -> defaultdict[Hashable, float]:
    return defaultdict(float)


@dataclass(eq=False, kw_only=True)
class _Contender:
    """Somebody who competes to be served."""

    clocks: defaultdict[Hashable, float] = field(default_factory=_clocks)
    """How much it was served, by kind of server."""


C = TypeVar("C", bound=_Contender)


@dataclass(eq=False)
class _Waiting(_Contender, Generic[T]):
    """A line, and those in it."""

    line: Line
    weight: float
    waiting: deque[T] = field(default_factory=deque)
    paid: int = 0
    """So many at the front were taken before, and put back."""


@dataclass(eq=False)
class _Tenant(_Contender, Generic[T]):
    """Its lines, and where the servers have come to in them."""

    lines: dict[tuple[Line, Priority], _Waiting[T]] = field(default_factory=dict)
    reached: defaultdict[Hashable, float] = field(default_factory=_clocks)


class FairQueue(Generic[T]):
    """What waits, in the order that it is taken."""

    def __init__(self) -> None:
        self._tenants: defaultdict[str | None, _Tenant[T]] = defaultdict(_Tenant)
        self._reached = _clocks()
        """Clock of the tenant that was served last, by kind of server."""
        self._length = 0
        self._swept_s = 0.0

    def __len__(self) -> int:
        return self._length

    def put(self, one: T) -> None:
        """At the end of its line."""
        self._line(one).waiting.append(one)
        self._length += 1

    def put_back(self, taken: Sequence[T]) -> None:
        """To the front of their lines, in the order in which they were taken. They cost nothing when taken again."""
        for one in reversed(taken):
            line = self._line(one)
            line.waiting.appendleft(one)
            line.paid += 1
        self._length += len(taken)

    def take(
        self,
        server: Hashable,
        may: Callable[[Line], bool],
        most: Callable[[Line, int], int],
        cost_s: Callable[[Line], float],
    ) -> list[T]:
        """The next jobs, all of one tenant and rewarder; none where nobody waits who may be served.

        Args:
            server: of what kind it is that serves them.
            may: whether those in a line are wanted just now.
            most: how many of them, of so many that wait in the line.
            cost_s: what one of them is expected to take.
        """
        while found := self._behind(server, may):
            tenant, line = found
            count = min(len(line.waiting), most(line.line, len(line.waiting)))
            taken = [line.waiting.popleft() for _ in range(count)]
            self._length -= count
            wanted = [one for one in taken if not one.abandoned]
            spent_s = max(0, len(wanted) - line.paid) * cost_s(line.line)
            line.paid = max(0, line.paid - count)
            tenant.clocks[server] += spent_s
            line.clocks[server] += spent_s / line.weight
            if wanted:
                return wanted
        return []

    def sweep(self) -> None:
        """Leave out what nobody waits for any more; at most ten times a second, since it looks at everything."""
        if time.monotonic() < self._swept_s + _SWEEP_PAUSE_S:
            return
        self._swept_s = time.monotonic()
        for line in self._lines:
            line.waiting = deque(one for one in line.waiting if not one.abandoned)
            line.paid = min(line.paid, len(line.waiting))
        self._length = sum(len(line.waiting) for line in self._lines)

    def clear(self) -> list[T]:
        """Everything that waits; nothing does then."""
        held = [one for line in self._lines for one in line.waiting]
        self._tenants.clear()
        self._length = 0
        return held

    def expected_s(self, cost_s: Callable[[Line], float]) -> float:
        """What everything that waits is expected to take, one after the other."""
        return sum(len(line.waiting) * cost_s(line.line) for line in self._lines)

    @property
    def _lines(self) -> Iterable[_Waiting[T]]:
        return (line for tenant in self._tenants.values() for line in tenant.lines.values())

    def _line(self, one: T) -> _Waiting[T]:
        lines = self._tenants[one.tenant].lines
        if (line := lines.get((one.line, one.priority))) is None:
            line = lines[one.line, one.priority] = _Waiting(one.line, _WEIGHTS[one.priority])
        return line

    def _behind(self, server: Hashable, may: Callable[[Line], bool]) -> tuple[_Tenant[T], _Waiting[T]] | None:
        """The tenant whose clock is furthest behind, of those that may be served, and of its lines that one."""
        able = {
            tenant: lines
            for tenant in self._tenants.values()
            if (lines := [line for line in tenant.lines.values() if line.waiting and may(line.line)])
        }
        if not able:
            return None
        tenant = _furthest_behind(able, server, self._reached)
        return tenant, _furthest_behind(able[tenant], server, tenant.reached)


def _furthest_behind(contenders: Collection[C], server: Hashable, reached: defaultdict[Hashable, float]) -> C:
    """Who is served next; whoever was away begins where the server has come to."""
    for one in contenders:
        one.clocks[server] = max(one.clocks[server], reached[server])
    first = min(contenders, key=lambda one: one.clocks[server])
    reached[server] = first.clocks[server]
    return first

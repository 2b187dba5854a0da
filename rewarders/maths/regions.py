"""Sets of real numbers, however they are written: intervals, unions, differences, inequalities, set-builders.

Two of them are the same if they agree at every boundary of either and between any two of these. Boundaries are compared
to thirty digits, and two that fall together have to be proved equal.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from rewarders.maths import numeric
from rewarders.maths.numeric import constant_value
from rewarders.maths.spread import spread
from rewarders.maths.tree import Apply, Group, MathsError, Node, Relation, Symbol, TooCostly, variables

MAX_BOUNDARIES = 60
_INTERVALS = frozenset({"()", "(]", "[)", "[]"})
_SETS = frozenset({"union", "cap", "without", "or", "all", "builder"})


def agree(x: Any, y: Any) -> bool:
    """Whether two places, infinite ones among them, are one to thirty digits."""
    return bool(x == y) or (abs(x) != abs(y) != float("inf") != abs(x) and numeric.agree(x, y))


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda x, y: x < y and not agree(x, y),
    "<=": lambda x, y: x < y or agree(x, y),
    ">": lambda x, y: x > y and not agree(x, y),
    ">=": lambda x, y: x > y or agree(x, y),
    "=": lambda x, y: agree(x, y),
    "!=": lambda x, y: not agree(x, y),
}
_REALS = Symbol("reals")


class _NoRegion(MathsError):
    """Not a set of real numbers, or none that is understood."""


def is_region(node: Node) -> bool:
    """Whether it can be nothing else than a set of real numbers: `(1, 2)` may be a pair too."""
    match node:
        case Group(kind, items):
            half_open = kind in ("(]", "[)")
            unbounded = kind in _INTERVALS and len(items) == 2 and any(map(_is_infinite, items))
            told = kind == "list" and all(map(is_region, items))
            return kind in _SETS or half_open or unbounded or told
        case Relation(ops=ops):
            return bool(set(ops) & {"<", "<=", ">", ">=", "!="}) or (ops == ("in",) and is_region(node.sides[1]))
        case Apply("add", (Group(), *_)):
            return True
    return node == _REALS


def same_region(expected: Node, answer: Node, alike: Callable[[Node, Node], bool]) -> bool | None:
    """Whether both are the same set of numbers; None if one of them is not understood as any.

    Raises:
        TooCostly: if one has too many boundaries.
    """
    import mpmath

    with mpmath.workdps(numeric.DIGITS):
        try:
            mine, yours = _Region(expected), _Region(answer)
        except TooCostly:
            raise
        except MathsError:
            return None
        return _agree_everywhere(mine, yours, alike)


def _agree_everywhere(mine: "_Region", yours: "_Region", alike: Callable[[Node, Node], bool]) -> bool:
    if mine.name and yours.name and mine.name != yours.name:
        return False
    for value, node in mine.boundaries:
        for other_value, other_node in yours.boundaries:
            if agree(value, other_value) and node != other_node and not alike(node, other_node):
                return False
    places = list(_between(sorted([value for value, _ in (*mine.boundaries, *yours.boundaries)])))
    return all(mine.has(place) == yours.has(place) for place in places)


class _Region:
    """A set of real numbers and where it may begin or end. Raises MathsError."""

    def __init__(self, node: Node) -> None:
        self.boundaries: list[tuple[Any, Node]] = []
        self.name: str | None = None
        spelled_out = _spelled_out(node)
        self._collect(spelled_out)
        self._node = self._told_apart(spelled_out)

    def has(self, place: Any) -> bool:
        """Whether a number is in it."""
        return _has(self._node, place)

    def _told_apart(self, node: Node) -> Node:
        """Conditions side by side hold together, unless nothing is left then: `x < -2, x > 3` are two pieces."""
        if not isinstance(node, Group) or node.kind != "list":
            return node
        together = Group("all", node.items)
        places = list(_between(sorted(value for value, _ in self.boundaries)))
        is_conditions = all(isinstance(item, Relation) for item in node.items)
        return together if is_conditions and any(_has(together, place) for place in places) else Group("or", node.items)

    def _collect(self, node: Node) -> None:
        match node:
            case Group("builder", (Symbol(name), condition)):
                self._collect(condition)
                if self.name not in (None, name):
                    raise _NoRegion("a set by a condition on something else")
                self.name = None
            case Group(kind, (low, high)) if kind in _INTERVALS:
                self._bound(low, high)
                if _value(low) > _value(high):
                    raise _NoRegion("an interval upside down")
            case Group("set", items):
                self._bound(*items)
            case Group(kind, items) if kind in _SETS or kind == "list":
                for item in items:
                    self._collect(item)
            case Apply("add", (first, *rest)):
                self._collect(first)
                for term in rest:
                    self._collect(_taken_away(term))
            case Relation(("in",), (Symbol(name), within)):
                self._about(name)
                self._collect(within)
            case Relation(ops, sides) if set(ops) <= set(_COMPARE):
                self._collect_relation(sides)
            case _ if node != _REALS:
                self._bound(node)

    def _collect_relation(self, sides: tuple[Node, ...]) -> None:
        names = [side.name for side in sides if isinstance(side, Symbol) and variables(side)]
        if len(names) != 1 or names[0] == _REALS.name:
            raise _NoRegion("not about one name")
        self._about(names[0])
        self._bound(*(side for side in sides if side != Symbol(names[0])))

    def _about(self, name: str) -> None:
        if self.name not in (None, name):
            raise _NoRegion("about two names")
        self.name = name

    def _bound(self, *ends: Node) -> None:
        self.boundaries += [(_value(end), end) for end in ends if not _is_infinite(end)]
        if len(self.boundaries) > MAX_BOUNDARIES:
            raise TooCostly(f"a set with over {MAX_BOUNDARIES} boundaries")


def _spelled_out(node: Node) -> Node:
    r"""`x \ne 0, 1` and `x \ne \pm 1` with their relation before each value. Raises MathsError."""
    if isinstance(node, Relation):
        return spread(node)
    if not isinstance(node, Group) or node.kind != "list":
        return node
    items: list[Node] = []
    for item in node.items:
        match items[-1:], item:
            case [Relation(("!=",), (Symbol() as name, _))], _ if not isinstance(item, Relation | Group):
                items.append(Relation(("!=",), (name, item)))
            case _ if isinstance(item, Relation | Group):
                items.append(spread(item) if isinstance(item, Relation) else item)
            case _:
                raise _NoRegion("a value beside a set")
    return Group("list", tuple(items))


def _has(node: Node, place: Any) -> bool:
    match node:
        case Group("builder", (_, condition)):
            return _has(condition, place)
        case Group("set", items):
            return any(agree(_value(item), place) for item in items)
        case Group("union" | "or" | "list", items):
            return any(_has(item, place) for item in items)
        case Group("cap" | "all", items):
            return all(_has(item, place) for item in items)
        case Group("without", (first, second)):
            return _has(first, place) and not _has(second, place)
        case Group(kind, (low, high)):
            above = _COMPARE["<=" if kind[0] == "[" else "<"](_value(low), place)
            return above and _COMPARE["<=" if kind[1] == "]" else "<"](place, _value(high))
        case Apply("add", (first, *rest)):
            return _has(first, place) and not any(_has(_taken_away(term), place) for term in rest)
        case Relation(("in",), (_, within)):
            return _has(within, place)
        case Relation(ops, sides):
            values = [place if isinstance(side, Symbol) and variables(side) else _value(side) for side in sides]
            return all(_COMPARE[op](*pair) for op, pair in zip(ops, pairwise(values), strict=True))
    return node == _REALS or agree(_value(node), place)


def _between(places: list[Any]) -> Iterator[Any]:
    """All of them, one before, one after, and one in each gap."""
    if not places:
        yield 0
        return
    yield places[0] - 1
    for left, right in pairwise(places):
        yield left
        if not agree(left, right):
            yield (left + right) / 2
    yield places[-1]
    yield places[-1] + 1


def _taken_away(term: Node) -> Node:
    if isinstance(term, Apply) and term.head == "neg" and isinstance(term.args[0], Group):
        return term.args[0]
    raise _NoRegion("a sum of sets")


def _is_infinite(node: Node) -> bool:
    infinity = Symbol("infinity")
    return node in (infinity, Apply("neg", (infinity,)))


def _value(node: Node) -> Any:
    """A real number or an infinity. Raises MathsError."""
    import mpmath

    if _is_infinite(node):
        return -mpmath.inf if isinstance(node, Apply) else mpmath.inf
    value = constant_value(node)
    if value is None or mpmath.im(value) != 0:
        raise _NoRegion("a boundary that is no real number")
    return mpmath.re(value)

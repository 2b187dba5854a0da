"""What an answer means, before anything is computed: a small immutable tree of our own.

Nothing is evaluated while it is built, so `9^9^9` costs three numbers until somebody asks how large it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction


class MathsError(ValueError):
    """An answer that cannot be judged by meaning."""


class Unparsable(MathsError):
    """The text is not in the language that the parser reads."""


class TooCostly(MathsError):
    """Judging it would need more tokens, depth or digits than an answer may have."""


@dataclass(frozen=True, slots=True)
class Number:
    """An exact rational number."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Symbol:
    """A variable, or one of the constants `pi`, `e`, `i` and `infinity`."""

    name: str


@dataclass(frozen=True, slots=True)
class Word:
    """Text that is an answer by itself, such as `odd`. Equal only to itself."""

    text: str


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation or a function on its arguments: `add`, `mul`, `div`, `pow`, `sin`, ..."""

    head: str
    args: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Several values, of kind `list`, `set`, `union`, `ratio`, or a pair of brackets such as `(]`."""

    kind: str
    items: tuple["Node", ...]

    @property
    def ordered(self) -> bool:
        """Whether the places of the items matter."""
        return self.kind not in ("list", "set", "union")


@dataclass(frozen=True, slots=True)
class Relation:
    """`left op right op ...` with one kind of sign or several, as in `0 < x <= 1`."""

    ops: tuple[str, ...]
    sides: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Binder:
    """An operator over a variable: `sum`, `product` and `integral` with or without their two ends, `limit` with the
    place it goes to, `derivative` without any."""

    head: str
    name: str
    body: "Node"
    ends: tuple["Node", ...] = ()

    @property
    def binds(self) -> bool:
        """Whether its variable means nothing outside."""
        return bool(self.ends)


Node = Number | Symbol | Word | Apply | Group | Relation | Binder

CONSTANTS = frozenset({"pi", "e", "i", "infinity"})
NUMBER_SETS = {"R": "reals", "Z": "integers", "N": "naturals", "Q": "rationals", "C": "complexes"}
"""Letters of blackboard bold, and the symbols they stand for."""


def product_of(factors: list[Node]) -> Node:
    """A product, or its only factor."""
    return Apply("mul", tuple(factors)) if len(factors) > 1 else factors[0]


def children(node: Node) -> tuple[Node, ...]:
    """What a node is made of."""
    match node:
        case Apply(args=parts) | Group(items=parts) | Relation(sides=parts):
            return parts
        case Binder(body=body, ends=ends):
            return (body, *ends)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(children(current))


def variables(node: Node) -> frozenset[str]:
    """Names of the free variables."""
    if isinstance(node, Symbol):
        return frozenset() if node.name in CONSTANTS else frozenset((node.name,))
    found = frozenset[str]().union(*map(variables, children(node)))
    if isinstance(node, Binder) and node.binds:
        return (variables(node.body) - {node.name}).union(*map(variables, node.ends))
    return found


_FUNCTION_LETTERS = frozenset("fghFGH")


def is_function_call(node: Node) -> bool:
    """Whether a name before a bracket can only be a function, whose values nobody knows: `f(x)`, `u(2)`.

    `x(x+1)` is a product, and `P(1+r)` may be one.
    """
    match node:
        case Apply("call", (Symbol(name), place)) if name not in CONSTANTS:
            at_number = isinstance(place, Number) or (
                isinstance(place, Apply) and place.head == "neg" and not variables(place)
            )
            return at_number or name in _FUNCTION_LETTERS
    return False


def replace(node: Node, name: str, value: Node) -> Node:
    """The same with a value in every free place of a variable."""
    match node:
        case Symbol():
            return value if node.name == name else node
        case Apply():
            return Apply(node.head, tuple(replace(arg, name, value) for arg in node.args))
        case Group():
            return Group(node.kind, tuple(replace(item, name, value) for item in node.items))
        case Relation():
            return Relation(node.ops, tuple(replace(side, name, value) for side in node.sides))
        case Binder():
            body = node.body if node.name == name else replace(node.body, name, value)
            return Binder(node.head, node.name, body, tuple(replace(end, name, value) for end in node.ends))
    return node

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


Node = Number | Symbol | Word | Apply | Group | Relation

CONSTANTS = frozenset({"pi", "e", "i", "infinity"})


def children(node: Node) -> tuple[Node, ...]:
    """What a node is made of."""
    match node:
        case Apply(args=parts) | Group(items=parts) | Relation(sides=parts):
            return parts
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
    return frozenset(n.name for n in walk(node) if isinstance(n, Symbol) and n.name not in CONSTANTS)

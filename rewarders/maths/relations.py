"""Labels, equations and inequalities.

`x = 5` says 5 about x; `2y = 4x + 2` is an equation, the same as `y = 2x + 1`; `0 < x <= 1` is an interval.
"""

from collections.abc import Callable
from fractions import Fraction

from rewarders.maths.numeric import values_at_points
from rewarders.maths.tree import (
    CONSTANTS,
    Apply,
    Group,
    MathsError,
    Node,
    Number,
    Relation,
    Symbol,
    Word,
    variables,
    walk,
)
from rewarders.maths.vocabulary import GREEK

Alike = Callable[[Node, Node], bool]

_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!=", "in": "in"}
_LONGEST_PRODUCT = 3
"""Longer runs of small letters are words."""
_GEOMETRIC = frozenset({"mul", "div", "sin", "cos", "tan", "cot", "angle", "abs"})
_DENIALS = frozenset({"wrong", "false", "incorrect", "not", "never", "maybe", "perhaps", "possibly", "guess", "except"})
_LARGEST_DENOMINATOR = 10**6
_INFINITY = Symbol("infinity")
_MINUS_INFINITY = Apply("neg", (_INFINITY,))


def without_label(relation: Relation) -> tuple[Node, ...]:
    """The sides left when a name in front (`x =`, `f(x) =`, `x in`) is dropped. Empty for inequalities."""
    match relation:
        case Relation(("in",), (_, Group() | Symbol())) | Relation(("mod",), (_, Apply("residue", _))):
            return relation.sides[1:]
    if set(relation.ops) - {"="}:
        return ()
    return relation.sides[1:] if is_name(relation.sides[0], relation.sides[1:]) else relation.sides


def stated_value(relation: Relation) -> Node | None:
    """What a reference such as `x = 5`, or `k = 3 = 6/2`, expects for its name; None if it names nothing."""
    said = without_label(relation)
    return said[-1] if said and len(said) < len(relation.sides) else None


def is_name(node: Node, rest: tuple[Node, ...]) -> bool:
    r"""Whether a side only names what the rest is: `x`, `f(x)`, `P(X = 2)`, `(x, y)`, `AB : BC`, `\sin A`."""
    match node:
        case Word(text):
            is_word = _is_capital(node) or len(text) > _LONGEST_PRODUCT
            return is_word and text.lower() not in _DENIALS
        case Symbol(name):
            return name not in CONSTANTS
        case Apply("call", (Symbol(), Symbol() | Number() | Relation())):
            return True
        case Group("()", items):
            return are_in_order(items)
        case Apply("add", items):  # `m + n = 113`, as some contests ask for
            return are_in_order(items) and not any(map(variables, rest)) and not _is_zero(rest[-1])
        case Apply("call", (Symbol(name), _)) if name[:1].isupper():
            return True
    parts = list(walk(node))
    named = [part for part in parts if isinstance(part, Symbol | Word)]
    said = any(isinstance(part, Word) or variables(part) for side in rest for part in walk(side))
    return (
        all(_is_capital(part) for part in named)
        and not any(isinstance(part, Number | Relation) for part in parts)
        and all(part.head in _GEOMETRIC for part in parts if isinstance(part, Apply))
        and all(part.kind == "ratio" for part in parts if isinstance(part, Group))
        and not said
    )


def are_in_order(names: tuple[Node, ...]) -> bool:
    """Whether they are different variables in the order of the alphabet, as one would give their values."""
    said = [name.name for name in names if isinstance(name, Symbol)]
    return len(said) == len(names) == len(set(said)) and sorted(said) == said


def _is_zero(node: Node) -> bool:
    return isinstance(node, Number) and node.value == 0


def _is_capital(node: Symbol | Word) -> bool:
    name = node.name if isinstance(node, Symbol) else node.text
    return name[:1].isupper() or (len(name) > 1 and name in GREEK)


def same_relation(expected: Relation, answer: Relation, alike: Alike) -> bool:
    """Whether two relations say the same."""
    expected, answer = _upwards(expected), _upwards(answer)
    if expected.ops != answer.ops:
        return False
    if all(map(alike, expected.sides, answer.sides)):
        return True
    if len(expected.ops) > 1 or expected.ops == ("in",):
        return False
    factor = _proportion(_difference(expected), _difference(answer))
    if factor is None or (factor < 0 and expected.ops[0] not in ("=", "!=")):
        return False
    return alike(Apply("mul", (Number(factor), _difference(expected))), _difference(answer))


def as_interval(relation: Relation) -> Group | None:
    """The interval that an inequality about one name describes, if it is one."""
    ops, sides = _upwards(relation).ops, _upwards(relation).sides
    if set(ops) - {"<", "<="}:
        return None
    opening, closing = ("(" if ops[0] == "<" else "["), (")" if ops[-1] == "<" else "]")
    if len(sides) == 3 and isinstance(sides[1], Symbol):
        return Group(opening + closing, (sides[0], sides[2]))
    if len(sides) == 2 and isinstance(sides[0], Symbol):
        return Group("(" + closing, (_MINUS_INFINITY, sides[1]))
    if len(sides) == 2 and isinstance(sides[1], Symbol):
        return Group(opening + ")", (sides[0], _INFINITY))
    return None


def _upwards(relation: Relation) -> Relation:
    """The same relation with its signs pointing to the larger side."""
    if not set(relation.ops) <= {">", ">="}:
        return relation
    return Relation(tuple(_FLIPPED[op] for op in reversed(relation.ops)), relation.sides[::-1])


def _difference(relation: Relation) -> Node:
    return Apply("add", (relation.sides[0], Apply("neg", (relation.sides[1],))))


def _proportion(first: Node, second: Node) -> Fraction | None:
    """A simple rational that may turn the first into the second as a factor; still to be proved."""
    try:
        above, below = next((right, left) for left, right in values_at_points(first, second) if left and right)
    except (StopIteration, MathsError):
        return None
    ratio = above / below
    if abs(ratio.imag) > abs(ratio) * 1e-20:
        return None
    return Fraction(str(ratio.real)).limit_denominator(_LARGEST_DENOMINATOR) or None

"""Whether two trees mean the same.

Groups are compared item by item, relations by what they say, expressions by value and then by proof.
"""

from collections import Counter

from rewarders.maths.exact import Undefined, rational
from rewarders.maths.numeric import differ
from rewarders.maths.relations import as_interval, same_relation, stated_value, without_label
from rewarders.maths.spread import spread
from rewarders.maths.symbolic import provably_equal
from rewarders.maths.tree import Apply, Group, Node, Number, Relation, Symbol, TooCostly, Word, walk

MAX_PAIRWISE = 24
"""Items of a list or set that are neither rational nor spelled alike are compared each with each."""

_INFINITIES = (Symbol("infinity"), Apply("neg", (Symbol("infinity"),)))


def same(expected: Node, answer: Node) -> bool:
    """Whether the answer means what is expected.

    Raises:
        TooCostly: if finding out would take more than an answer is worth.
    """
    return _alike(spread(expected), spread(answer))


def _alike(expected: Node, answer: Node) -> bool:
    match expected, answer:
        case Relation(), Relation():
            return _same_relation(expected, answer)
        case Group(), Relation():
            interval = as_interval(answer)
            return _alike(expected, interval) if interval else _every_side_is(expected, answer)
        case _, Relation():
            return _every_side_is(expected, answer)
        case Relation(), _:
            meant = stated_value(expected) or (as_interval(expected) if isinstance(answer, Group) else None)
            return meant is not None and _alike(meant, answer)
        case Group(), Group():
            return _same_group(expected, answer)
        case (Group() | Word(), _) | (_, Group() | Word()):
            return expected == answer
    return _same_expression(expected, answer)


def _same_relation(expected: Relation, answer: Relation) -> bool:
    if same_relation(expected, answer, _alike):
        return True
    mine, yours = as_interval(expected), as_interval(answer)
    return mine is not None and yours is not None and expected.ops != answer.ops and _alike(mine, yours)


def _every_side_is(expected: Node, answer: Relation) -> bool:
    """A chain such as `3 + 4 = 7` is right only if all of it is: `1 = 2 = 42` is not 42."""
    said = without_label(answer)
    return bool(said) and all(_alike(expected, side) for side in said)


def _same_expression(expected: Node, answer: Node) -> bool:
    if expected == answer and (expected in _INFINITIES or _INFINITIES[0] not in walk(expected)):
        return True
    if _is_same_call(expected, answer):
        return True
    try:
        exact, given = rational(expected), rational(answer)
    except Undefined:
        return False
    if exact is not None and given is not None:
        return exact == given
    return not differ(expected, answer) and provably_equal(expected, answer)


def _is_same_call(expected: Node, answer: Node) -> bool:
    """`f(1/2)` and `f(0.5)`, whatever `f` may be."""
    match expected, answer:
        case Apply("call", (name, place)), Apply("call", (other_name, other_place)):
            return name == other_name and _alike(place, other_place)
    return False


def _same_group(expected: Group, answer: Group) -> bool:
    if expected.ordered or answer.ordered:
        matched = expected.kind == answer.kind and len(expected.items) == len(answer.items)
        return matched and all(map(_alike, expected.items, answer.items))
    if (expected.kind == "union") != (answer.kind == "union"):
        return False
    return _same_items(expected.items, answer.items)


def _same_items(expected: tuple[Node, ...], answer: tuple[Node, ...]) -> bool:
    """Whether both have the same items in any order: rational ones by value, the others each with each."""
    wanted, given = Counter(map(_key, expected)), Counter(map(_key, answer))
    if len(expected) != len(answer):
        return False
    left, right = list((wanted - given).elements()), list((given - wanted).elements())
    if len(left) > MAX_PAIRWISE:
        hopeless = all(isinstance(key, Number) for key in (*left, *right))
        if hopeless:
            return False
        raise TooCostly(f"{len(left)} items to compare each with each")
    for item in left:
        partner = next((other for other in right if _alike(item, other)), None)
        if partner is None:
            return False
        right.remove(partner)
    return True


def _key(item: Node) -> Node:
    """Equal for items that are the same rational number, or the same tree."""
    try:
        exact = rational(item)
    except Undefined:
        return item
    return item if exact is None else Number(exact)

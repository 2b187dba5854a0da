"""Whether two trees mean the same.

Sets of numbers are compared as such, groups item by item, relations by what they say, expressions by value and then by
proof.
"""

from collections import Counter
from typing import Any, TypeGuard

from rewarders.maths.decimals import is_about, is_print_of, rounds_to
from rewarders.maths.exact import Undefined, rational
from rewarders.maths.numeric import differ
from rewarders.maths.quotients import equal_quotients
from rewarders.maths.regions import is_region, same_region
from rewarders.maths.relations import are_in_order, as_interval, same_relation, stated_value, without_label
from rewarders.maths.renaming import with_expected_names, without_domains
from rewarders.maths.spread import spread
from rewarders.maths.symbolic import provably_equal
from rewarders.maths.tree import CONSTANTS, Apply, Binder, Group, Node, Number, Relation, Symbol, TooCostly, Word, walk
from rewarders.maths.unrolling import unrolled

MAX_LETTERS_OF_A_PRODUCT = 3
MAX_SIDES = 12
MAX_PAIRWISE = 24
"""Items of a list or set that are neither rational nor spelled alike are compared each with each."""

_INFINITIES = (Symbol("infinity"), Apply("neg", (Symbol("infinity"),)))
_VECTORS = frozenset({"()", "[]"})


def same(expected: Node, answer: Node) -> bool:
    """Whether the answer means what is expected.

    Raises:
        TooCostly: if finding out would take more than an answer is worth.
    """
    expected, answer = without_domains(unrolled(expected)), without_domains(unrolled(answer))
    answer = with_expected_names(expected, answer)
    if is_region(expected) or is_region(answer):
        known = same_region(expected, answer, _alike)
        if known is not None:
            return known
    return _alike(spread(expected), spread(answer))


def _as_product(word: Node) -> Node:
    """`ab` alone is a word, and beside an expression it is a product."""
    if isinstance(word, Word) and len(word.text) <= MAX_LETTERS_OF_A_PRODUCT:
        return Apply("mul", tuple(Symbol(letter) for letter in word.text))
    return word


def _alike(expected: Node, answer: Node) -> bool:
    expected, answer = _only_item(expected), _only_item(answer)
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
        case (Group("ratio", (above, below)), part) | (part, Group("ratio", (above, below))):
            return not isinstance(part, Word) and _alike(part, Apply("div", (above, below)))
        case (Word(), Apply()) | (Apply(), Word()):
            expected, answer = _as_product(expected), _as_product(answer)
            return (
                not isinstance(expected, Word) and not isinstance(answer, Word) and _same_expression(expected, answer)
            )
        case (Group() | Word(), _) | (_, Group() | Word()):
            return expected == answer
    return _same_expression(expected, answer)


def _only_item(node: Node) -> Node:
    r"""`\{5\}` and `[5]` as answers are 5."""
    if isinstance(node, Group) and node.kind in ("set", "[]") and len(node.items) == 1:
        return node if isinstance(node.items[0], Group) else node.items[0]
    return node


def _same_relation(expected: Relation, answer: Relation) -> bool:
    answer_named = with_expected_names(expected, answer)
    assert isinstance(answer_named, Relation), "a relation with other names is one"
    if same_relation(expected, answer_named, _alike):
        return True
    if _is_function_of(expected, answer) or _is_function_of(answer, expected):
        return _alike(expected.sides[1], answer.sides[1])
    if "~" in expected.ops + answer.ops:
        meant = stated_value(expected)
        return meant is not None and _every_side_is(meant, answer)
    mine, yours = as_interval(expected), as_interval(answer)
    return mine is not None and yours is not None and expected.ops != answer.ops and _alike(mine, yours)


def _is_function_of(named: Relation, plain: Relation) -> bool:
    """Whether one says `f(x) = ...` and the other `y = ...` of the same."""
    match named, plain:
        case (
            Relation(("=",), (Apply("call", (Symbol(), Symbol())), _)),
            Relation(("=",), (Symbol("y"), value)),
        ):
            return Symbol("y") not in walk(value)
    return False


def _every_side_is(expected: Node, answer: Relation) -> bool:
    """A chain such as `3 + 4 = 7` is right only if all of it is: `1 = 2 = 42` is not 42.

    Raises:
        TooCostly: a chain of more sides than anybody writes.

    What follows a sign of approximation has to be a rounding of what stands before it; then either may be expected.
    """
    if len(answer.sides) > MAX_SIDES:
        raise TooCostly(f"a chain of {len(answer.sides)} sides")
    exact, rounded = _split_at_approximation(answer)
    said = without_label(exact) if isinstance(exact, Relation) else (exact,)
    if not said or rounded is None:
        return bool(said) and all(_alike(expected, side) for side in said)
    value = said[-1]
    if isinstance(value, Symbol) and value.name not in CONSTANTS:  # `x ≈ 3.14`
        return _alike(expected, rounded)
    is_chain = all(_alike(value, side) for side in said)
    return is_chain and (
        (_alike(expected, value) and is_about(value, rounded))
        or (_alike(expected, rounded) and rounds_to(value, rounded))
    )


def _split_at_approximation(relation: Relation) -> tuple[Node, Node | None]:
    if "~" not in relation.ops:
        return relation, None
    at = relation.ops.index("~")
    exact = Relation(relation.ops[:at], relation.sides[: at + 1]) if at else relation.sides[0]
    return exact, relation.sides[-1]


def _same_expression(expected: Node, answer: Node) -> bool:
    if expected == answer and (expected in _INFINITIES or _INFINITIES[0] not in walk(expected)):
        return True
    if _is_same_call(expected, answer) or _is_same_residue(expected, answer):
        return True
    if any(isinstance(part, Binder) for part in (*walk(expected), *walk(answer))):
        return provably_equal(expected, answer)
    try:
        exact, given = rational(expected), rational(answer)
    except Undefined:
        return False
    if exact is not None and exact == given:
        return True
    if is_print_of(expected, answer) or is_print_of(answer, expected):
        return True
    if exact is not None and given is not None:
        return False
    known = equal_quotients(expected, answer)
    return not differ(expected, answer) and provably_equal(expected, answer) if known is None else known


def _is_same_call(expected: Node, answer: Node) -> bool:
    """`f(1/2)` and `f(0.5)`, whatever `f` may be."""
    match expected, answer:
        case Apply("call", (name, place)), Apply("call", (other_name, other_place)):
            return name == other_name and _alike(place, other_place)
    return False


def _is_same_residue(expected: Node, answer: Node) -> bool:
    match expected, answer:
        case Apply("residue", (value, modulus)), Apply("residue", (other, same_modulus)):
            by, mine, yours = rational(modulus), rational(value), rational(other)
            if not by or mine is None or yours is None:
                return False
            return _alike(modulus, same_modulus) and (mine - yours) % by == 0
    return False


def _same_group(expected: Group, answer: Group) -> bool:
    if "matrix" in (expected.kind, answer.kind):
        return _same_matrix(expected, answer)
    if named := _values_of_names(expected, answer):
        expected = Group(answer.kind if answer.kind == "()" else "[]", named)
        answer = answer if answer.kind == "()" else Group("[]", answer.items)
    elif named := _values_of_names(answer, expected):
        answer = Group(expected.kind if expected.kind == "()" else "[]", named)
        expected = expected if expected.kind == "()" else Group("[]", expected.items)
    if expected.ordered or answer.ordered:
        matched = expected.kind == answer.kind and len(expected.items) == len(answer.items)
        return matched and all(map(_alike, expected.items, answer.items))
    if (expected.kind == "union") != (answer.kind == "union"):
        return False
    return _same_items(expected.items, answer.items)


def _values_of_names(group: Group, bare: Group) -> tuple[Node, ...]:
    """The values of `x = 3, y = 4` beside a bare list or tuple, which then has to be in this order; else nothing.

    A tuple is in the order of the alphabet; `x = 3, x = 4` are two values in any order.
    """
    if (
        group.kind != "list"
        or bare.kind not in ("list", "()")
        or any(isinstance(item, Relation) for item in bare.items)
    ):
        return ()
    labelled = [item for item in group.items if isinstance(item, Relation) and stated_value(item) is not None]
    names = [item.sides[0] for item in labelled]
    if len(labelled) < len(group.items) or len(set(names)) < len(names):
        return ()
    if bare.kind == "()" and not (are_in_order(tuple(names)) or _are_places_of_one_function(names)):
        return ()
    return tuple(item.sides[-1] for item in labelled)


def _are_places_of_one_function(names: list[Node]) -> bool:
    """`T(10), T(11)`: the same name at places that grow."""
    places = [name.args[1].value for name in names if _is_at_a_number(name)]
    functions = {name.args[0] for name in names if isinstance(name, Apply)}
    return len(places) == len(names) and len(functions) == 1 and sorted(places) == places


def _is_at_a_number(name: Node) -> TypeGuard[Any]:
    return isinstance(name, Apply) and name.head == "call" and isinstance(name.args[1], Number)


def _same_matrix(expected: Group, answer: Group) -> bool:
    """Entry by entry; a single row or column may be written as a tuple."""
    if expected.kind == answer.kind:
        matched = len(expected.items) == len(answer.items)
        return matched and all(_same_row(*rows) for rows in zip(expected.items, answer.items, strict=True))
    matrix, other = (expected, answer) if expected.kind == "matrix" else (answer, expected)
    entries = tuple(entry for row in matrix.items if isinstance(row, Group) for entry in row.items)
    is_vector = len(matrix.items) == 1 or len(entries) == len(matrix.items)
    if not is_vector or other.kind not in _VECTORS or len(entries) != len(other.items):
        return False
    return all(map(_alike, entries, other.items))


def _same_row(expected: Node, answer: Node) -> bool:
    assert isinstance(expected, Group), "a matrix is made of rows"
    assert isinstance(answer, Group), "a matrix is made of rows"
    return len(expected.items) == len(answer.items) and all(map(_alike, expected.items, answer.items))


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

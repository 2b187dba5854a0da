r"""Names that are free to choose: the argument of a function that is being defined, the whole number in `\pi k`, the
constant of an integral."""

from rewarders.maths.tree import Apply, Group, Node, Relation, Symbol, replace, variables, walk

_WHOLE_NUMBERS = frozenset("kmnlj")
_CONSTANTS = frozenset({"C", "K", "c", "k", "C_1", "c_1"})


def without_domains(node: Node) -> Node:
    r"""`k\pi, k \in \mathbb{Z}` without what it says of k."""
    if not isinstance(node, Group) or node.kind != "list":
        return node
    kept = tuple(item for item in node.items if not _is_domain(item))
    return kept[0] if len(kept) == 1 else Group("list", kept) if kept else node


def _is_domain(item: Node) -> bool:
    match item:
        case Relation(("in",), (Symbol(), Symbol(name))):
            return name.rstrip("+-_*0") in ("integers", "naturals")
    return False


def with_expected_names(expected: Node, answer: Node) -> Node:
    """The answer with the names that the expected one uses for the same thing; as it is where there is no such name."""
    match expected, answer:
        case (
            Relation(("=", *_), (Apply("call", (function, Symbol(name))), *_)),
            Relation(("=", *_), (Apply("call", (same_function, Symbol(other))), *_)),
        ) if function == same_function and name not in variables(answer):
            return replace(answer, other, Symbol(name))
    if expected == answer:
        return answer
    mine, yours = _said_variables(expected), _said_variables(answer)
    missing, strange = mine - yours, yours - mine
    if len(missing) != 1 or len(strange) != 1:
        return answer
    (name,), (other,) = missing, strange
    both_periodic = {name, other} <= _WHOLE_NUMBERS and _is_periodic(expected, name) and _is_periodic(answer, other)
    both_free = {name, other} <= _CONSTANTS and (
        (_is_once_in(expected, name, "add") and _is_once_in(answer, other, "add"))
        or (_is_once_in(expected, name, "mul") and _is_once_in(answer, other, "mul"))
    )
    return replace(answer, other, Symbol(name)) if both_periodic or both_free else answer


def _said_variables(node: Node) -> frozenset[str]:
    """Of the values, not of the names that they are given."""
    match node:
        case Relation(("=",), (Symbol(), value)):
            return variables(value)
        case Group("list" | "set" | "or", items):
            return frozenset[str]().union(*map(_said_variables, items))
    return variables(node)


def _is_periodic(node: Node, name: str) -> bool:
    r"""Whether a name stands nowhere but in multiples of \pi, degrees included."""
    if isinstance(node, Group) or (isinstance(node, Apply) and node.head == "add"):
        parts = node.items if isinstance(node, Group) else node.args
        return all(_is_periodic(part, name) for part in parts if name in variables(part))
    if isinstance(node, Relation):
        return all(_is_periodic(side, name) for side in node.sides if name in variables(side))
    return Symbol("pi") in walk(node) and not any(isinstance(part, Apply) and part.head == "pow" for part in walk(node))


def _is_once_in(node: Node, name: str, head: str) -> bool:
    """Whether it is a sum with the name as one term, or a product with it as one factor, and nowhere else."""
    if isinstance(node, Relation):
        return all(_is_once_in(side, name, head) for side in node.sides if name in variables(side))
    places = sum(part == Symbol(name) for part in walk(node))
    return isinstance(node, Apply) and node.head == head and Symbol(name) in node.args and places == 1

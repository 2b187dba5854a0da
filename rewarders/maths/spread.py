r"""Plus-minus signs written out: `1 \pm x` is the list of two values, all upper signs and all lower signs."""

from itertools import product

from rewarders.maths.tree import Apply, Group, Node, Relation, Symbol, walk

MAX_SIGNS = 4
"""Plus-minus signs that are independent of each other: each doubles the values."""


def spread(node: Node) -> Node:
    """The same answer without plus-minus signs. Lists inside lists and sets are flattened on the way."""
    if isinstance(node, Group) and node.kind in ("list", "set", "or", "all"):
        items = (spread(item) for item in node.items)
        kind = "set" if node.kind == "set" else "list"
        return Group(kind, tuple(part for item in items for part in _parts(item)))
    if isinstance(node, Group) and node.ordered and sum(map(_has_sign, node.items)) > 1:
        return _each_by_itself(node)
    if not _has_sign(node):
        return node
    if isinstance(node, Relation):
        return _spread_label(node)
    return Group("list", (_resolve(node, upper=True), _resolve(node, upper=False)))


def _has_sign(node: Node) -> bool:
    return any(isinstance(part, Apply) and part.head in ("pm", "mp") for part in walk(node))


def _each_by_itself(node: Group) -> Node:
    r"""`(\pm 1, \pm 2)` is four points; where a \mp says that the signs belong together it is two."""
    signs = {part.head for part in walk(node) if isinstance(part, Apply) and part.head in ("pm", "mp")}
    if "mp" in signs or sum(map(_has_sign, node.items)) > MAX_SIGNS:
        return Group("list", tuple(_resolve(node, upper=upper) for upper in (True, False)))
    places = ([_resolve(item, upper=u) for u in (True, False)] if _has_sign(item) else [item] for item in node.items)
    return Group("list", tuple(Group(node.kind, items) for items in product(*places)))


def _parts(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, Group) and node.kind == "list" else (node,)


def _spread_label(relation: Relation) -> Node:
    r"""`x = \pm 3` is `x = 3, x = -3`."""
    left, *right = relation.sides
    if relation.ops not in (("=",), ("!=",)) or not isinstance(left, Symbol):
        return relation
    return Group("list", tuple(Relation(relation.ops, (left, value)) for value in _parts(spread(right[0]))))


def _resolve(node: Node, *, upper: bool) -> Node:
    if isinstance(node, Apply):
        args = tuple(_resolve(arg, upper=upper) for arg in node.args)
        if node.head in ("pm", "mp"):
            return args[0] if upper == (node.head == "pm") else Apply("neg", args)
        return Apply(node.head, args)
    if isinstance(node, Group):
        return Group(node.kind, tuple(_resolve(item, upper=upper) for item in node.items))
    return node

r"""Plus-minus signs written out: `1 \pm x` is the list of two values, all upper signs and all lower signs."""

from rewarders.maths.tree import Apply, Group, Node, Relation, Symbol, walk


def spread(node: Node) -> Node:
    """The same answer without plus-minus signs. Lists inside lists and sets are flattened on the way."""
    if isinstance(node, Group) and node.kind in ("list", "set"):
        items = (spread(item) for item in node.items)
        return Group(node.kind, tuple(part for item in items for part in _parts(item)))
    if not any(isinstance(part, Apply) and part.head in ("pm", "mp") for part in walk(node)):
        return node
    if isinstance(node, Relation):
        return _spread_label(node)
    return Group("list", (_resolve(node, upper=True), _resolve(node, upper=False)))


def _parts(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, Group) and node.kind == "list" else (node,)


def _spread_label(relation: Relation) -> Node:
    r"""`x = \pm 3` is `x = 3, x = -3`."""
    left, *right = relation.sides
    if relation.ops != ("=",) or not isinstance(left, Symbol):
        return relation
    return Group("list", tuple(Relation(("=",), (left, value)) for value in _parts(spread(right[0]))))


def _resolve(node: Node, *, upper: bool) -> Node:
    if isinstance(node, Apply):
        args = tuple(_resolve(arg, upper=upper) for arg in node.args)
        if node.head in ("pm", "mp"):
            return args[0] if upper == (node.head == "pm") else Apply("neg", args)
        return Apply(node.head, args)
    if isinstance(node, Group):
        return Group(node.kind, tuple(_resolve(item, upper=upper) for item in node.items))
    return node

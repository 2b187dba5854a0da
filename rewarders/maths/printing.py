"""A tree as text, for evidence: `div(1, add(x, 2))`. Bounded, so that nobody stores much by writing much."""

from collections.abc import Iterator

from rewarders.maths.tree import Apply, Binder, Group, Node, Number, Relation, Symbol, Word

MAX_CHARS = 240
_MAX_DIGITS_BITS = 600


def shown(node: Node) -> str:
    """The tree in prefix notation, cut where it gets long."""
    text = ""
    for piece in _pieces(node):
        text += piece
        if len(text) > MAX_CHARS:
            return text[: MAX_CHARS - 1] + "…"
    return text


def _pieces(node: Node) -> Iterator[str]:
    match node:
        case Number(value):
            huge = max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_DIGITS_BITS
            yield "a long number" if huge else str(value)
        case Symbol(name):
            yield name
        case Word(text):
            yield repr(text)
        case Apply(head, args):
            yield from _called(head, args)
        case Binder(head, name, body, ends):
            yield from _called(head, (Symbol(name), body, *ends))
        case Group(kind, items):
            yield from _called(f"({kind})" if len(kind) == 2 else kind, items)
        case Relation(ops, sides):
            yield from _pieces(sides[0])
            for op, side in zip(ops, sides[1:], strict=True):
                yield f" {op} "
                yield from _pieces(side)


def _called(head: str, args: tuple[Node, ...]) -> Iterator[str]:
    yield f"{head}("
    for index, arg in enumerate(args):
        yield ", " if index else ""
        yield from _pieces(arg)
    yield ")"

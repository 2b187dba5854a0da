"""A tree as text, for evidence: `div(1, add(x, 2))`. Bounded, so that nobody stores much by writing much."""

from rewarders.maths.tree import Apply, Binder, Group, Node, Number, Relation, Symbol, Word

MAX_CHARS = 240
_MAX_DIGITS_BITS = 600


def shown(node: Node) -> str:
    """The tree in prefix notation, cut where it gets long."""
    pieces: list[str] = []
    _write(node, pieces)
    text = "".join(pieces)
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"


def _write(node: Node, pieces: list[str]) -> None:
    if len(pieces) > MAX_CHARS:  # none of them is empty
        return
    match node:
        case Number(value):
            huge = max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_DIGITS_BITS
            pieces.append("a long number" if huge else str(value))
        case Symbol(name):
            pieces.append(name)
        case Word(text):
            pieces.append(repr(text))
        case Apply(head, args):
            _write_call(head, args, pieces)
        case Binder(head, name, body, ends):
            _write_call(head, (Symbol(name), body, *ends), pieces)
        case Group(kind, items):
            _write_call(f"({kind})" if len(kind) == 2 and kind[0] in "([" else kind, items, pieces)
        case Relation(ops, sides):
            _write(sides[0], pieces)
            for op, side in zip(ops, sides[1:], strict=True):
                pieces.append(f" {op} ")
                _write(side, pieces)


def _write_call(head: str, args: tuple[Node, ...], pieces: list[str]) -> None:
    pieces.append(f"{head}(")
    for index, arg in enumerate(args):
        if index:
            pieces.append(", ")
        _write(arg, pieces)
    pieces.append(")")

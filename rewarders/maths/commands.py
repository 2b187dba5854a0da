r"""What starts with a backslash: fractions, roots, sets, matrices, sums, integrals, limits, derivatives."""

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from rewarders.maths.names import function, subscripted
from rewarders.maths.tokens import END, Kind
from rewarders.maths.tree import CONSTANTS as NAMED_CONSTANTS
from rewarders.maths.tree import (
    NUMBER_SETS,
    Apply,
    Binder,
    Group,
    Node,
    Number,
    Relation,
    Symbol,
    Unparsable,
    Word,
    replace,
    variables,
)
from rewarders.maths.vocabulary import ARROWS, BRACKETS, CHOOSERS, CONSTANTS, FUNCTIONS, GREEK

if TYPE_CHECKING:
    from rewarders.maths.parse import Parser

_MATRICES = frozenset({"matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "smallmatrix", "array"})
_INFINITY = Symbol("infinity")
_SIGNED_NUMBERS = {
    "reals+": Group("()", (Number(Fraction(0)), _INFINITY)),
    "reals-": Group("()", (Apply("neg", (_INFINITY,)), Number(Fraction(0)))),
}
_LISTS = frozenset({"cases", "aligned", "align", "gathered", "split", "rcases"})


def command(parser: "Parser", name: str) -> Node:
    """Read a command whose name was taken. Raises Unparsable, TooCostly."""
    if name in _READERS:
        return _READERS[name](parser)
    if name in FUNCTIONS or name in CHOOSERS:
        return function(parser, name)
    if name in CONSTANTS:
        return Symbol(CONSTANTS[name])
    if name in GREEK:
        return subscripted(parser, name)
    if name in BRACKETS:
        return _special_brackets(parser, *BRACKETS[name])
    raise Unparsable(f"unknown command {name[:20]}")


# -- fractions, roots, brackets ------------------------------------------------------------------------------------


def _fraction(parser: "Parser") -> Node:
    above, below = parser.argument(), parser.argument()
    if above in (Symbol("d"), Symbol("partial")) and (name := _differential(below)):
        return Binder("derivative", name, parser.product())
    return Apply("div", (above, below))


def _differential(node: Node) -> str | None:
    """The name in `dx`, if it is that."""
    match node:
        case Word(text=run) if len(run) == 2 and run[0] == "d":
            return run[1]
        case Apply("mul", (Symbol("d" | "partial"), Symbol(name))):
            return name
    return None


def _angle(parser: "Parser") -> Node:
    r"""`\angle ABC`, whose letters are no product."""
    name = parser.take().text if parser.next.kind is Kind.LETTERS else None
    return Apply("angle", (Word(name) if name else parser.argument(),))


def _binomial(parser: "Parser") -> Node:
    return Apply("binomial", (parser.argument(), parser.argument()))


def _root(parser: "Parser") -> Node:
    r"""`\sqrt{x}` and `\sqrt[n]{x}`."""
    if not parser.accept("["):
        return Apply("sqrt", (parser.argument(),))
    degree = parser.sum()
    parser.expect("]")
    return Apply("root", (parser.argument(), degree))


def _special_brackets(parser: "Parser", closing: str, head: str) -> Node:
    items, _ = parser.items()
    parser.expect(closing)
    if not head:
        return Group("()", items)
    if len(items) != 1:
        raise Unparsable(f"{head} of several values")
    return Apply(head, items)


def _blackboard(parser: "Parser") -> Node:
    letter = parser.argument()
    name = NUMBER_SETS.get(letter.name) if isinstance(letter, Symbol) else None
    if name is None:
        raise Unparsable("a blackboard letter that is no set of numbers")
    while sign := parser.accept("^", "_"):
        if sign == "^" and (plus := parser.accept("+", "-", "*")):
            name += plus
        elif sign == "^" and parser.accept("{"):
            name += parser.take().text
            parser.expect("}")
        else:
            parser.argument()
            name += "_"
    return _SIGNED_NUMBERS.get(name, Symbol(name))


# -- sets, matrices, systems -----------------------------------------------------------------------------------------


def _set(parser: "Parser") -> Node:
    r"""`\{1, 2\}`, `\{\}` and `\{x \mid x > 0\}`."""
    if parser.accept("}"):
        return Group("set", ())
    was = parser.in_set_head, parser.open_bars
    parser.in_set_head, parser.open_bars = True, 1
    items, _ = parser.items()
    parser.in_set_head, parser.open_bars = was
    if parser.accept("|", "mid", ":"):
        conditions, word = parser.items()
        parser.expect("}")
        return _built(items, conditions, either=word == "or")
    parser.expect("}")
    return Group("set", items)


def _built(heads: tuple[Node, ...], conditions: tuple[Node, ...], *, either: bool) -> Node:
    """A set by its conditions: its first item is the variable, or `x` in some set."""
    if len(heads) != 1:
        raise Unparsable("a set of several things under one condition")
    head = heads[0]
    if isinstance(head, Relation) and head.ops == ("in",):
        within = head.sides[1]
        inner = Group("or", conditions) if either else Group("all", conditions)
        return Group("builder", (head.sides[0], inner if within == Symbol("reals") else Group("all", (head, inner))))
    return Group("builder", (head, Group("or" if either else "all", conditions)))


def _environment(parser: "Parser") -> Node:
    name = _environment_name(parser)
    if name == "array" and parser.accept("{"):  # columns, as in {cc|c}
        while not parser.accept("}"):
            if parser.take() is END:
                raise Unparsable("an array without its columns")
    if name in _MATRICES:
        rows = _rows(parser)
        value: Node = Group("matrix", tuple(Group("row", row) for row in rows))
        value = Apply("det", (value,)) if name == "vmatrix" else value
    elif name in _LISTS:
        items = tuple(_joined(row) for row in _rows(parser))
        value = items[0] if len(items) == 1 else Group("list", items)
    else:
        raise Unparsable(f"unknown environment {name[:20]}")
    parser.expect("end")
    if _environment_name(parser) != name:
        raise Unparsable(f"{name} is not closed")
    return value


def _environment_name(parser: "Parser") -> str:
    parser.expect("{")
    name = parser.take().text
    parser.accept("*")
    parser.expect("}")
    return name


def _rows(parser: "Parser") -> list[tuple[Node, ...]]:
    rows: list[tuple[Node, ...]] = []
    was, parser.open_bars = parser.open_bars, 0
    while not parser.peek("end"):
        cells = []
        while True:
            if not parser.peek("&", "cr", "end"):
                cells.append(_cell(parser))
            if not parser.accept("&"):
                break
        parser.accept(",", ";")
        if cells:
            rows.append(tuple(cells))
        if not parser.accept("cr") and not parser.peek("end"):
            raise Unparsable("a row that does not end")
    parser.open_bars = was
    if not rows:
        raise Unparsable("an environment without rows")
    return rows


def _cell(parser: "Parser") -> Node:
    """A relation; `& = 5`, which goes on in the next column, is read as its right side."""
    if parser.accept("="):
        return Relation(("=",), (Word(""), parser.relation()))
    value = parser.relation()
    while parser.peek(",", ";") and parser.after_next.text in ("&", "cr", "end"):
        parser.take()
    return value


def _joined(row: tuple[Node, ...]) -> Node:
    if len(row) == 1:
        return row[0]
    match row:
        case (left, Relation(("=", *ops), (Word(""), *sides))) if not isinstance(left, Relation):
            return Relation(("=", *ops), (left, *sides))
    raise Unparsable("a row of several columns outside of a matrix")


# -- operators over a variable ---------------------------------------------------------------------------------------


def _limit(parser: "Parser") -> Node:
    parser.expect("_")
    parser.expect("{")
    name = _name(parser.argument())
    if not parser.accept(*ARROWS):
        raise Unparsable("a limit without an arrow")
    place = parser.sum()
    if parser.accept("^"):  # the side that it comes from
        raise Unparsable("a limit from one side")
    parser.expect("}")
    return _over("limit", name, parser.product(), (place,))


def _name(node: Node) -> str:
    if not isinstance(node, Symbol):
        raise Unparsable("an operator over something that is no variable")
    return node.name


def _big(head: str) -> Callable[["Parser"], Node]:
    def read(parser: "Parser") -> Node:
        below, above = _ends(parser)
        match below:
            case Relation(("=",), (Symbol(name), start)):
                return _over(head, name, parser.product(), (start, above))
        raise Unparsable(f"a {head} that does not say where it starts")

    return read


def _over(head: str, name: str, body: Node, ends: tuple[Node, ...]) -> Node:
    """Its variable may have the name of a constant: in a sum over `i`, `i` is no root of -1."""
    own = f"{name}'" if name in NAMED_CONSTANTS else name
    return Binder(head, own, replace(body, name, Symbol(own)), ends)


def _ends(parser: "Parser") -> tuple[Node, Node]:
    """What is below an operator and what is above it, in either order."""
    ends: dict[str, Node] = {}
    for _ in range(2):
        sign = parser.accept("_", "^")
        if not sign or sign in ends:
            raise Unparsable("an operator without both its ends")
        ends[sign] = _end(parser)
    return ends["_"], ends["^"]


def _end(parser: "Parser") -> Node:
    if not parser.accept("{"):
        sign = parser.accept("-", "+")
        value = parser.argument(subscript=False)
        return Apply("neg", (value,)) if sign == "-" else value
    value = parser.relation()
    parser.expect("}")
    return value


def _integral(parser: "Parser") -> Node:
    ends: tuple[Node, ...] = _ends(parser) if parser.peek("_", "^") else ()
    was, parser.differentials = parser.differentials, True
    terms = [parser.product()]
    while (name := _integrated(terms[-1])) is None:
        if not (op := parser.accept("+", "-")):
            raise Unparsable("an integral without a differential")
        term = parser.product()
        terms.append(Apply("neg", (term,)) if op == "-" else term)
    parser.differentials = was
    terms[-1] = replace(terms[-1], f"d {name}", Number(Fraction(1)))
    return Binder("integral", name, Apply("add", tuple(terms)) if len(terms) > 1 else terms[0], ends)


def _integrated(term: Node) -> str | None:
    found = [name for name in variables(term) if name.startswith("d ")]
    return found[0][2:] if len(found) == 1 else None


_READERS: dict[str, Callable[["Parser"], Node]] = {
    "frac": _fraction,
    "binom": _binomial,
    "sqrt": _root,
    "{": _set,
    "emptyset": lambda parser: Group("set", ()),
    "mathbb": _blackboard,
    "begin": _environment,
    "lim": _limit,
    "sum": _big("sum"),
    "prod": _big("product"),
    "int": _integral,
    "partial": lambda parser: Symbol("partial"),
    "angle": _angle,
}

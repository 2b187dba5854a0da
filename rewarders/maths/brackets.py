"""Brackets, bars, and the base below a number: what a pair of brackets makes of the values in it."""

from fractions import Fraction
from typing import TYPE_CHECKING

from rewarders.maths.tokens import Kind
from rewarders.maths.tree import Apply, Group, Node, Number, Relation, Unparsable
from rewarders.maths.vocabulary import CLOSING

if TYPE_CHECKING:
    from rewarders.maths.parse import Parser

_LARGEST_BASE = 36


def bracketed(parser: "Parser", opening: str) -> Node:
    """What is in brackets, the first of which was taken: a value, a tuple, an interval, a set. Raises Unparsable."""
    was_open, parser.open_bars = parser.open_bars, 0
    items, word = parser.items()
    parser.open_bars = was_open
    if opening == "{" and parser.accept("choose"):
        items = (Apply("binomial", (items[0], parser.sum())),)
    closing = parser.take().text
    matches = closing == CLOSING.get(opening)
    if matches and len(items) == 1:
        return items[0]
    if matches and word == "or" and all(isinstance(item, Relation) for item in items):
        return Group("or", items)
    if opening == "{" and closing == "}":
        return Group("set", items)
    return Group(_kind(opening, closing, len(items)), items)


def _kind(opening: str, closing: str, count: int) -> str:
    """`[1, 2[` and `]1, 2]` leave out an end."""
    if opening in "([" and closing in (")", "]"):
        return opening + closing
    if opening in "[]" and closing in ("[", "]") and count == 2:
        return ("[" if opening == "[" else "(") + ("]" if closing == "]" else ")")
    raise Unparsable(f"{opening} is not closed")


def bars(parser: "Parser") -> Node:
    """An absolute value, the first bar of which was taken."""
    parser.open_bars += 1
    inside = parser.sum()
    parser.open_bars -= 1
    parser.expect("|")
    return Apply("abs", (inside,))


def in_its_base(parser: "Parser", digits: str) -> Node:
    """`204_5`: what follows the underscore is the base."""
    parser.expect("_")
    grouped = parser.accept("{")
    base = parser.take()
    if grouped:
        parser.expect("}")
    if base.kind is not Kind.NUMBER or not base.text.isdecimal() or not 2 <= int(base.text[:3]) <= _LARGEST_BASE:
        raise Unparsable("a number with a subscript that is no base")
    if not digits.isdecimal() or int(max(digits)) >= int(base.text):
        raise Unparsable("digits that the base does not have")
    return Number(Fraction(int(digits, int(base.text))))

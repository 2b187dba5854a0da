"""Runs of letters: functions and what they are applied to, constants, products of names, words."""

from fractions import Fraction
from typing import TYPE_CHECKING

from rewarders.maths.tokens import END, Kind
from rewarders.maths.tree import Apply, Group, Node, Number, Symbol, Unparsable, Word, product_of
from rewarders.maths.vocabulary import CHOOSERS, CONSTANTS, FUNCTIONS, GREEK, INVERSES, SEPARATORS

if TYPE_CHECKING:
    from rewarders.maths.parse import Parser

_LONGEST_PRODUCT_OF_LETTERS = 3


def letters(parser: "Parser", run: str) -> Node:
    """What a run of letters means: a function, a constant, names side by side, a word. Raises Unparsable."""
    if run in FUNCTIONS or run in CHOOSERS:
        return function(parser, run)
    if run in CONSTANTS:
        return Symbol(CONSTANTS[run])
    if run in GREEK or len(run) == 1:
        return subscripted(parser, run)
    if parser.differentials and run[-2] == "d":
        return product_of([*map(Symbol, run[:-2]), Symbol(f"d {run[-1]}")])
    if _stands_alone(parser, run):
        return Word(run)
    if len(run) > _LONGEST_PRODUCT_OF_LETTERS:
        raise Unparsable(f"unknown name {run[:20]}")
    parser.put_back(run[1:])  # a power, a factorial and a subscript belong to one letter
    return subscripted(parser, run[0])


def _stands_alone(parser: "Parser", run: str) -> bool:
    """Whether the run just taken is all there is between separators: then it is a word, not a product."""
    before = parser.before_last
    if len(run) <= _LONGEST_PRODUCT_OF_LETTERS:
        return before.text in (*SEPARATORS, "") and parser.next.text in (*SEPARATORS, "", "=")
    ends = (*SEPARATORS, "", "(", ")", "[", "]", "{", "}")
    return before.text in ends and parser.next.text in (*ends, "=", ":")


def subscripted(parser: "Parser", name: str) -> Node:
    """A name with the primes and the subscript that may follow."""
    while parser.accept("'"):
        name += "'"
    if not parser.accept("_"):
        return Symbol(name)
    grouped = parser.accept("{")
    parts = [parser.take()]
    while grouped and not parser.peek("}") and parser.next is not END:
        parts.append(parser.take())
    if grouped:
        parser.expect("}")
    if any(part.kind is Kind.SIGN and part.text not in "+-," for part in parts):
        raise Unparsable("a subscript of more than names and numbers")
    return Symbol(name + "_" + " ".join(part.text for part in parts))


def function(parser: "Parser", name: str) -> Node:
    """A function, whose name was taken, on what follows."""
    if name in CHOOSERS:
        inside = parser.atom()
        several = isinstance(inside, Group) and inside.kind in ("()", "set")
        arguments = inside.items if isinstance(inside, Group) and several else (inside,)
        if not arguments:
            raise Unparsable(f"{name} of nothing")
        return Apply(name, arguments)
    head = FUNCTIONS[name]
    if head == "log" and parser.accept("_"):
        base = parser.argument()
        return Apply("logarithm", (_operand(parser), base))
    if head == "lg":
        return Apply("logarithm", (_operand(parser), Number(Fraction(10))))
    power = parser.exponent() if parser.accept("^") else None
    if power in (Number(Fraction(-1)), Apply("neg", (Number(Fraction(1)),))):
        if head not in INVERSES:
            raise Unparsable(f"what {head} to the power -1 means is not clear")
        return Apply(INVERSES[head], (_operand(parser),))
    value = Apply(head, (_operand(parser),))
    return value if power is None else Apply("pow", (value, power))


def _operand(parser: "Parser") -> Node:
    r"""What a function is applied to: a bracket, or the factors up to the next function."""
    if parser.peek("(", "[", "{", "|"):
        parser.descend()
        value = parser.atom()
        parser.ascend()
        return value
    factors = [parser.factor() if parser.peek("-") else parser.power()]
    while parser.starts_a_factor() and not parser.peek("(", "[", "{", "|") and parser.next.text not in FUNCTIONS:
        parser.take_beside(factors)
    return product_of(factors)

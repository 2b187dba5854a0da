"""From text to trees: spelling, units, numbers, the parser."""

from fractions import Fraction

import pytest

from rewarders.maths.exact import Undefined, rational
from rewarders.maths.normalise import canonical, normalise
from rewarders.maths.numbers import read_number
from rewarders.maths.parse import parse
from rewarders.maths.tree import Apply, Group, Node, Number, Relation, Symbol, TooCostly, Unparsable, Word
from rewarders.maths.units import compatible, split_unit


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("４２", "42"),
        ("−5", "-5"),
        ("–5", "-5"),
        ("x²", "x^2"),
        ("2¹⁰", "2^{10}"),
        (r"$\left( 1 , 2 \right)$", "(1,2)"),
        (r"\dfrac{1}{2}", r"\frac{1}{2}"),
        (r"1{,}234", "1234"),
        (r"11,\! 111", "11111"),
        (r"\text{odd}", "odd"),
        (r"**42**", "42"),
        ("42.", "42"),
        (".5", ".5"),
        ("x_{1}", "x_1"),
        ("3 × 4", r"3\times 4"),
        ("٤٢", "42"),
        ("No", "no"),
        ("1 1/2", "1 1/2"),
    ],
)
def test_looks_are_undone(written: str, spelled: str) -> None:
    assert canonical(normalise(written)) == spelled


@pytest.mark.parametrize(("one", "other"), [("1 1/2", "11/2"), ("B", "b"), ("AB", "ab"), ("x²", "x2"), ("②③", "23")])
def test_meaning_is_not_undone(one: str, other: str) -> None:
    assert canonical(normalise(one)) != canonical(normalise(other))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("-7", -7),
        ("+7", 7),
        ("007", 7),
        ("1,234,567", 1234567),
        ("1 234 567", 1234567),
        ("3.50", Fraction(7, 2)),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("3/4", Fraction(3, 4)),
        ("1 1/2", Fraction(3, 2)),
        ("-1 1/2", Fraction(-3, 2)),
        (r"\frac{1}{3}", Fraction(1, 3)),
        (r"\frac13", Fraction(1, 3)),
        (r"2\frac{1}{3}", Fraction(7, 3)),
        (r"-\frac{1}{3}", Fraction(-1, 3)),
        (r"\frac{-1}{3}", Fraction(-1, 3)),
        ("12.5%", Fraction(1, 8)),
        ("50 percent", Fraction(1, 2)),
        ("1.5 million", 1500000),
        ("2e3", 2000),
        ("1.2E-3", Fraction(3, 2500)),
        (r"6.02\times 10^{23}", 602 * 10**21),
        (r"10\cdot 10^-2", Fraction(1, 10)),
        ("0." + "0" * 50_000, 0),
    ],
)
def test_plain_numbers_are_read_exactly(text: str, value: Fraction | int) -> None:
    assert read_number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%",
        "1,23",
        "12,34,567",
        "1.2.3",
        "x",
        "1/0",
        "1 7/2",
        "4 5",
        "1%%",
        "1e999999999",
        "9" * 5000,
        "two",
        "1e",
        "--1",
    ],
)
def test_what_is_no_plain_number_is_left_to_others(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("10 km", "10", "kilometer"),
        ("10km", "10", "kilometer"),
        ("120 km/h", "120", "km/h"),
        ("864 inches ^2", "864", "inches2"),
        ("5 apples", "5", "apple"),
        ("15th", "15", "th"),
        ("€ 5", "5", "euro"),
        ("-5 euros", "-5", "euro"),
        (r"90\degree", "90", "degree"),
        (r"\frac{1}{3} meters", r"\frac{1}{3}", "meter"),
        ("2m", "2m", ""),
        ("5 million", "5 million", ""),
        ("2 thirds", "2 thirds", ""),
        ("4 or more", "4 or more", ""),
        ("7 pi", "7 pi", ""),
        ("apples", "apples", ""),
    ],
)
def test_a_unit_is_told_from_a_value(text: str, value: str, unit: str) -> None:
    assert split_unit(text) == (value, unit)


def test_only_units_that_are_both_given_can_disagree() -> None:
    assert all(compatible(first, second) for first, second in [("km", ""), ("", "km"), ("km", "km")])
    assert not compatible("km", "mile")


X, Y = Symbol("x"), Symbol("y")


def _number(value: int) -> Number:
    return Number(Fraction(value))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("2x", Apply("mul", (_number(2), X))),
        ("-x^2", Apply("neg", (Apply("pow", (X, _number(2))),))),
        ("x^y^2", Apply("pow", (X, Apply("pow", (Y, _number(2)))))),
        (r"\frac12", Apply("div", (_number(1), _number(2)))),
        (r"\sqrt[3]{x}", Apply("root", (X, _number(3)))),
        (r"\sin 2x", Apply("sin", (Apply("mul", (_number(2), X)),))),
        (r"\sin^2 x", Apply("pow", (Apply("sin", (X,)), _number(2)))),
        (r"\sin^{-1} x", Apply("asin", (X,))),
        (r"\log_2 x", Apply("logarithm", (X, _number(2)))),
        ("|x|", Apply("abs", (X,))),
        ("x(y)", Apply("call", (X, Y))),
        ("(x, y)", Group("()", (X, Y))),
        ("(x, y]", Group("(]", (X, Y))),
        (r"\{x, y\}", Group("set", (X, Y))),
        ("{x, y}", Group("set", (X, Y))),
        (r"\emptyset", Group("set", ())),
        ("x, and y", Group("list", (X, Y))),
        ("x or y", Group("list", (X, Y))),
        (r"(x,y)\cup(y,x)", Group("union", (Group("()", (X, Y)), Group("()", (Y, X))))),
        ("x = 2", Relation(("=",), (X, _number(2)))),
        (r"2 < x \le y", Relation(("<", "<="), (_number(2), X, Y))),
        ("a_1", Symbol("a_1")),
        (r"\theta", Symbol("theta")),
        ("odd", Word("odd")),
        ("2:3", Group("ratio", (_number(2), _number(3)))),
    ],
)
def test_the_parser_reads_answers(text: str, tree: Node) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 2",
        "(1",
        "1)",
        "x +",
        "{}",
        r"\unknown{x}",
        "open('a','w')",
        "__import__",
        "5!!",
        "1..2",
        "x^",
        "a;",
        "(1,2}",
        "&",
    ],
)
def test_what_is_not_in_the_language_is_refused(text: str) -> None:
    with pytest.raises(Unparsable):
        parse(text)


@pytest.mark.parametrize(
    "text", ["(" * 5000, r"\sqrt" * 5000 + "2", "2^" * 5000 + "2", "|" * 5000, "1/" * 100 + "1", "1+" * 6000]
)
def test_what_is_too_deep_or_too_long_is_refused_before_it_is_built(text: str) -> None:
    with pytest.raises(TooCostly):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2^{10}", 1024),
        ("2^{-1}", Fraction(1, 2)),
        ("(1/2)^3", Fraction(1, 8)),
        ("5!", 120),
        (r"\binom{16}{2}", 120),
        (r"\sqrt{49/4}", Fraction(7, 2)),
        ("4^{1/2}", 2),
        ("1^{999999999999}", 1),
        (r"1\frac{1}{2}+1", Fraction(5, 2)),
        ("2-3*4", -10),
        ("1/2/2", Fraction(1, 4)),
        (r"\sqrt{2}", None),
        ("x", None),
    ],
)
def test_rational_operations_are_exact(text: str, value: Fraction | int | None) -> None:
    assert rational(parse(text)) == value


@pytest.mark.parametrize(
    "text",
    ["9^{9^{9}}", "9^{9^{9^{9}}}", "2^{10000000}", "10^{-10^{9}}", "100000000!", r"\binom{10^9}{5}", "2^{10^5}*2"],
)
def test_a_number_too_large_is_never_computed(text: str) -> None:
    with pytest.raises(TooCostly):
        rational(parse(text))


@pytest.mark.parametrize("text", ["1/0", "0^0", "0^{-1}", "(1/2)!", "(-1)!"])
def test_what_has_no_value_is_undefined(text: str) -> None:
    with pytest.raises(Undefined):
        rational(parse(text))

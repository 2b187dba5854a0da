"""Decimals with all the digits that a double has: the print of a computed value, and as exact as a program can be.

0.8660254037844386 is such a print of half the root of three; 0.866 is none. A value that a short decimal can say
exactly, such as 1, has no print but itself.
"""

import re
from fractions import Fraction

from rewarders.maths.numeric import constant_value
from rewarders.maths.params import Params
from rewarders.maths.relations import stated_value
from rewarders.maths.tree import Apply, Group, MathsError, Node, Number, Relation, TooCostly, variables

LEAST_DIGITS = 13
_MOST_DIGITS = 40
_WRITTEN = re.compile(r"\A[-+]? ?(\d{1,40}\.\d{1,40})(?!\d)")
_ABOUT = Fraction(1, 200)
_DOUBLE_EPSILON = Fraction(1, 2**52)


def is_print_of(decimal: Node, value: Node) -> bool:
    """Whether a decimal of at least thirteen significant digits is what a value without an exact decimal rounds to.

    Raises:
        TooCostly: if the value is too large to compute.
    """
    if isinstance(decimal, Apply) and decimal.head == "neg":
        return is_print_of(decimal.args[0], Apply("neg", (value,)))
    if not isinstance(decimal, Number) or variables(value):
        return False
    places = _places(decimal.value)
    digits = len(str(abs(decimal.value.numerator * 10**places // decimal.value.denominator))) if places else 0
    if not LEAST_DIGITS <= digits <= _MOST_DIGITS:
        return False
    return _is_near(decimal.value, value, Fraction(1, 2 * 10**places))


def rounds_to(value: Node, decimal: Node) -> bool:
    """Whether a decimal is what a value rounds to, as `2\\pi` does to 6.28, and near to it.

    Raises:
        TooCostly: if the value is too large to compute.
    """
    given = decimal.value if isinstance(decimal, Number) else None
    if given is None:
        return False
    return _is_near(given, value, min(Fraction(1, 2 * 10 ** _places(given)), abs(given) * _ABOUT), short=True)


def margin(reference: str, target: Fraction, params: Params) -> Fraction:
    """How far from the reference's value an answer may be: the largest of what `params` allows, mostly nothing."""
    allowed = [Fraction(params.absolute_tolerance), Fraction(params.relative_tolerance) * abs(target)]
    written = _WRITTEN.search(reference) if params.rounding == "as_reference" else None
    if written and (number := Fraction(written[1])):
        scale = abs(target / number)  # of a percent, of millions
        allowed.append(scale / (2 * 10 ** len(written[1].partition(".")[2])))
    return max(allowed)


def is_within(reference: str, expected: Node, answer: Node, params: Params) -> bool:
    """Whether two real values are as near to each other as `params` allows.

    Raises:
        TooCostly: if one is too large to compute.
    """
    if params.rounding == "exact" and not (params.absolute_tolerance or params.relative_tolerance):
        return False
    match expected, answer:
        case Group(kind, items), Group(other, others) if kind == other and len(items) == len(others):
            return all(is_within(reference, *pair, params) for pair in zip(items, others, strict=True))
    target, number = _fraction_near(_stated(expected)), _fraction_near(_stated(answer))
    if target is None or number is None:
        return False
    return abs(target - number) <= margin(reference, target, params)


def _stated(node: Node) -> Node:
    return (stated_value(node) or node) if isinstance(node, Relation) else node


def _fraction_near(node: Node) -> Fraction | None:
    """A real value to fifty digits."""
    import mpmath

    try:
        value = constant_value(node)
    except TooCostly:
        raise
    except MathsError:
        return None
    if value is None or mpmath.im(value) != 0:
        return None
    return Fraction(mpmath.nstr(mpmath.re(value), 50, min_fixed=-(10**6), max_fixed=10**6))


def is_about(value: Node, decimal: Node) -> bool:
    """Whether a decimal is within half a percent of a value, or within one unit of its last place.

    Raises:
        TooCostly: if the value is too large to compute.
    """
    given = decimal.value if isinstance(decimal, Number) else None
    if given is None:
        return False
    places = _places(given)
    return _is_near(given, value, max(abs(given) * _ABOUT, Fraction(places > 0, 10**places)), short=True)


def _is_near(decimal: Fraction, value: Node, margin: Fraction, *, short: bool = False) -> bool:
    import mpmath

    exact = constant_value(value)
    if exact is None or mpmath.im(exact) != 0:
        return False
    with mpmath.workdps(60):
        off = abs(mpmath.re(exact) - mpmath.mpf(decimal.numerator) / decimal.denominator)
        allowed = max(margin, abs(decimal) * _DOUBLE_EPSILON)
        return bool(off <= mpmath.mpf(allowed.numerator) / allowed.denominator) and (
            short or not _is_short(mpmath.re(exact))
        )


def _is_short(exact: object) -> bool:
    """Whether a decimal of fewer digits says it exactly."""
    import mpmath

    text = mpmath.nstr(exact, 40, strip_zeros=True).partition("e")[0]
    return len(text.replace(".", "").replace("-", "").strip("0")) < LEAST_DIGITS


def _places(value: Fraction) -> int:
    """Digits after the point; 0 for what is a whole number or has no end."""
    twos, fives, rest = 0, 0, value.denominator
    while rest % 2 == 0:
        twos, rest = twos + 1, rest // 2
    while rest % 5 == 0:
        fives, rest = fives + 1, rest // 5
    return max(twos, fives) if rest == 1 and max(twos, fives) <= _MOST_DIGITS else 0

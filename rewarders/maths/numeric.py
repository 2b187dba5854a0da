"""High-precision values of answer trees at fixed points: the cheap way to see that two answers differ.

It only ever rejects. Numbers that agree to 30 digits prove nothing; see `symbolic`.
"""

import random
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from rewarders.maths.exact import MAX_FACTORIAL, Undefined, rational
from rewarders.maths.tree import Apply, Node, Number, Symbol, TooCostly, is_function_call, variables

DIGITS = 60
AGREEING_DIGITS = 30
POINTS = 8
ENOUGH_POINTS = 3
"""Where fewer points than this have a value, such as for 1/0, nothing can be said."""

MAX_EXPONENT = 100_000
"""Natural logarithm of the largest value worth computing."""

WITHOUT_VALUE = frozenset({"pm", "mp", "gcd", "lcm", "residue", "det", "angle"})
"""Heads of what is no number by itself."""

_VANISHING_DIGITS = 40
"""A divisor that is smaller than this many digits, and no exact number, is zero but for rounding."""

_WITH_POLES = frozenset({"tan", "cot", "sec", "csc", "coth", "csch"})
_GROWING = frozenset({"exp", "sinh", "cosh", "tanh"})


def differ(first: Node, second: Node) -> bool:
    """Whether two expressions have different values somewhere, or too few values to tell.

    Raises:
        TooCostly: if a value is too large to compute.
    """
    seen = 0
    for left, right in values_at_points(first, second):
        if not agree(left, right):
            return True
        seen += 1
    return seen < (ENOUGH_POINTS if variables(first) | variables(second) else 1)


def values_at_points(*nodes: Node) -> Iterator[tuple[Any, ...]]:
    """Values of all nodes at each point where all of them have one, as mpmath numbers."""
    import mpmath

    names = sorted(frozenset().union(*map(variables, nodes)))
    with mpmath.workdps(DIGITS):
        for point in range(POINTS if names else 1):
            places = {name: _place(name, point) for name in names}
            try:
                values = tuple(_value(node, places) for node in nodes)
            except TooCostly:
                raise
            except (ArithmeticError, ValueError):  # what mpmath raises at poles, and our own Undefined
                continue
            yield values


def _place(name: str, point: int) -> Fraction:
    """A fixed value between 0.2 and 2.7; every other point has negative ones too."""
    dice = random.Random(f"{point}:{name}")
    place = Fraction(dice.randrange(2**20, 14 * 2**20), 5 * 2**20 + 1)
    return -place if point % 2 and dice.random() < 0.6 else place


def constant_value(node: Node) -> Any:
    """The value of an expression without variables, as an mpmath number; None if it has none. Raises TooCostly."""
    return next((value for (value,) in values_at_points(node)), None) if not variables(node) else None


def agree(left: Any, right: Any) -> bool:
    """Whether two values are the same to thirty digits."""
    size = max(abs(left), abs(right), 1)
    return bool(abs(left - right) <= size * 10**-AGREEING_DIGITS)


def _value(node: Node, places: Mapping[str, Fraction]) -> Any:
    import mpmath

    if isinstance(node, Number):
        return mpmath.mpf(node.value.numerator) / node.value.denominator
    if isinstance(node, Symbol):
        return _named(node.name, places)
    if not isinstance(node, Apply):
        raise Undefined("not a number")
    if is_function_call(node):
        raise Undefined("a function without a definition")
    value = _apply(node, [_value(arg, places) for arg in node.args])
    if not mpmath.isfinite(value):
        raise Undefined("no finite value")
    return value


def _named(name: str, places: Mapping[str, Fraction]) -> Any:
    import mpmath

    constants = {"pi": mpmath.pi, "e": mpmath.e, "i": mpmath.mpc(0, 1)}
    if name == "infinity":
        raise Undefined("infinity is not a number")
    if name in constants:
        return +constants[name]
    return mpmath.mpf(places[name].numerator) / places[name].denominator


def _apply(node: Apply, args: list[Any]) -> Any:
    import mpmath

    match node.head:
        case "add":
            return mpmath.fsum(args)
        case "mul" | "call":
            return mpmath.fprod(args)
        case "div":
            return args[0] / _divisor(node.args[1], args[1])
        case "neg":
            return -args[0]
        case "abs":
            return abs(args[0])
        case "pow":
            return (
                _power(args[0], args[1])
                if args[0] and not _vanishes(node.args[0], args[0])
                else _power_of_zero(node, args[1])
            )
        case "root":
            return _root(node, *args)
        case "logarithm":
            base = _divisor(node, mpmath.log(_divisor(node.args[1], args[1])))
            return mpmath.log(_divisor(node.args[0], args[0])) / base
        case "log" | "ln":
            return mpmath.log(_divisor(node.args[0], args[0]))
        case "factorial" | "binomial" if max(map(abs, args)) > MAX_FACTORIAL:
            raise TooCostly(f"{node.head} of over {MAX_FACTORIAL}")
        case "max" | "min":
            return _extreme(node.head, args)
        case "mod":
            return args[0] - args[1] * mpmath.floor(args[0] / args[1])
        case head if head in WITHOUT_VALUE:
            raise Undefined(f"no number: {node.head}")
    if abs(args[0]) > (MAX_EXPONENT if node.head in _GROWING else 10**AGREEING_DIGITS):
        raise TooCostly(f"{node.head} of too large a number")
    value = getattr(mpmath, node.head)(*args)
    if node.head in _WITH_POLES and abs(value) > 10**_VANISHING_DIGITS:
        raise Undefined(f"a pole of {node.head}")
    return value


def _vanishes(node: Node, value: Any) -> bool:
    """Whether a value is zero but for rounding."""
    return bool(abs(value) * 10**_VANISHING_DIGITS < 1) and not rational(node)


def _divisor(node: Node, value: Any) -> Any:
    if _vanishes(node, value):
        raise Undefined("a pole")
    return value


def _power_of_zero(node: Apply, exponent: Any) -> Any:
    """Zero where the exponent says so everywhere: `0^x` has no value at some places."""
    import mpmath

    if mpmath.re(exponent) <= 0 or variables(node.args[1]):
        raise Undefined("zero to the power of zero or less")
    return mpmath.mpf(0)


def _extreme(head: str, args: list[Any]) -> Any:
    import mpmath

    if any(mpmath.im(arg) != 0 for arg in args):
        raise Undefined("complex numbers have no order")
    return (max if head == "max" else min)(map(mpmath.re, args))


def _power(base: Any, exponent: Any) -> Any:
    import mpmath

    if not base:
        if mpmath.re(exponent) <= 0:
            raise Undefined("zero to the power of zero or less")
        return base
    if abs(exponent) * max(1, abs(mpmath.log(abs(base)))) > MAX_EXPONENT:
        raise TooCostly("too large a power")
    return mpmath.power(base, exponent)


def _root(node: Apply, base: Any, degree: Any) -> Any:
    """The real root of a negative constant where there is one; otherwise the principal root."""
    import mpmath

    if not degree:
        raise Undefined("a root of degree zero")
    if is_real_odd_root(node) and mpmath.im(base) == 0 and mpmath.re(base) < 0:
        return -_power(-base, 1 / degree)
    return _power(base, 1 / degree)


def is_real_odd_root(node: Apply) -> bool:
    """Whether a root has an odd degree and no variables under it."""
    degree = node.args[1]
    return (
        isinstance(degree, Number) and degree.value.denominator == 1 and degree.value % 2 == 1 and not variables(node)
    )

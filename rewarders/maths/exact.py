"""Exact rational arithmetic on answer trees, with the size of every result known before it is computed."""

from collections.abc import Callable
from fractions import Fraction
from math import ceil, comb, factorial, floor, gcd, isqrt, lcm

from rewarders.maths.tree import Apply, MathsError, Node, Number, TooCostly

MAX_BITS = 100_000
MAX_FACTORIAL = 5_000
_MAX_DEGREE = 64


class Undefined(MathsError):
    """No value: a division by zero, or something that is not a number at all."""


def rational(node: Node) -> Fraction | None:
    """The exact value of a tree of rational operations; None if there is anything else in it.

    Raises:
        TooCostly: before computing a power, factorial or product of more than MAX_BITS bits.
        Undefined: for a division by zero.
    """
    if isinstance(node, Number):
        return node.value
    if not isinstance(node, Apply) or node.head not in _OPERATIONS:
        return None
    values = [rational(arg) for arg in node.args]
    known = [value for value in values if value is not None]
    return _bounded(_OPERATIONS[node.head](known)) if len(known) == len(values) else None


def bits(value: Fraction) -> int:
    """Size of numerator and denominator together, in bits."""
    return value.numerator.bit_length() + value.denominator.bit_length()


def _bounded(value: Fraction | None) -> Fraction | None:
    if value is not None and bits(value) > MAX_BITS:
        raise TooCostly(f"a number of {bits(value)} bits")
    return value


def _product(values: list[Fraction]) -> Fraction:
    product = Fraction(1)
    for value in values:
        product *= value
        _bounded(product)
    return product


def _quotient(values: list[Fraction]) -> Fraction:
    above, below = values
    if not below:
        raise Undefined("division by zero")
    return above / below


def _power(values: list[Fraction]) -> Fraction | None:
    base, exponent = values
    if exponent.denominator != 1:
        return _perfect_root(base, exponent)
    if bits(base) * abs(exponent) > MAX_BITS and base not in (0, 1, -1):
        raise TooCostly(f"a power of about {int(bits(base) * abs(exponent)).bit_length()}-bit size")
    if not base and exponent <= 0:
        raise Undefined("zero to the power of zero or less")
    return base ** int(exponent)


def _perfect_root(base: Fraction, exponent: Fraction) -> Fraction | None:
    """Only square roots of perfect squares; the rest is left to algebra."""
    if exponent.denominator != 2 or base < 0:
        return None
    root = Fraction(isqrt(base.numerator), isqrt(base.denominator))
    return _power([root, Fraction(exponent.numerator)]) if root * root == base else None


def _factorial(values: list[Fraction]) -> Fraction:
    n = values[0]
    if n.denominator != 1 or n < 0:
        raise Undefined("factorial of something else than a natural number")
    if n > MAX_FACTORIAL:
        raise TooCostly(f"a factorial of over {MAX_FACTORIAL}")
    return Fraction(factorial(int(n)))


def _binomial(values: list[Fraction]) -> Fraction:
    n, k = values
    if n.denominator != 1 or k.denominator != 1 or n < 0 or k < 0:
        raise Undefined("binomial of something else than natural numbers")
    if n > MAX_FACTORIAL:
        raise TooCostly(f"a binomial coefficient of over {MAX_FACTORIAL}")
    return Fraction(comb(int(n), int(k)))


def _whole(values: list[Fraction], combine: Callable[..., int]) -> Fraction:
    """Greatest common divisor and least common multiple, of fractions over their common denominator."""
    below = lcm(*(value.denominator for value in values))
    return Fraction(combine(*(int(value * below) for value in values)), below)


def _remainder(values: list[Fraction]) -> Fraction:
    if not values[1]:
        raise Undefined("a remainder of a division by zero")
    return values[0] % values[1]


def _odd_root(values: list[Fraction]) -> Fraction | None:
    """A root of small whole degree that is rational."""
    base, degree = values
    if degree.denominator != 1 or not 1 <= degree <= _MAX_DEGREE or (base < 0 and degree % 2 == 0):
        return None
    above, below = (_whole_root(abs(number), int(degree)) for number in (base.numerator, base.denominator))
    return None if above is None or below is None else Fraction(above if base >= 0 else -above, below)


def _whole_root(number: int, degree: int) -> int | None:
    low, high = 0, 1 << (number.bit_length() // degree + 1)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**degree < number else (low, middle)
    return low if low**degree == number else None


_OPERATIONS: dict[str, Callable[[list[Fraction]], Fraction | None]] = {
    "add": lambda values: sum(values, Fraction(0)),
    "mul": _product,
    "div": _quotient,
    "neg": lambda values: -values[0],
    "abs": lambda values: abs(values[0]),
    "pow": _power,
    "sqrt": lambda values: _perfect_root(values[0], Fraction(1, 2)),
    "factorial": _factorial,
    "binomial": _binomial,
    "floor": lambda values: Fraction(floor(values[0])),
    "ceil": lambda values: Fraction(ceil(values[0])),
    "gcd": lambda values: _whole(values, gcd),
    "lcm": lambda values: _whole(values, lcm),
    "max": max,
    "min": min,
    "mod": _remainder,
    "root": _odd_root,
}

"""Forms that a task may ask for, beside the right value."""

import re
from math import gcd, isqrt

from rewarders.maths.exact import rational
from rewarders.maths.params import Params
from rewarders.maths.parse import parse
from rewarders.maths.tree import Apply, Binder, MathsError, Node, Number, walk
from rewarders.maths.units import split_unit

_INTEGER = re.compile(r"[-+]? ?\d+(?:,\d{3})*")
_DECIMAL = re.compile(r"[-+]? ?\d+(?:,\d{3})*\.(\d+)")
_LARGEST_RADICAND = 10**12


def has_form(answer: str, params: Params) -> bool:
    """Whether a normalised answer is written as `params` asks."""
    value = split_unit(answer)[0]
    if params.decimal_places is not None and _places(value) != params.decimal_places:
        return False
    match params.form:
        case "integer":
            return _INTEGER.fullmatch(value) is not None
        case "decimal":
            return _DECIMAL.fullmatch(value) is not None
        case "reduced_fraction":
            return _INTEGER.fullmatch(value) is not None or _is_reduced(value)
        case "simplest":
            return _is_simplest(value)
    return True


def _places(value: str) -> int | None:
    decimal = _DECIMAL.fullmatch(value)
    if decimal:
        return len(decimal[1])
    return 0 if _INTEGER.fullmatch(value) else None


def _is_reduced(value: str) -> bool:
    try:
        node = parse(value)
    except MathsError:
        return False
    node = node.args[0] if isinstance(node, Apply) and node.head == "neg" else node
    match node:
        case Apply("div", (above, below)):
            return _are_coprime(above.args[0] if isinstance(above, Apply) and above.head == "neg" else above, below)
    return False


def _are_coprime(above: Node, below: Node) -> bool:
    match above, below:
        case Number(value), Number(divisor) if value.denominator == divisor.denominator == 1:
            return gcd(value.numerator, divisor.numerator) == 1 and divisor != 1
    return False


def _is_simplest(value: str) -> bool:
    try:
        node = parse(value)
    except MathsError:
        return False
    try:
        return not any(map(_is_left_to_compute, walk(node)))
    except MathsError:
        return False


def _is_left_to_compute(node: Node) -> bool:
    match node:
        case Apply("add" | "mul", args):
            return sum(_is_number(arg) for arg in args) > 1
        case Apply("pow", (base, exponent)):
            return _is_number(base) and _is_number(exponent)
        case Apply("div", (above, below)):
            has_root = any(isinstance(part, Apply) and part.head in ("sqrt", "root") for part in walk(below))
            return has_root or (_is_number(above) and _is_number(below) and not _are_coprime(_unsigned(above), below))
        case Apply("sqrt", (radicand,)) if (value := rational(radicand)) is not None:
            return value.denominator != 1 or _has_square_factor(int(value))
        case Apply(head, args) if head not in ("neg", "div"):
            return rational(node) is not None
    return isinstance(node, Binder)


def _unsigned(node: Node) -> Node:
    return node.args[0] if isinstance(node, Apply) and node.head == "neg" else node


def _is_number(node: Node) -> bool:
    return isinstance(_unsigned(node), Number)


def _has_square_factor(number: int) -> bool:
    """By trial up to the cube root; what is left then is a prime, a square, or two different primes."""
    if not 0 < number <= _LARGEST_RADICAND:
        return False
    factor = 2
    while factor**3 <= number:
        if number % factor == 0:
            number //= factor
            if number % factor == 0:
                return True
        factor += 1
    return number > 1 and isqrt(number) ** 2 == number

"""Quotients of polynomials with exact coefficients: the quick proof, and often the quick disproof, of an equality.

Anything that is no sum, product or whole power is an unknown of its own, the same wherever its arguments have the same
form: what is equal then is equal. Powers of positive numbers are taken apart into primes, so that `\\sqrt{8}` is
`2\\sqrt{2}`. Only what is made of variables and numbers alone is known to be different where its form is.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from fractions import Fraction

from rewarders.maths.exact import rational
from rewarders.maths.numeric import WITHOUT_VALUE, differ
from rewarders.maths.tree import Apply, MathsError, Node, Number, Symbol, is_function_call

MAX_TERMS = 200
MAX_POWER = 24
MAX_COEFFICIENT_BITS = 4_000
_LARGEST_BASE = 10**8
_SAME_FUNCTION = {"ln": "log"}
_RATIOS = {
    f"{name}{hyperbolic}": tuple(part and f"{part}{hyperbolic}" for part in parts)
    for name, parts in {"tan": ("sin", "cos"), "cot": ("cos", "sin"), "sec": ("", "cos"), "csc": ("", "sin")}.items()
    for hyperbolic in ("", "h")
}
"""Functions that are quotients of others; an empty name is 1."""

Monomial = tuple[tuple[Hashable, Fraction], ...]
"""Unknowns with their exponents, in a fixed order."""
Polynomial = dict[Monomial, Fraction]

_ONE: Polynomial = {(): Fraction(1)}


class _TooLarge(Exception):
    """Not worth writing out."""


@dataclass(frozen=True, slots=True)
class Quotient:
    """Numerator and denominator, not reduced."""

    above: Polynomial
    below: Polynomial
    is_rational: bool
    """Made of variables and numbers alone, with whole exponents: then another form is another value."""


def equal_quotients(first: Node, second: Node) -> bool | None:
    """Whether two expressions are equal; None where this cannot tell.

    What is the same in form need not have a value: `\\ln 0 - \\ln 0` is not 0. So forms with anything else in them
    than variables and numbers have to agree numerically too.
    """
    try:
        left, right = _quotient(first), _quotient(second)
        same = _times(left.above, right.below) == _times(right.above, left.below)
        are_rational = left.is_rational and right.is_rational
        if same and not are_rational:
            return None if differ(_with_unknowns(first), _with_unknowns(second)) else True
    except (_TooLarge, MathsError):
        return None
    return same if same or are_rational else None


def _with_unknowns(node: Node) -> Node:
    """The same with a name for everything that has no value by itself, such as `f(2)`."""
    if not isinstance(node, Apply):
        return node
    if is_function_call(node) or node.head in WITHOUT_VALUE:
        return Symbol(f"unknown {hash(_key(_quotient(node)))}")
    return Apply(node.head, tuple(map(_with_unknowns, node.args)))


def _quotient(node: Node) -> Quotient:
    match node:
        case Number(value):
            return Quotient(_constant(value), _ONE, is_rational=True)
        case Symbol(name):
            if name == "infinity":
                raise _TooLarge
            return Quotient({((name, Fraction(1)),): Fraction(1)}, _ONE, is_rational=name not in ("i", "e", "pi"))
        case Apply("add", args):
            return _sum([_quotient(arg) for arg in args])
        case Apply("neg", (arg,)):
            return _product([Quotient(_constant(Fraction(-1)), _ONE, is_rational=True), _quotient(arg)])
        case Apply("call", (Symbol(name), place)) if is_function_call(node):
            return _unknown(("call", name, _key(_quotient(place))))
        case Apply("mul" | "call", args):
            return _product([_quotient(arg) for arg in args])
        case Apply("div", (above, below)):
            return _product([_quotient(above), _inverse(_quotient(below))])
        case Apply("pow", (base, exponent)):
            return _power(base, exponent)
        case Apply("sqrt", (base,)):
            return _power(base, Number(Fraction(1, 2)))
        case Apply("exp", (exponent,)):
            return _power(Symbol("e"), exponent)
        case Apply(head, args) if head in _RATIOS:
            numerator, denominator = (_quotient(Apply(name, args)) if name else _WHOLE for name in _RATIOS[head])
            return _product([numerator, _inverse(denominator)])
        case Apply(head, args):
            return _unknown((_SAME_FUNCTION.get(head, head), *(_key(_quotient(arg)) for arg in args)))
    raise _TooLarge


_WHOLE = Quotient(_ONE, _ONE, is_rational=True)


def _constant(value: Fraction) -> Polynomial:
    return {(): value} if value else {}


def _unknown(key: Hashable, exponent: Fraction = Fraction(1)) -> Quotient:
    return Quotient({((key, exponent),): Fraction(1)}, _ONE, is_rational=False)


def _key(quotient: Quotient) -> Hashable:
    """The same for what is surely the same; a denominator of one term is divided out."""
    above, below = quotient.above, quotient.below
    if len(below) == 1:
        ((monomial, coefficient),) = below.items()
        inverse = tuple((name, -exponent) for name, exponent in monomial)
        above, below = _times(above, {inverse: 1 / coefficient}), _ONE
    return frozenset(above.items()), frozenset(below.items())


def _inverse(quotient: Quotient) -> Quotient:
    if not quotient.above:
        raise _TooLarge
    return Quotient(quotient.below, quotient.above, quotient.is_rational)


def _sum(terms: list[Quotient]) -> Quotient:
    total = terms[0]
    for term in terms[1:]:
        if total.below == term.below:
            above, below = _plus(total.above, term.above), total.below
        else:
            above = _plus(_times(total.above, term.below), _times(term.above, total.below))
            below = _times(total.below, term.below)
        total = Quotient(above, below, total.is_rational and term.is_rational)
    return total


def _product(factors: list[Quotient]) -> Quotient:
    product = factors[0]
    for factor in factors[1:]:
        above, below = _times(product.above, factor.above), _times(product.below, factor.below)
        product = Quotient(above, below, product.is_rational and factor.is_rational)
    return product


def _power(base: Node, exponent: Node) -> Quotient:
    power = rational(exponent)
    number = rational(base)
    if power is not None and power.denominator == 1:
        return _whole_power(_quotient(base), int(power))
    if power is not None and number is not None and number > 0:
        above, below = _radical(number.numerator, power), _radical(number.denominator, power)
        return _product([above, _inverse(below)])
    if power is not None and isinstance(base, Symbol) and base.name not in ("i", "e"):
        return _unknown(base.name, power)
    inside = _key(_quotient(base))
    return _unknown(("power", inside), power) if power is not None else _unknown((inside, _key(_quotient(exponent))))


def _whole_power(base: Quotient, power: int) -> Quotient:
    if abs(power) > MAX_POWER and (len(base.above) > 1 or len(base.below) > 1):
        raise _TooLarge
    positive = _inverse(base) if power < 0 else base
    result = Quotient(_raised(positive.above, abs(power)), _raised(positive.below, abs(power)), base.is_rational)
    return result if power or base.above else _inverse(Quotient({}, _ONE, is_rational=True))


def _raised(base: Polynomial, power: int) -> Polynomial:
    if len(base) == 1:
        ((monomial, coefficient),) = base.items()
        if coefficient.numerator.bit_length() * power > MAX_COEFFICIENT_BITS:
            raise _TooLarge
        return _times({tuple((key, exponent * power) for key, exponent in monomial): coefficient**power}, _ONE)
    result = _ONE
    for _ in range(power):
        result = _times(result, base)
    return result


def _radical(number: int, power: Fraction) -> Quotient:
    """A power of a whole number, by its primes."""
    if number > _LARGEST_BASE:
        raise _TooLarge
    factors: Monomial = tuple((("prime", prime), power * count) for prime, count in _primes(number))
    return Quotient(_times({factors: Fraction(1)}, _ONE), _ONE, is_rational=False)


def _primes(number: int) -> list[tuple[int, int]]:
    found, factor = [], 2
    while factor * factor <= number:
        count = 0
        while number % factor == 0:
            number, count = number // factor, count + 1
        if count:
            found.append((factor, count))
        factor += 1
    return [*found, (number, 1)] if number > 1 else found


def _plus(left: Polynomial, right: Polynomial) -> Polynomial:
    total = dict(left)
    for monomial, coefficient in right.items():
        total[monomial] = total.get(monomial, Fraction(0)) + coefficient
    return {monomial: coefficient for monomial, coefficient in total.items() if coefficient}


def _times(left: Polynomial, right: Polynomial) -> Polynomial:
    if len(left) * len(right) > MAX_TERMS**2 // 4:
        raise _TooLarge
    product: Polynomial = {}
    for monomial, coefficient in left.items():
        for other, factor in right.items():
            joined, scale = _joined(monomial, other)
            product[joined] = product.get(joined, Fraction(0)) + coefficient * factor * scale
    if len(product) > MAX_TERMS:
        raise _TooLarge
    return {monomial: coefficient for monomial, coefficient in product.items() if coefficient}


def _joined(left: Monomial, right: Monomial) -> tuple[Monomial, Fraction]:
    """The product of two monomials: whole powers of primes and of i become numbers."""
    if not left and not right:
        return (), Fraction(1)
    exponents = dict(left)
    for key, exponent in right:
        exponents[key] = exponents.get(key, Fraction(0)) + exponent
    scale = Fraction(1)
    for key, exponent in list(exponents.items()):
        if isinstance(key, tuple) and key[0] == "prime":
            whole = exponent.numerator // exponent.denominator
            if abs(whole) > MAX_COEFFICIENT_BITS:
                raise _TooLarge
            scale *= Fraction(key[1]) ** whole
            exponents[key] = exponent - whole
        elif key == "i" and exponent.denominator == 1:
            turns = exponent.numerator % 4
            scale *= -1 if turns > 1 else 1
            exponents[key] = Fraction(turns % 2)
    kept = ((key, exponent) for key, exponent in exponents.items() if exponent)
    return tuple(sorted(kept, key=lambda pair: hash(pair[0]))), scale

"""Expressions that SymPy rewrites on this side: every form of one is equal, and with one thing changed none is.

The tests about changed expressions judge over 4,000 pairs a run, 8 for each example.
"""

from collections.abc import Iterator
from typing import Any

import mpmath
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rewarders.maths import Reason, verify

untimed = settings(deadline=None)
X, Y = sympy.symbols("x y")
SQUARE_FREE = [2, 3, 5, 6, 7, 10, 11, 13]
SMALLEST_CHANGE = sympy.Rational(1, 10**12)

digits = st.integers(-9, 9)
coefficients = digits | st.builds(sympy.Rational, digits, st.integers(1, 9))
nonzero = coefficients.filter(bool)
lines = st.builds(lambda a, b: a * X + b, nonzero, coefficients)
planes = st.builds(lambda a, b, c: a * X + b * Y + c, nonzero, nonzero, coefficients)
products = st.lists(lines | planes, min_size=2, max_size=3).map(lambda factors: sympy.Mul(*factors))
polynomials = st.builds(lambda product, rest: product + rest, products, coefficients)
quotients = st.builds(
    lambda above, below, rest: sympy.Mul(*above) / sympy.Mul(*below) + rest,
    st.lists(lines, min_size=1, max_size=2),
    st.lists(lines, min_size=1, max_size=2, unique=True),
    coefficients,
)
roots = st.sampled_from(SQUARE_FREE).map(sympy.sqrt)
surds = st.builds(lambda a, b, root: a + b * root, coefficients, nonzero, roots)
changes = st.sampled_from([sympy.Integer(1), sympy.Integer(-1), sympy.Rational(1, 7), SMALLEST_CHANGE])


def _spellings(expression: Any) -> Iterator[str]:
    """As plain text and as LaTeX, with the terms in two orders."""
    for order in ("lex", "rev-lex"):
        yield sympy.sstr(expression, order=order)
        yield sympy.latex(expression, order=order)


def _disagreeing(reference: Any, forms: list[Any]) -> list[tuple[str, str]]:
    """The pairs that are not accepted, in either direction."""
    pairs = [
        (sympy.latex(reference), answer) for form in dict.fromkeys(forms) for answer in dict.fromkeys(_spellings(form))
    ]
    return [pair for pair in pairs if verify(*pair).score != 1 or verify(*pair[::-1]).score != 1]


def _accepted(reference: Any, changed: Any) -> list[tuple[str, str]]:
    """The pairs that are accepted: 8, the two in two dressings each, in both directions."""
    right = [sympy.sstr(reference), sympy.latex(reference)]
    wrong = [sympy.sstr(changed), sympy.latex(changed)]
    pairs = [pair for mine in right for yours in wrong for pair in ((mine, yours), (yours, mine))]
    return [pair for pair in pairs if verify(*pair).score]


@settings(untimed, max_examples=60)
@given(polynomials)
def test_a_polynomial_equals_its_expanded_factored_and_reordered_forms(polynomial: Any) -> None:
    forms = [polynomial, sympy.expand(polynomial), sympy.factor(polynomial), sympy.collect(sympy.expand(polynomial), X)]
    assert _disagreeing(polynomial, forms) == []


@settings(untimed, max_examples=60)
@given(quotients)
def test_a_rational_function_equals_its_forms_with_one_denominator_and_with_several(quotient: Any) -> None:
    forms = [quotient, sympy.together(quotient), sympy.cancel(quotient), sympy.apart(quotient), sympy.factor(quotient)]
    assert _disagreeing(quotient, forms) == []


@settings(untimed, max_examples=60)
@given(surds, surds)
def test_a_product_of_surds_equals_its_expanded_form(one: Any, other: Any) -> None:
    assert _disagreeing(one * other, [one * other, sympy.expand(one * other)]) == []


@settings(untimed, max_examples=40)
@given(surds, surds)
def test_a_quotient_of_surds_equals_its_form_without_a_root_below(one: Any, other: Any) -> None:
    assert _disagreeing(one / other, [one / other, sympy.radsimp(one / other)]) == []


@settings(untimed, max_examples=40)
@given(st.sampled_from(SQUARE_FREE), st.sampled_from(SQUARE_FREE))
def test_a_nested_root_equals_the_sum_of_roots_that_it_is(m: int, n: int) -> None:
    assume(m < n)
    nested = sympy.sqrt(m + n + 2 * sympy.sqrt(m * n))
    assert _disagreeing(nested, [sympy.sqrt(m) + sympy.sqrt(n)]) == []


@settings(untimed, max_examples=200)
@given(polynomials, changes, st.sampled_from([sympy.Integer(1), X, Y, X * Y, X**2]))
def test_a_polynomial_with_one_coefficient_changed_is_not_equal(polynomial: Any, change: Any, term: Any) -> None:
    changed = sympy.expand(polynomial) + change * term
    assert _accepted(polynomial, changed) == []


@settings(untimed, max_examples=150)
@given(quotients, changes, st.booleans())
def test_a_rational_function_with_one_constant_changed_is_not_equal(quotient: Any, change: Any, below: bool) -> None:
    top, bottom = sympy.fraction(sympy.together(quotient))
    changed = top / (bottom + change) if below else sympy.apart(quotient) + change
    assume(sympy.cancel(changed - quotient) != 0)
    assert _accepted(quotient, changed) == []


@settings(untimed, max_examples=200)
@given(surds, surds, changes, st.sampled_from([sympy.Integer(1), sympy.sqrt(2), sympy.sqrt(15)]))
def test_a_surd_with_one_constant_changed_is_not_equal(one: Any, other: Any, change: Any, term: Any) -> None:
    assert _accepted(one * other, sympy.expand(one * other) + change * term) == []


@settings(untimed, max_examples=100)
@given(surds, st.integers(14, 30), st.sampled_from([-1, 1]))
def test_a_surd_is_not_the_decimal_that_is_off_by_a_millionth_of_a_millionth(surd: Any, places: int, sign: int) -> None:
    with mpmath.workdps(60):
        off = mpmath.mpf(sympy.N(surd, 60)) * (1 + sign * mpmath.mpf("1e-12"))
        written = mpmath.nstr(off, places, min_fixed=-100, max_fixed=100)
    for spelled in (sympy.sstr(surd), sympy.latex(surd)):
        assert verify(spelled, written).reason == Reason.WRONG
        assert verify(written, spelled).reason == Reason.WRONG

"""Properties of the verifier on generated answers."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from rewarders.maths import Reason, Reference, verify
from rewarders.maths.exact import Undefined, rational
from rewarders.maths.normalise import normalise
from rewarders.maths.parse import parse
from rewarders.maths.tree import Apply, Node, Number, Symbol

untimed = settings(deadline=None)
"""A slow machine is no failure."""

MATHS_CHARS = r"0123456789xyn+-*/^()[]{}|,;=<!%\ .π½²"
PIECES = [
    *MATHS_CHARS,
    r"\frac",
    r"\sqrt",
    r"\pi",
    r"\sin ",
    r"\log_",
    r"\infty",
    r"\pm ",
    r"\cup ",
    " and ",
    " or ",
    " cm",
]

any_text = st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
fractions = st.fractions(max_denominator=500).filter(lambda value: abs(value) < 10**9)
atoms = st.integers(0, 20).map(lambda n: Number(Fraction(n))) | st.sampled_from([Symbol("x"), Symbol("y")])
expressions = st.recursive(
    atoms,
    lambda inner: (
        st.builds(Apply, st.sampled_from(["add", "mul"]), st.tuples(inner, inner))
        | st.builds(lambda base, n: Apply("pow", (base, Number(Fraction(n)))), inner, st.integers(1, 3))
    ),
    max_leaves=6,
)


def _spell(node: Node) -> str:
    if isinstance(node, Number):
        return str(node.value)
    if isinstance(node, Symbol):
        return node.name
    assert isinstance(node, Apply)
    sign = {"add": "+", "mul": r"\cdot ", "pow": "^"}[node.head]
    return sign.join("{" * (node.head == "pow") + f"({_spell(arg)})" + "}" * (node.head == "pow") for arg in node.args)


def _verify(expected: str, answer: str) -> str:
    return verify(Reference(answer=(expected,)), answer).reason


@untimed
@given(any_text, any_text)
def test_any_text_gets_a_verdict_with_a_reason(expected: str, answer: str) -> None:
    if normalise(expected):
        assert _verify(expected, answer) in set(Reason)


@untimed
@given(any_text)
def test_every_answer_equals_itself(answer: str) -> None:
    if normalise(answer):
        assert _verify(answer, answer) == Reason.EQUAL


@untimed
@given(fractions)
def test_a_fraction_equals_each_of_its_spellings(value: Fraction) -> None:
    above, below = value.numerator, value.denominator
    for spelling in (
        f"{above}/{below}",
        rf"\frac{{{above}}}{{{below}}}",
        f"{3 * above}/{3 * below}",
        f"x = {above}/{below}",
    ):
        assert _verify(str(value), spelling) == Reason.EQUAL


@untimed
@given(fractions, fractions.filter(bool))
def test_a_perturbed_fraction_is_wrong(value: Fraction, change: Fraction) -> None:
    assert _verify(str(value), str(value + change)) == Reason.WRONG


@untimed
@given(st.integers(10**20, 10**40), st.integers(1, 9))
def test_large_integers_are_compared_to_the_last_digit(value: int, change: int) -> None:
    assert _verify(str(value), str(value + change)) == Reason.WRONG
    assert _verify(str(value), f"{value:,}") == Reason.EQUAL


@settings(untimed, max_examples=30)
@given(expressions)
def test_a_perturbed_expression_is_not_equal(node: Node) -> None:
    spelled = _spell(node)
    assert _verify(spelled, f"({spelled})+0") == Reason.EQUAL
    assert _verify(spelled, f"({spelled})+1") == Reason.WRONG


@untimed
@given(expressions)
def test_spelling_and_parsing_keep_the_value(node: Node) -> None:
    try:
        expected = rational(node)
    except Undefined:
        return
    assert rational(parse(_spell(node))) == expected

"""Properties of the verifier on generated answers; what is rewritten by algebra is in `test_maths_rewriting`."""

import re
from collections.abc import Callable
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from rewarders.maths import Params, Reason, Reference, verify
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
TOKEN = re.compile(r"\\(?:begin|end)\{\w+\}|\\(?:[A-Za-z]+|.)|\d+(?:\.\d+)?|.")
FULL_WIDTH = str.maketrans("0123456789()[]{}+-=<>,/", "０１２３４５６７８９（）［］｛｝＋－＝＜＞，／")
ARABIC_INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

any_text = st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
fractions = st.fractions(max_denominator=500).filter(lambda value: abs(value) < 10**9)
small = st.fractions(-20, 20, max_denominator=9)
few = st.fractions(-2, 2, max_denominator=2)
"""So few that two of them are often the same."""
factors_of_change = st.sampled_from([1 + Fraction(1, 10**12), 1 - Fraction(1, 10**12)])
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


# -- structures of fractions, as plain text and as LaTeX ---------------------------------------------------------------

Spell = Callable[[Fraction], str]
Row = tuple[Fraction, ...]
Rows = tuple[Row, ...]
Ends = tuple[str, Fraction, Fraction, str]


def _latex(value: Fraction) -> str:
    sign, above, below = "-" * (value < 0), abs(value.numerator), value.denominator
    return f"{sign}{above}" if below == 1 else rf"{sign}\frac{{{above}}}{{{below}}}"


def _tuple(items: Row, spell: Spell = str) -> str:
    return f"({', '.join(map(spell, items))})"


def _set(items: Row, spell: Spell = str) -> str:
    inside = ", ".join(map(spell, items))
    return f"{{{inside}}}" if spell is str else rf"\left\{{{inside}\right\}}"


def _interval(ends: Ends, spell: Spell = str) -> str:
    opening, low, high, closing = ends
    return f"{opening}{spell(low)}, {spell(high)}{closing}"


def _matrix(rows: Rows, spell: Spell = _latex, kind: str = "pmatrix") -> str:
    written = r"\\".join("&".join(map(spell, row)) for row in rows)
    return rf"\begin{{{kind}}}{written}\end{{{kind}}}"


def _tuples(values: st.SearchStrategy[Fraction], least: int = 2) -> st.SearchStrategy[Row]:
    return st.lists(values, min_size=least, max_size=4).map(tuple)


def _sets(values: st.SearchStrategy[Fraction]) -> st.SearchStrategy[Row]:
    return st.lists(values, min_size=2, max_size=4, unique=True).map(tuple)


def _intervals(values: st.SearchStrategy[Fraction]) -> st.SearchStrategy[Ends]:
    ends = st.lists(values, min_size=2, max_size=2, unique=True).map(sorted)
    return st.builds(lambda low, pair, high: (low, *pair, high), st.sampled_from("(["), ends, st.sampled_from(")]"))


def _matrices(values: st.SearchStrategy[Fraction]) -> st.SearchStrategy[Rows]:
    sizes = st.integers(1, 3).flatmap(lambda width: st.just(st.lists(values, min_size=width, max_size=width)))
    return sizes.flatmap(lambda row: st.lists(row.map(tuple), min_size=2, max_size=3)).map(tuple)


answers_in_two_dressings = st.one_of(
    fractions.map(lambda value: (str(value), _latex(value))),
    _tuples(small).map(lambda items: (_tuple(items), _tuple(items, _latex))),
    _sets(small).map(lambda items: (_set(items), _set(items, _latex))),
    _intervals(small).map(lambda ends: (_interval(ends), _interval(ends, _latex))),
    _matrices(small).map(lambda rows: (_matrix(rows, str), _matrix(rows, _latex, "bmatrix"))),
    expressions.map(lambda node: (_spell(node).replace(r"\cdot ", "*"), _spell(node))),
)
latex_answers = answers_in_two_dressings.map(lambda pair: pair[1])


def _verify(expected: str, answer: str) -> str:
    return verify(Reference(answer=(expected,)), answer).reason


def _both_ways(first: str, second: str) -> set[str]:
    return {_verify(first, second), _verify(second, first)}


def _is_accepted_both_ways(first: str, second: str) -> bool:
    one, other = verify(first, second), verify(second, first)
    assert one.score == other.score, "who asks makes no difference"
    return one.score == 1


# -- what any text gets ------------------------------------------------------------------------------------------------


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


@settings(untimed, max_examples=300)
@given(answers_in_two_dressings)
def test_every_answer_equals_itself_in_latex(dressings: tuple[str, str]) -> None:
    assert _both_ways(*dressings) == {Reason.EQUAL}


@settings(untimed, max_examples=150)
@given(latex_answers, st.lists(st.sampled_from(["", " ", "  ", "\n ", r"\,", r"\ "]), min_size=1, max_size=7))
def test_white_space_between_signs_means_nothing(answer: str, spaces: list[str]) -> None:
    tokens = TOKEN.findall(answer)
    spaced = "".join(token + spaces[place % len(spaces)] for place, token in enumerate(tokens))
    assert _verify(answer, rf"\boxed{{{spaced}}}") == Reason.EQUAL
    assert _verify(rf"$ {' '.join(tokens)} $", answer) == Reason.EQUAL


@settings(untimed, max_examples=100)
@given(latex_answers)
def test_dressing_means_nothing(answer: str) -> None:
    for dressed in (
        rf"${answer}$",
        rf"$${answer}$$",
        rf"\({answer}\)",
        rf"\[{answer}\]",
        rf"\boxed{{{answer}}}",
        rf"So it is $\boxed{{ {answer} }}$.",
        rf"<think>7</think>\fbox{{${answer}$}}",
        rf"<answer>{answer}</answer>",
        rf"The answer is ${answer}$.",
        rf"#### {answer}",
        rf"\displaystyle {answer}",
        answer.replace(r"\frac", r"\dfrac").replace(r"\left", r"\bigl").replace(r"\right", r"\bigr"),
        answer.replace(r"\frac", r"\tfrac").replace("pmatrix", "bmatrix"),
        answer.replace("-", "−").replace(r"\cdot ", "×"),
        answer.translate(ARABIC_INDIC),
        re.sub(r"(?<=\^)\{\(([1-3])\)\}", r"\1", answer),
        re.sub(r"\^\{\(([1-3])\)\}", lambda power: power[1].translate(RAISED), answer),
    ):
        assert (dressed, _verify(answer, dressed)) == (dressed, Reason.EQUAL)


@settings(untimed, max_examples=150)
@given(answers_in_two_dressings)
def test_full_width_signs_are_signs(dressings: tuple[str, str]) -> None:
    plain, latex = dressings
    if "\\" not in plain:
        assert _both_ways(plain.translate(FULL_WIDTH), latex) == {Reason.EQUAL}


# -- numbers -----------------------------------------------------------------------------------------------------------


@untimed
@given(fractions)
def test_a_fraction_equals_each_of_its_spellings(value: Fraction) -> None:
    above, below = value.numerator, value.denominator
    for spelling in (
        f"{above}/{below}",
        rf"\frac{{{above}}}{{{below}}}",
        f"{3 * above}/{3 * below}",
        f"x = {above}/{below}",
        rf"\text{{{above}}}/{below}",
        f"{100 * value}%",
    ):
        assert _both_ways(str(value), spelling) == {Reason.EQUAL}


@settings(untimed, max_examples=200)
@given(st.integers(-(10**15), 10**15), st.integers(0, 4))
def test_a_number_means_the_same_with_and_without_thousands_separators(number: int, places: int) -> None:
    value = Fraction(number, 10**places)
    sign, decimals = "-" * (number < 0), f".{abs(number) % 10**places:0{places}}" if places else ""
    grouped = f"{sign}{abs(number) // 10**places:,}{decimals}"
    for separator in (",", "{,}", r",\!", r"\,", " ", "\u202f"):
        assert _both_ways(str(value), grouped.replace(",", separator)) == {Reason.EQUAL}


@settings(untimed, max_examples=300)
@given(fractions, fractions.filter(bool))
def test_a_perturbed_fraction_is_wrong(value: Fraction, change: Fraction) -> None:
    assert _both_ways(str(value), str(value + change)) == {Reason.WRONG}
    assert _both_ways(_latex(value), _latex(value + change)) == {Reason.WRONG}


@settings(untimed, max_examples=200)
@given(st.integers(1, 10**15), st.integers(0, 20), factors_of_change)
def test_decimals_that_differ_by_a_millionth_of_a_millionth_are_different(n: int, places: int, by: Fraction) -> None:
    changed = str(n * by.numerator).rjust(places + 13, "0")
    written = str(n).rjust(places + 1, "0")
    cut, changed_cut = len(written) - places, len(changed) - places - 12
    first = f"{written[:cut]}.{written[cut:]}"
    second = f"{changed[:changed_cut]}.{changed[changed_cut:]}"
    assert _both_ways(first, second) == {Reason.WRONG}
    assert _both_ways(f"-{first}", f"-{second}") == {Reason.WRONG}


@settings(untimed, max_examples=200)
@given(fractions.filter(bool), factors_of_change)
def test_fractions_that_differ_by_a_millionth_of_a_millionth_are_different(value: Fraction, by: Fraction) -> None:
    assert _both_ways(str(value), str(value * by)) == {Reason.WRONG}
    assert _both_ways(f"{value}x", f"({value * by})x") == {Reason.WRONG}


@untimed
@given(st.integers(10**20, 10**40), st.integers(1, 9))
def test_large_integers_are_compared_to_the_last_digit(value: int, change: int) -> None:
    assert _verify(str(value), str(value + change)) == Reason.WRONG
    assert _verify(str(value), f"{value:,}") == Reason.EQUAL


# -- structures: two of them are equal exactly if they are -------------------------------------------------------------


@settings(untimed, max_examples=200)
@given(_tuples(few, 3), _tuples(few, 3))
def test_tuples_are_compared_place_by_place(one: Row, other: Row) -> None:
    assert _is_accepted_both_ways(_tuple(one), _tuple(other, _latex)) == (one == other)
    turned = (*one[1:], one[0])
    assert _is_accepted_both_ways(_tuple(one), _tuple(turned, _latex)) == (one == turned)


@settings(untimed, max_examples=200)
@given(_sets(few), _sets(few))
def test_sets_are_compared_in_any_order(one: Row, other: Row) -> None:
    assert _is_accepted_both_ways(_set(one), _set(other, _latex)) == (set(one) == set(other))
    assert _is_accepted_both_ways(_set(one[::-1]), _set(one, _latex))
    assert not _is_accepted_both_ways(_set(one), _tuple(one))


@settings(untimed, max_examples=200)
@given(_intervals(few), _intervals(few))
def test_intervals_are_compared_with_their_ends(one: Ends, other: Ends) -> None:
    assert _is_accepted_both_ways(_interval(one), _interval(other, _latex)) == (one == other)
    opening, low, high, closing = one
    inequality = f"{low} {'<' * (opening == '(') or '<='} x {'<' * (closing == ')') or '<='} {high}"
    assert _is_accepted_both_ways(inequality, _interval(other, _latex)) == (one == other)


@settings(untimed, max_examples=200)
@given(_matrices(few), _matrices(few), st.data())
def test_matrices_are_compared_entry_by_entry(one: Rows, other: Rows, data: st.DataObject) -> None:
    assert _is_accepted_both_ways(_matrix(one), _matrix(other, str, "bmatrix")) == (one == other)
    row, column = data.draw(st.integers(0, len(one) - 1)), data.draw(st.integers(0, len(one[0]) - 1))
    changed = [list(entries) for entries in one]
    changed[row][column] += data.draw(st.sampled_from([Fraction(1, 10**12), Fraction(1)]))
    assert not _is_accepted_both_ways(_matrix(one), _matrix(tuple(map(tuple, changed))))


# -- expressions -------------------------------------------------------------------------------------------------------


@settings(untimed, max_examples=30)
@given(expressions)
def test_a_perturbed_expression_is_not_equal(node: Node) -> None:
    spelled = _spell(node)
    assert _both_ways(spelled, f"({spelled})+0") == {Reason.EQUAL}
    assert _both_ways(spelled, f"({spelled})+1") == {Reason.WRONG}


@untimed
@given(expressions)
def test_spelling_and_parsing_keep_the_value(node: Node) -> None:
    try:
        expected = rational(node)
    except Undefined:
        return
    assert rational(parse(_spell(node))) == expected


# -- tolerance ---------------------------------------------------------------------------------------------------------

margins = st.floats(0, 1000, allow_nan=False)


@settings(untimed, max_examples=200)
@given(small, small, margins, margins)
def test_an_answer_is_within_a_tolerance_exactly_if_its_distance_is(
    value: Fraction, answer: Fraction, absolute: float, relative: float
) -> None:
    allowed = max(Fraction(absolute), Fraction(relative) * abs(value))
    params = Params(absolute_tolerance=absolute, relative_tolerance=relative)
    assert (verify(str(value), _latex(answer), params).score == 1) == (abs(value - answer) <= allowed)


@settings(untimed, max_examples=100)
@given(small, st.integers(-9, 9), margins, margins)
def test_a_larger_tolerance_accepts_whatever_a_smaller_one_does(
    value: Fraction, root: int, one: float, other: float
) -> None:
    smaller, larger = sorted([one, other])
    answer = rf"{root} + \sqrt{{2}}"
    for field in ("absolute_tolerance", "relative_tolerance"):
        scores = [verify(str(value), answer, Params(**{field: margin})).score for margin in (0.0, smaller, larger)]
        assert scores == sorted(scores)

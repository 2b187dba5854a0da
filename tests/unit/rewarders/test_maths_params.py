"""Each setting of `maths.equal`, each reason, and what a verdict tells about itself."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rewarders.maths import Params, Reason, Reference, Rung, equal, verify
from rewarders.text import Extractor
from rewarders.types import Completion, FinishReason, Verdict

FORMS: dict[str, list[tuple[str, list[str], list[str]]]] = {
    # a reference, answers in the form that is asked for, and the same values in another form
    "any": [("1/2", ["0.5", "2/4", "50%", "one half"], [])],
    "integer": [
        ("2", ["2", "+2", "2.", "2 cm", "$2$"], ["2.0", "4/2", "1+1", r"\frac{4}{2}", r"\sqrt{4}", "two", "200%"]),
        ("1000", ["1000", "1,000"], ["1e3", "10^3", "1 thousand"]),
        ("-7", ["-7", "−7"], ["-7.0", "3 - 10"]),
    ],
    "reduced_fraction": [
        ("1/2", ["1/2", r"\frac12", r"\dfrac{1}{2}", "1/2 cm"], ["2/4", "0.5", "50%", "one half", r"\frac{-1}{-2}"]),
        ("-3/2", ["-3/2", r"\frac{-3}{2}", r"-\frac{3}{2}"], ["-1.5", "-6/4", r"-1\frac{1}{2}", r"\frac{3}{-2}"]),
        ("3", ["3"], ["3/1", "6/2", "3.0"]),
    ],
    "decimal": [("1/2", ["0.5", "0.50", "0.5 cm"], ["1/2", "50%", "5e-1"]), ("1234.5", ["1,234.5"], ["2469/2"])],
    "simplest": [
        (
            r"2\sqrt{3}",
            [r"2\sqrt{3}", r"\sqrt{3} \cdot 2"],
            [r"\sqrt{12}", r"\frac{6}{\sqrt{3}}", r"1 \cdot 2\sqrt{3}"],
        ),
        (r"\frac{\sqrt{2}}{2}", [r"\frac{\sqrt{2}}{2}"], [r"\frac{1}{\sqrt{2}}", r"\frac{2}{4} \cdot \sqrt{2}"]),
        ("10", ["10"], [r"\binom{5}{2}", "5 + 5", "2 * 5", r"\sqrt{100}", "|-10|", r"\gcd(10, 20)", "20/2"]),
        ("8", ["8"], ["2^3", r"\lfloor 8.5 \rfloor", "4!/3"]),
        ("2x + 2", ["2x + 2", "2(x + 1)"], ["2x + 1 + 1", r"2 \cdot 1 x + 2"]),
    ],
}
DECIMAL_PLACES = [
    ("3.14", "3.14", 2, "equal"),
    ("3.14", "3.140", 2, "wrong_form"),
    ("3.14", "3.140", 3, "equal"),
    ("3.14", "157/50", 2, "wrong_form"),
    ("3.14 cm", "3.14", 2, "equal"),
    ("1234.50", "1,234.50", 2, "equal"),
    ("3", "3", 0, "equal"),
    ("3", "3.0", 0, "wrong_form"),
    ("3.14", "3.15", 2, "wrong"),
]
ROUNDINGS = [
    # a reference, what rounds to it, what does not
    ("3.14", [r"\pi", "3.1415", "3.145", "3.135", "3.14"], ["3.1451", "3.1349", "3", "-3.14"]),
    ("0.33", ["1/3", r"\frac{33}{100}"], ["0.34", "0.3"]),
    ("-0.33", ["-1/3"], ["1/3"]),
    ("33.3", ["100/3"], ["33", "33.4"]),
    ("3", ["3.0"], ["3.2", "2.9"]),
    ("1/3", [r"0.\overline{3}"], ["0.333", "0.33"]),
    ("2.0 cm", ["2.04 cm", "2.04"], ["2.06", "2.04 m"]),
    (r"1.41", [r"\sqrt{2}"], [r"\sqrt{3}", "x", "1.41i"]),
]
TOLERANCES: list[tuple[str, dict[str, float], list[str], list[str]]] = [
    ("10", {"absolute_tolerance": 0.1}, ["10.1", "9.9", "10", "101/10"], ["10.11", "9.89", "-10", "10i"]),
    ("100", {"relative_tolerance": 0.01}, ["101", "99"], ["101.01", "98.99", "-100"]),
    ("-100", {"relative_tolerance": 0.01}, ["-101"], ["101", "-102"]),
    ("0", {"relative_tolerance": 0.5}, ["0.0"], ["0.05"]),
    (r"\pi", {"absolute_tolerance": 0.01}, ["3.14", r"\frac{22}{7}"], ["3.1", "3"]),
    (r"\sqrt{2}", {"relative_tolerance": 1e-3}, ["1.414", "1.4142"], ["1.4"]),
    ("10", {"absolute_tolerance": 0.1, "relative_tolerance": 0.05}, ["10.5"], ["10.6"]),
    ("10", {"absolute_tolerance": 1000.0}, ["11"], ["x", r"\infty", "i", "10 or 11", "undefined", "(10, 11)"]),
    ("5 cm", {"absolute_tolerance": 0.1}, ["5.05 cm", "5.05"], ["5.05 m"]),
]
UNITS = [
    ("5 cm", "5 cm", "equal"),
    ("5 cm", r"5.0 \text{ cm}", "equal"),
    ("5 cm", "5", "no_unit"),
    ("5 cm", "five", "no_unit"),
    ("5 cm", "5 m", "wrong"),
    ("5 cm", "6", "wrong"),
    ("5 cm^2", "5 cm^2", "equal"),
    ("30^\\circ", "30", "no_unit"),
    ("30^\\circ", "30 degrees", "equal"),
    ("€5", "5", "no_unit"),
    ("5 apples", "5 apples", "equal"),
    ("5", "5", "equal"),
    ("5", "5 cm", "equal"),
]
REASONS: dict[str, list[tuple[str, str]]] = {
    "equal": [("4", "2+2"), ("x", "x")],
    "wrong": [("4", "5"), ("x", "y"), ("(1, 2)", "(2, 1)"), ("5 cm", "5 m"), ("0", r"\frac{1}{0}")],
    "ambiguous": [("4", "4 or 5"), ("4", "4, 5"), ("4", r"\boxed{4} \boxed{5}"), ("4", r"\pm 4"), ("4", "4 and 4.5")],
    "unparsable": [("4", r"\square"), ("x", "x +"), ("4", "4 & 4"), ("(1, 2)", "(1, 2}")],
    "too_costly": [("4", "9^{9^{9}}"), ("4", "(" * 200 + "4" + ")" * 200), ("4", "10000!"), ("4", "4" * 250_000)],
    "costly_reference": [("9^{9^{9}}", "4"), ("10000!", "x")],
    "no_answer": [("4", ""), ("4", r"\boxed{}"), ("4", "$$"), ("4", "  ")],
}
EVIDENCE: list[tuple[str, str, dict[str, str]]] = [
    # a completion, the reference, and the answer, extractor, rung and parsed forms that are told, not always all
    (r"\boxed{ 4 }", "4", {"answer": "4", "extractor": "box", "rung": "text"}),
    (r"<answer>B</answer>", "(B)", {"extractor": "tag", "rung": "choice", "parsed": "B", "expected": "B"}),
    ("#### 8 pm", "20:00", {"extractor": "hashes", "rung": "moment", "parsed": "8 pm", "expected": "20:00"}),
    ("Answer: 0.5", "3/6", {"extractor": "label", "rung": "number", "parsed": "1/2", "expected": "1/2"}),
    ("The answer is x+x.", "2x", {"extractor": "phrase", "parsed": "add(x, x)", "expected": "mul(2, x)"}),
    ("2x", "3x", {"answer": "2x", "extractor": "bare", "rung": "meaning", "parsed": "mul(2, x)"}),
    ("We add them up.\nSo she has 7 apples left.", "7", {"extractor": "prose", "parsed": "7", "expected": "7"}),
]


def _formed(column: int) -> list[object]:
    return [
        pytest.param(form, row[0], answer, id=f"{form}: {answer}")
        for form, rows in FORMS.items()
        for row in rows
        for answer in row[column]
    ]


def _completed(text: str, answer: str, finish: FinishReason = FinishReason.STOP, **params: Any) -> Verdict:
    completion = Completion(text=text, finish_reason=finish)
    return equal(completion, Reference.model_validate(answer), Params.model_validate(params))


# -- form, decimal places ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "reference", "answer"), _formed(1))
def test_the_form_that_is_asked_for_is_accepted(form: Any, reference: str, answer: str) -> None:
    assert verify(reference, answer, Params(form=form)).reason == Reason.EQUAL


@pytest.mark.parametrize(("form", "reference", "answer"), _formed(2))
def test_another_form_of_the_same_value_scores_zero(form: Any, reference: str, answer: str) -> None:
    assert verify(reference, answer).reason == Reason.EQUAL
    assert verify(reference, answer, Params(form=form)).reason == Reason.WRONG_FORM


@pytest.mark.parametrize("form", FORMS)
def test_a_form_makes_no_wrong_value_right(form: Any) -> None:
    assert verify("1/2", "1/3", Params(form=form)).reason == Reason.WRONG
    assert verify("2", "3", Params(form=form)).reason == Reason.WRONG


@pytest.mark.parametrize(("reference", "answer", "places", "reason"), DECIMAL_PLACES)
def test_decimal_places_are_counted(reference: str, answer: str, places: int, reason: str) -> None:
    assert verify(reference, answer, Params(decimal_places=places)).reason == reason


@settings(deadline=None)
@given(st.decimals(-1000, 1000, places=3), st.integers(0, 6), st.integers(0, 6))
def test_an_answer_has_the_asked_places_exactly_if_so_many_are_written(value: Any, written: int, asked: int) -> None:
    answer = f"{value:.{3 + written}f}"
    reason = Reason.EQUAL if 3 + written == asked else Reason.WRONG_FORM
    assert verify(str(value), answer, Params(decimal_places=asked)).reason == reason


# -- rounding, tolerance, units ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reference", "right", "wrong"), ROUNDINGS)
def test_rounding_as_the_reference_accepts_what_rounds_to_it(
    reference: str, right: list[str], wrong: list[str]
) -> None:
    params = Params(rounding="as_reference")
    assert [answer for answer in right if verify(reference, answer, params).score != 1] == []
    assert [answer for answer in wrong if verify(reference, answer, params).score != 0] == []


def test_without_rounding_a_rounded_value_is_wrong() -> None:
    assert verify("3.14", r"\pi").reason == Reason.WRONG
    assert verify(r"\pi", "3.14").reason == Reason.WRONG


@pytest.mark.parametrize(("reference", "tolerance", "right", "wrong"), TOLERANCES)
def test_a_tolerance_accepts_what_is_near_enough(
    reference: str, tolerance: dict[str, float], right: list[str], wrong: list[str]
) -> None:
    params = Params.model_validate(tolerance)
    assert [answer for answer in right if verify(reference, answer, params).score != 1] == []
    assert [answer for answer in wrong if verify(reference, answer, params).score != 0] == []


@pytest.mark.parametrize(("reference", "answer", "reason"), UNITS)
def test_a_unit_can_be_required(reference: str, answer: str, reason: str) -> None:
    assert verify(reference, answer, Params(units="required")).reason == reason
    optional = Reason.EQUAL if reason == Reason.NO_UNIT else reason
    assert verify(reference, answer).reason == optional


# -- where an answer may stand -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "extractor"),
    [
        (r"so \boxed{4}", "box"),
        ("<answer>4</answer>", "tag"),
        ("so\n#### 4", "hashes"),
        ("so\nA: 4", "label"),
        ("so the answer is 4.", "phrase"),
        ("4", "bare"),
        ("We add the two numbers.\nIn the end she has 4 apples.", "prose"),
    ],
)
def test_an_answer_counts_only_where_it_is_accepted(text: str, extractor: str) -> None:
    assert _completed(text, "4").evidence["extractor"] == extractor
    assert _completed(text, "4", accept=[extractor]).reason == Reason.EQUAL
    without = [other for other in Extractor if other not in (extractor, "bare", "prose")]
    assert _completed(text, "4", accept=without).reason == Reason.NO_ANSWER


@pytest.mark.parametrize("finish", [FinishReason.LENGTH, FinishReason.ABORT])
def test_a_completion_that_was_cut_off_is_right_only_if_its_answer_is_marked(finish: FinishReason) -> None:
    for text, reason in (
        (r"\boxed{4} and", "equal"),
        ("<answer>4</answer>", "equal"),
        ("#### 4", "no_answer"),
        ("The answer is 4", "no_answer"),
        ("4", "no_answer"),
        ("In the end she has 4 apples.", "no_answer"),
        (r"\boxed{4} or rather \boxed{", "no_answer"),
        ("<think>4", "no_answer"),
    ):
        assert (text, _completed(text, "4", finish).reason) == (text, reason)
        assert _completed(text, "4", finish, truncated="never").reason == Reason.NO_ANSWER


@pytest.mark.parametrize(
    "params",
    [
        {"accept": []},
        {"accept": ["elsewhere"]},
        {"truncated": "always"},
        {"form": "nice"},
        {"decimal_places": -1},
        {"decimal_places": 101},
        {"rounding": "up"},
        {"absolute_tolerance": -0.1},
        {"absolute_tolerance": float("nan")},
        {"relative_tolerance": float("inf")},
        {"relative_tolerance": 1e6},
        {"units": "some"},
        {"tolerance": 0.1},
    ],
)
def test_a_setting_that_means_nothing_is_refused(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Params.model_validate(params)


def test_every_setting_is_tested_here() -> None:
    tested = {"accept", "truncated", "form", "decimal_places", "rounding", "units"}
    assert set(Params.model_fields) == tested | {"absolute_tolerance", "relative_tolerance"}


# -- reasons and evidence ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "reference", "answer"),
    [
        pytest.param(reason, *pair, id=f"{reason}: {pair[1][:20]}")
        for reason, pairs in REASONS.items()
        for pair in pairs
    ],
)
def test_every_reason_says_what_was_found(reason: str, reference: str, answer: str) -> None:
    verdict = verify(reference, answer)
    assert (verdict.reason, verdict.score) == (reason, float(reason == "equal"))


def test_every_reason_is_shown() -> None:
    assert set(REASONS) | {"wrong_form", "no_unit"} == set(Reason)


@pytest.mark.parametrize(("text", "reference", "evidence"), EVIDENCE)
def test_evidence_says_what_was_compared(text: str, reference: str, evidence: dict[str, str]) -> None:
    told = _completed(text, reference).evidence
    assert {name: told.get(name) for name in evidence} == evidence


def test_every_extractor_and_every_rung_is_shown() -> None:
    shown = [_completed(text, reference).evidence for text, reference, _ in EVIDENCE]
    assert {told["extractor"] for told in shown} == set(Extractor)
    assert {told["rung"] for told in shown} == set(Rung)


@settings(deadline=None, max_examples=50)
@given(st.text(min_size=1), st.integers(1, 5000), st.sampled_from([r"\boxed{%s}", "#### %s", "%s"]))
def test_evidence_is_bounded_whatever_the_answer_is(piece: str, times: int, dressing: str) -> None:
    evidence = verify("4", dressing.replace("%s", piece * times)).evidence
    assert len(str(evidence.get("answer", ""))) <= 300
    assert all(len(str(evidence.get(name, ""))) <= 240 for name in ("parsed", "expected"))

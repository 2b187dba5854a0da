"""The rewarder: what is equal, what is not, and the reason given."""

import pytest
from pydantic import ValidationError

from rewarders.maths import Params, Reason, Reference, equal, verify
from rewarders.types import Completion, FinishReason, Verdict

EQUAL = [
    ("4", "4.0"),
    ("1,234", "1234"),
    ("1/2", "0.5"),
    (r"\frac{1}{2}", "50%"),
    ("5", "$5.00"),
    ("5 cm", "5"),
    ("10", "10 weeks"),
    ("1000000", "1 000 000"),
    ("x = 5", "5"),
    ("5", "x = 5"),
    (r"2\sqrt{3}", r"\sqrt{12}"),
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}"),
    (r"\cos\frac{\pi}{7}\cos\frac{2\pi}{7}\cos\frac{3\pi}{7}", r"\frac{1}{8}"),
    (r"\sin(2x)", r"2\sin x\cos x"),
    ("(x+1)^2", "x^2+2x+1"),
    (r"\frac{x^2-1}{x-1}", "x+1"),
    (r"\sqrt{x^2}", "|x|"),
    (r"\ln 4", r"2\ln 2"),
    (r"\log_2 8", "3"),
    (r"e^{i\pi}", "-1"),
    (r"\sqrt[3]{-8}", "-2"),
    (r"120^\circ", r"\frac{2\pi}{3}"),
    ("(1, 2)", r"\left(1.0,\ 2\right)"),
    ("1, 2, 3", r"\{3, 1, 2\}"),
    ("7 and -5", "-5, 7"),
    (r"\pm 3", "-3, 3"),
    (r"x = 1 \pm \sqrt{2}", r"1+\sqrt{2}, 1-\sqrt{2}"),
    (r"(-\infty, 0) \cup (1, \infty)", r"(1, +\infty) \cup (-\infty, 0)"),
    ("(0, 1]", r"0 < x \le 1"),
    ("y = 2x + 1", "2y = 4x + 2"),
    ("x < 3", "3 > x"),
    ("-x < 3", "x > -3"),
    ("f(1/2)", "f(0.5)"),
    ("no solution", "No solution"),
    (r"\frac{1}{", r"$\frac{1}{$"),
]

DIFFERENT = [
    ("4", "5"),
    ("1/3", "0.333"),
    ("0.333", "1/3"),
    ("50", "0.5"),
    ("10", "10%"),
    ("5", "5 thousand"),
    ("2m", "2"),
    ("5 cm", "5 m"),
    ("5 cm", "5 km"),
    (r"\pi", r"\frac{22}{7}"),
    (r"\sqrt{x^2}", "x"),
    ("(1, 2)", "(2, 1)"),
    ("[1, 2]", "(1, 2)"),
    (r"\{1, 2\}", r"\{1, 2, 3\}"),
    ("1, 2, 3", "1, 2"),
    ("-1, 0, 1", "-1, 1, 1"),
    ("x = 5", "y = 5"),
    ("5", "xy = 5"),
    ("7 = 11a + c", "11a + c"),
    ("x < 3", "x > 3"),
    (r"x \le 5", "x < 5"),
    (r"\infty", r"-\infty"),
    ("0", r"\infty - \infty"),
    (r"\frac{1}{0}", r"\frac{2}{0}"),
    ("0", "0^0"),
    ("2^{100}", "2^{100} + 1"),
    ("12345678901234567890", "12345678901234567891"),
    (r"10^{-20}\pi", r"10^{-21}\pi"),
    ("a_1", "a_2"),
    ("A", "a"),
    ("listen", "silent"),
    ("1:20", "2:40"),
    (r"\frac{1}{", "1"),
]


def _equal(text: str, answer: object, finish: FinishReason = FinishReason.STOP, **params: object) -> Verdict:
    return equal(
        Completion(text=text, finish_reason=finish),
        Reference.model_validate({"answer": answer}),
        Params.model_validate(params),
    )


@pytest.mark.parametrize(("expected", "answer"), EQUAL)
def test_the_same_answer_written_otherwise_is_equal(expected: str, answer: str) -> None:
    assert verify(Reference(answer=(expected,)), answer).reason == Reason.EQUAL
    assert verify(Reference(answer=(answer,)), expected).reason == Reason.EQUAL


def test_the_working_may_stand_before_the_answer_but_is_no_reference() -> None:
    assert verify(Reference(answer=("7",)), "3 + 4 = 7").score == 1
    assert verify(Reference(answer=("3 + 4 = 7",)), "7").score == 0


@pytest.mark.parametrize(("expected", "answer"), DIFFERENT)
def test_another_answer_is_not_equal(expected: str, answer: str) -> None:
    assert verify(Reference(answer=(expected,)), answer).score == 0
    assert verify(Reference(answer=(answer,)), expected).score == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (r"so \boxed{4}", "equal"),
        ("4", "equal"),
        (r"so \boxed{5}", "wrong"),
        ("", "no_answer"),
        (r"\boxed{}", "no_answer"),
        ("<think>4", "no_answer"),
        (r"\boxed{\square}", "unparsable"),
        (r"\boxed{4 or 5}", "ambiguous"),
        (r"\boxed{4}, \boxed{5}", "ambiguous"),
        (r"\boxed{9^{9^{9}}}", "too_costly"),
        (r"\boxed{" + "(" * 200 + "4" + ")" * 200 + "}", "too_costly"),
    ],
)
def test_every_verdict_says_why(text: str, reason: str) -> None:
    verdict = _equal(text, "4")
    assert (verdict.reason, verdict.score) == (reason, float(reason == "equal"))


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        (r"\boxed{4}", {"answer": "4", "extractor": "box", "rung": "text"}),
        ("A: 4.0", {"answer": "4.0", "extractor": "label", "rung": "number", "parsed": "4", "expected": "4"}),
        (
            "#### 2+2",
            {"answer": "2+2", "extractor": "hashes", "rung": "meaning", "parsed": "add(2, 2)", "expected": "4"},
        ),
    ],
)
def test_evidence_names_the_answer_the_extractor_and_the_rung(text: str, evidence: dict[str, str]) -> None:
    assert _equal(text, "4").evidence == evidence


def test_evidence_is_bounded_and_can_always_be_stored() -> None:
    shown = _equal("\\boxed{" + "\ud800" * 5000 + "}", "4").evidence["answer"]
    assert isinstance(shown, str)
    assert len(shown) == 300
    assert shown.encode("utf-8")


def test_parsed_forms_in_evidence_are_bounded() -> None:
    evidence = _equal(r"\boxed{" + "x+" * 3000 + "1}", "y" + "+y" * 3000).evidence
    assert {len(str(evidence[name])) for name in ("parsed", "expected")} == {240}


def test_a_text_that_was_cut_off_has_no_bare_answer() -> None:
    assert _equal("4", "4", FinishReason.LENGTH).reason == Reason.NO_ANSWER
    assert _equal(r"\boxed{4} and so", "4", FinishReason.LENGTH).reason == Reason.EQUAL


def test_a_rubric_can_ask_for_a_box() -> None:
    assert _equal("the answer is 4", "4", accept=["box"]).reason == Reason.NO_ANSWER
    assert _equal(r"\boxed{4}", "4", accept=["box"]).reason == Reason.EQUAL


def test_any_alternative_of_the_reference_will_do() -> None:
    assert _equal("four", ["4", "four"]).score == 1
    assert _equal("4.0", ["4", "four"]).score == 1
    assert _equal("five", ["4", "four"]).score == 0


def test_boxes_that_make_up_a_list_are_compared_as_one() -> None:
    assert _equal(r"$\boxed{(1,2)}$ and $\boxed{(2,1)}$", "(2,1), (1,2)").score == 1
    assert _equal(r"$\boxed{(1,2)}$ and $\boxed{(2,1)}$", "(1,2)").reason == Reason.AMBIGUOUS


def test_one_value_in_two_forms_is_no_hedge() -> None:
    assert _equal(r"\boxed{\frac12} or \boxed{0.5}", "1/2").score == 1


@pytest.mark.parametrize(
    ("given", "answers"),
    [
        ({"answer": "4"}, ("4",)),
        ({"answer": ["4", "four"]}, ("4", "four")),
        (["4", "4.0"], ("4", "4.0")),
        ("4", ("4",)),
        ({"answer": 4}, ("4",)),
        ({"answer": [4, 0.5]}, ("4", "0.5")),
        ({"answer": 10**30}, (str(10**30),)),
    ],
)
def test_a_reference_can_be_given_in_short(given: object, answers: tuple[str, ...]) -> None:
    assert Reference.model_validate(given).answer == answers


@pytest.mark.parametrize(
    "given",
    [
        {},
        None,
        [],
        "",
        {"answer": ""},
        {"answer": "$ $"},
        {"answer": ["4", ""]},
        {"answer": True},
        {"answer": float("nan")},
        {"answer": float("inf")},
        {"answer": "4", "hint": "even"},
        {"answer": {"value": "4"}},
    ],
)
def test_a_reference_that_says_nothing_is_invalid(given: object) -> None:
    with pytest.raises(ValidationError):
        Reference.model_validate(given)

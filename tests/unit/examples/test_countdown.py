from fractions import Fraction
from pathlib import Path

import pytest

from rewarders.registry import Registry
from rewarders.types import Completion

ROOT = Path(__file__).parents[3]


@pytest.fixture
def spec(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return Registry.load([], ["examples.countdown.rewarder"]).get("countdown.equation")


@pytest.fixture
def score(spec):
    def said(text, target=24, numbers=(3, 8, 1), **params):
        reference = spec.read_reference({"target": target, "numbers": list(numbers)})
        return spec.function(Completion(text=text), reference, spec.check_params(params))

    return said


@pytest.mark.parametrize("answer", ["3*8*1", " ( 3 × 8 ) ÷ 1 ", "8/(1/3)", "((3))*8*1", "3 *\n8/1", "03*8*1"])
def test_an_expression_that_is_worth_the_target_is_right(score, answer):
    assert score(f"<think>hm</think><answer>{answer}</answer>").reason == "right"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3*8*1", "no_answer"),
        ("<answer>3*8*1", "no_answer"),
        ("<answer>3*8*1</answer><answer>3+8+1</answer>", "several_answers"),
        ("<answer></answer>", "unparsable"),
        ("<answer>3*8*1=24</answer>", "unparsable"),
        ("<answer>24</answer>", "wrong_numbers"),
        ("<answer>3*8</answer>", "wrong_numbers"),
        ("<answer>3*8*1*1</answer>", "wrong_numbers"),
        ("<answer>38-1</answer>", "wrong_numbers"),
        ("<answer>3+8+1</answer>", "wrong_value"),
        ("<answer>8/(3-3*1)</answer>", "divided_by_zero"),
        ("<answer>3**8*1</answer>", "unparsable"),
        ("<answer>-3*-8*1</answer>", "unparsable"),
        ("<answer>3(8)1</answer>", "unparsable"),
        ("<answer>(3*8*1</answer>", "unparsable"),
        ("<answer>3*8*1)</answer>", "unparsable"),
        ("<answer>3*8*1.0</answer>", "unparsable"),
        ("<answer>３*8*1</answer>", "unparsable"),
        ("<answer>3 8 1</answer>", "unparsable"),
        ("<answer>__import__('os').system('true')</answer>", "unparsable"),
        ("<answer>" + "(" * 100 + "3" + ")" * 100 + "*8*1</answer>", "unparsable"),
        ("<answer>" + "9" * 10 + "</answer>", "unparsable"),
        ("<answer>" + "1+" * 10**6 + "1</answer>", "unparsable"),
    ],
)
def test_anything_else_earns_nothing_and_says_why(score, text, reason):
    verdict = score(text)
    assert (verdict.score, verdict.reason) == (0.0, reason)


def test_a_number_may_be_left_over_where_the_rubric_says_so(score):
    assert score("<answer>3*8</answer>", use_all=False).reason == "right"
    assert score("<answer>3*8*8/8</answer>", use_all=False).reason == "wrong_numbers"


def test_values_are_exact(spec, score):
    assert score("<answer>1/3*3</answer>", target=1, numbers=(1, 3, 3)).reason == "right"
    assert score("<answer>10000000*10000001/10000000</answer>", 10000001, (10**7, 10**7 + 1, 10**7)).score == 1.0
    evaluate = spec.function.__globals__["evaluate"]
    assert evaluate("10-2-3*4/6") == (Fraction(6), [10, 2, 3, 4, 6])


def test_a_million_openings_are_read_once(score):
    assert score("<answer>" * 10**6).reason == "several_answers"
    assert score("<answer>" + "(" * 10**6).reason == "no_answer"

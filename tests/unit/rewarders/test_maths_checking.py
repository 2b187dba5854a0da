"""What the check of maths references says of each, and what it leaves alone."""

import pytest

from rewarders.maths import Params, Reference
from rewarders.maths.checking import check_reference
from rewarders.reference_check import problems_in
from rewarders.registry import Registry
from rewarders.types import Completion


def problems(*answers: str) -> list[tuple[str, str]]:
    return [(found.severity, found.code) for found in check_reference(Reference(answer=answers), Params())]


@pytest.mark.parametrize(
    "answer",
    [
        *("4", "-3.5", "1,234", "1,234,567", "-12,345 miles", "1/2", r"\frac{1}{2}", "12%", "1.5e3", "$18", "odd"),
        *("10 apples", "1, 22", "(1,22)", "1,2,3", r"\{1, 2\}", "[0, 1)", "x = 5", "0 < x < 1", r"1 \pm \sqrt{2}"),
        *("2:1", "7:5", "5/2 hours", r"\frac{3}{4}x", "x^2/4 + 1", "8/(3x)", r"\sqrt{8}/4", "corner", "for"),
        *(
            "x < 1 or x > 3",
            r"4 < m \leq 8 \text{ or } 10 \leq m",
            "5 March 2021",
            "Tuesday",
            "8:34 p.m.",
            "(C)",
            "D. 12 apples",
        ),
    ],
)
def test_a_reference_that_reads_one_way_is_left_alone(answer: str):
    assert problems(answer) == []


@pytest.mark.parametrize(
    "answer",
    [
        *("1,22", "-0,5", "0,123", "1.234,56", "1,22 €", "€ 1,5", "12,5%", "1234,5"),
        *("1,23,456", "12,34,567"),
        *("10:30", "9:05", "23:59:59"),
        *("3/5/2021", "2021/3/5"),
        *("4 or 5", "x = 4 or x = 5", r"4 \text{ or } 5"),
        *("1/2x", "3/4 (x+1)", r"1/2\pi", r"5/2 \sqrt{3}"),
    ],
)
def test_a_reference_that_reads_two_ways_is_worth_a_look(answer: str):
    assert problems(answer) == [("warning", "ambiguous")]


@pytest.mark.parametrize("answer", ["blue whale", r"\frac{1}{2", r"\unknown{3}", "see figure 3 or 4"])
def test_a_reference_that_cannot_be_read_is_compared_as_text_and_says_so(answer: str):
    (found,) = check_reference(Reference(answer=answer), Params())
    assert (found.severity, found.code) == ("warning", "unparsable")
    assert "is compared as text alone: " in found.message
    assert not found.message.endswith(": ")


@pytest.mark.parametrize("answer", ["9^9^9", "10^{10^{10}}", "1000000!", "9" * 60_000, "(" * 60_000, "x+" * 20_000])
def test_a_reference_that_answers_would_be_blamed_for_is_an_error(answer: str):
    assert problems(answer) == [("error", "too_costly")]


def test_a_reference_that_is_nothing_but_dress_does_not_accept_itself():
    assert problems("$" * 2_000) == [("error", "not_itself")]


def test_each_alternative_is_looked_at_by_itself_and_in_order():
    assert problems("1.22", "1,22", "9^9^9", "122 hundredths or so") == [
        ("warning", "ambiguous"),
        ("error", "too_costly"),
        ("warning", "unparsable"),
    ]


@pytest.mark.parametrize("unit", ["/1", "1,", "1:", ",", "0,1", "or ", "1.111", "-", "€", "/1 ", "/1.", "1/2/"])
def test_a_hostile_reference_costs_what_its_length_costs_and_its_message_is_short(unit: str):
    answer = (unit * 200_000)[:199_999]
    found = check_reference(Reference(answer=answer), Params())
    assert all(len(problem.message) < 250 for problem in found)


def test_the_check_is_wired_to_the_rewarder_and_can_be_run_like_one():
    spec = Registry.load(["assay"]).get("maths.equal (check)")
    assert spec is not None
    verdict = spec.function(Completion(text=""), Reference(answer=("4", "1,22")), Params())
    assert [problem.code for problem in problems_in(verdict)] == ["ambiguous"]

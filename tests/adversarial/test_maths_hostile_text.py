"""Texts built to stall or to break the verifier. Each must end in a verdict; one that hangs stops the run."""

import pytest

from rewarders.maths import Params, Reason, Reference, equal, verify
from rewarders.types import Completion

TEN_MEGABYTES = 10_000_000
PATTERNS = [
    "{",
    r"\boxed{",
    r"\boxed",
    "<answer>",
    "####",
    "\nA:",
    "answer is ",
    "$",
    "<think>",
    r"\boxed{5} or ",
    "9",
    "½",
]


def _judge(text: str, answer: str = "4") -> str:
    return equal(Completion(text=text), Reference(answer=(answer,)), Params()).reason


@pytest.mark.parametrize("pattern", PATTERNS)
def test_ten_megabytes_of_noise_are_passed_over_and_what_follows_is_read(pattern: str) -> None:
    noise = pattern * (TEN_MEGABYTES // len(pattern))
    assert _judge(noise) != Reason.EQUAL
    thought = noise + "</think>"
    assert _judge(thought + r"\boxed{4}") == Reason.EQUAL


@pytest.mark.parametrize(
    "answer",
    [
        "9^{9^{9^{9}}}",
        "2^{2^{2^{2^{2^{2}}}}}",
        "100000000!",
        r"\sqrt{9^{9^{9}}}",
        "e^{e^{e^{e^{e^{10}}}}}",
        "10^{-10^{9}}",
        r"(\sqrt{2})^{10^9}",
        r"\sin(10^{10^{10}})",
        "x^{9^{9^9}}",
        r"\binom{10^9}{10^8}",
        "(" * 5000 + "4" + ")" * 5000,
        r"\sqrt{" * 500 + "4" + "}" * 500,
        r"\frac{1}{1+" * 300 + "4" + "}" * 300,
        r"\sin" * 500 + " 4",
        "|" * 5000,
        "1+" * 20_000 + "1",
        "7" * 100_000 + "x",
        ",".join(rf"\sqrt{{{n}}}" for n in range(2, 500)),
    ],
)
def test_what_would_cost_too_much_is_never_started(answer: str) -> None:
    expected = answer.replace(",", r"\cdot 1,") if "," in answer else "4"
    assert _judge(rf"\boxed{{{answer}}}", expected) == Reason.TOO_COSTLY


def test_a_base_next_to_one_with_a_vast_power_is_too_costly_even_where_it_agrees() -> None:
    power = r"\sqrt{1+10^{-20}}^{10^9}"
    assert _judge(rf"\boxed{{{power}+0}}", "1") == Reason.TOO_COSTLY
    assert verify(power, f"{power}+0").reason == Reason.COSTLY_REFERENCE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1" * 100_000, "1" * 100_000),
        (r"\boxed{0.5" + "0" * 50_000 + "}", "0.5"),
        (r"\boxed{" + ",".join(map(str, range(2000))) + "}", ",".join(map(str, reversed(range(2000))))),
        (r"\boxed{10^{10^{10}}}", "10^{10^{10}}"),
    ],
)
def test_a_large_right_answer_is_still_right(text: str, expected: str) -> None:
    assert _judge(text, expected) == Reason.EQUAL


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        (r"\frac{1}{x}", r"\frac{x}{x^2}\cdot\frac{0!}{1}"),
        ("(x+y+z+w)^{40}", "(w+z+y+x)^{40}"),
        (r"x!", r"x\cdot(x-1)!"),
        (r"\sqrt{x+\sqrt{y+\sqrt{z}}}", r"\sqrt{\sqrt{\sqrt{z}+y}+x}"),
    ],
)
def test_a_heavy_but_true_identity_is_proved(expected: str, answer: str) -> None:
    assert _judge(rf"\boxed{{{answer}}}", expected) == Reason.EQUAL


@pytest.mark.parametrize(
    "text", ["\x00", "\ud800", "\u202e42", "\ufeff", "①", "½" * 300, "١" * 5000, "\\", "%" * 300, "-" * 300]
)
def test_odd_characters_end_in_a_verdict(text: str) -> None:
    assert _judge(rf"\boxed{{{text}}}") in set(Reason) - {Reason.EQUAL}

"""Ways to be paid without knowing the answer. Each test is a trick and how it ends."""

import pytest

from rewarders.maths import Params, Reason, Reference, equal
from rewarders.types import Completion


def _judge(text: str, answer: str = "42") -> str:
    return equal(Completion(text=text), Reference(answer=(answer,)), Params()).reason


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{41} or \boxed{42}",
        r"\boxed{41}" + "\n\n\n" + r"\boxed{42}",
        r"It is \boxed{41}, or else it may be \boxed{42}.",
        "".join(rf"\boxed{{{n}}}" for n in range(3000)),
        r"\boxed{41, 42}",
        r"\boxed{41 \text{ or } 42}",
        r"\boxed{41; 42}",
        r"\boxed{\pm 42}",
        "The answer is 42 or 41.",
        "A: 41 and 42",
    ],
)
def test_naming_several_answers_is_ambiguous(text: str) -> None:
    assert _judge(text) == Reason.AMBIGUOUS


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{[0,100]}",
        r"\boxed{(-\infty,\infty)}",
        r"\boxed{0 \le x \le 100}",
        r"\boxed{\{42, 43\}}",
        r"\boxed{\mathbb{R}}",
        r"\boxed{n}",
        r"\boxed{x = x}",
        r"\boxed{?}",
        "42 7 8 9 10",
        "We get 42 in step 1. Therefore the answer is 7.",
        "The answer is either 42 or 5, I am not sure which.",
    ],
)
def test_naming_everything_pays_nothing(text: str) -> None:
    assert _judge(text) in {Reason.WRONG, Reason.UNPARSABLE}


@pytest.mark.parametrize("chain", ["42 = 43 = 44", "1 = 2 = 3 = 42", "x = 1 = 42", "42 = x", "0 = 42"])
def test_a_false_chain_through_the_answer_is_wrong(chain: str) -> None:
    assert _judge(rf"\boxed{{{chain}}}") == Reason.WRONG


@pytest.mark.parametrize(
    "text",
    [
        r"<think>\boxed{42}",
        r"<think>\boxed{42}</think>",
        r"<think>42</think> \boxed{ }",
        "<think>A: 42</think><think>\nA: 42",
    ],
)
def test_an_answer_that_is_only_thought_is_no_answer(text: str) -> None:
    assert _judge(text) == Reason.NO_ANSWER


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
        (r"\frac{1}{2^{99}}", r"\frac{1}{2^{98}}"),
        ("6.02e-34", "6.63e-34"),
        ("1000000", "1000090"),
        ("50", "0.5"),
        ("5", "500"),
        (r"\sqrt{2}", r"\frac{99}{70}"),
        (r"\pi", "3.14159265358979323846264338327950288419716939937510582097494459"),
        ("10^{5000}", "10^{5000}+1"),
        (r"\sqrt{2}\cdot 10^{60}", r"\sqrt{2}\cdot 10^{60}+1"),
    ],
)
def test_being_nearly_right_is_wrong(expected: str, text: str) -> None:
    assert _judge(rf"\boxed{{{text}}}", expected) in {Reason.WRONG, Reason.TOO_COSTLY}


@pytest.mark.parametrize(
    "text", [r"\boxed{nan}", r"\boxed{\frac{0}{0}}", r"\boxed{\infty-\infty}", r"\boxed{0\cdot\infty}", "inf"]
)
def test_a_value_that_is_none_equals_nothing(text: str) -> None:
    for expected in ("0", "1", "42", r"\frac{1}{0}"):
        assert _judge(text, expected) != Reason.EQUAL


@pytest.mark.parametrize(("expected", "text"), [("listen", "silent"), ("no", "on"), ("east", "seat"), ("ABC", "BCA")])
def test_an_anagram_is_another_word(expected: str, text: str) -> None:
    assert _judge(rf"\boxed{{\text{{{text}}}}}", expected) == Reason.WRONG


@pytest.mark.parametrize(
    "payload",
    [
        "__import__('os').system('touch pwned')",
        "open('pwned','w')",
        "().__class__.__base__.__subclasses__()",
        "exit()",
        "[open('pwned','w') for x in [1]]",
        r"\pi*len([open('pwned','w')])",
        "(1,open('pwned','w'))",
        "f(x)=open('pwned','w')",
        "lambda: open('pwned','w')",
        "S(42).evalf()",
    ],
)
def test_code_is_text_that_does_not_parse(payload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("text was evaluated")

    monkeypatch.setattr("builtins.eval", refuse)
    assert _judge(payload) == Reason.UNPARSABLE
    assert _judge(rf"\boxed{{{payload}}}", "(1,2)") == Reason.UNPARSABLE

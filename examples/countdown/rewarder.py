"""A rewarder for countdown: reach a target with the four operations and the given numbers.

A plug-in of one file. `service.toml` beside it names the module and a rubric that pays it.
"""

import re
from enum import StrEnum
from fractions import Fraction
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rewarders.registry import rewarder
from rewarders.types import Completion, Verdict

TOKEN = re.compile(r"\s*(?:([0-9]{1,9})|([-+*/()×÷−]))")
SPELLINGS = {"×": "*", "÷": "/", "−": "-"}
MOST_CHARS = 500
MOST_NESTED = 50


class Reason(StrEnum):
    """Why a verdict is what it is. `right` scores 1, every other reason 0."""

    RIGHT = "right"
    NO_ANSWER = "no_answer"
    SEVERAL_ANSWERS = "several_answers"
    """More than one <answer>: which is meant is the policy's to say."""
    UNPARSABLE = "unparsable"
    """Something else than numbers, + - * / and parentheses."""
    WRONG_NUMBERS = "wrong_numbers"
    """A number that was not given, or one too often, or one left over."""
    DIVIDED_BY_ZERO = "divided_by_zero"
    WRONG_VALUE = "wrong_value"


class Countdown(BaseModel):
    """The part of a reference that `countdown.equation` reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    target: int
    numbers: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=16)]


class CountdownParams(BaseModel):
    """Settings of `countdown.equation`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    use_all: bool = True
    """Each number exactly once; otherwise at most once."""


@rewarder("countdown.equation", version="1.0", params=CountdownParams, reference=Countdown)
def equation(completion: Completion, reference: Countdown, params: CountdownParams) -> Verdict:
    """1 if the one <answer> is an expression of the given numbers that is worth the target; else 0."""
    _, *sections = completion.text.split("<answer>")
    if len(sections) > 1:
        return verdict(Reason.SEVERAL_ANSWERS, "")
    answer, closed, _ = sections[0].partition("</answer>") if sections else ("", "", "")
    if not closed:
        return verdict(Reason.NO_ANSWER, "")
    try:
        value, used = evaluate(answer)
    except ZeroDivisionError:
        return verdict(Reason.DIVIDED_BY_ZERO, answer)
    except ValueError:
        return verdict(Reason.UNPARSABLE, answer)
    if not fits(used, reference.numbers, use_all=params.use_all):
        return verdict(Reason.WRONG_NUMBERS, answer)
    return verdict(Reason.RIGHT if value == reference.target else Reason.WRONG_VALUE, answer)


def verdict(reason: Reason, answer: str) -> Verdict:
    """A verdict that shows what was read."""
    return Verdict(score=float(reason is Reason.RIGHT), reason=reason, evidence={"answer": answer[:MOST_CHARS]})


def fits(used: list[int], given: list[int], *, use_all: bool) -> bool:
    """Whether the numbers used are the ones given, each as often as it was given at most."""
    left = list(given)
    for number in used:
        if number not in left:
            return False
        left.remove(number)
    return not left or not use_all


def evaluate(text: str) -> tuple[Fraction, list[int]]:
    """The exact value of an expression, and the numbers in it.

    There is no unary minus, no power and no equals sign, and nothing is ever given to Python to evaluate.

    Raises:
        ValueError: it is no such expression.
        ZeroDivisionError: it divides by zero.
    """
    tokens = tokenise(text)
    value = Expression(tokens).sum(0)
    if tokens:
        raise ValueError("something is left over")
    return value, [int(number) for number, _ in TOKEN.findall(text) if number]


def tokenise(text: str) -> list[str]:
    """Numbers, operators and parentheses, the last one first. Raises ValueError where there is anything else."""
    if len(text) > MOST_CHARS:
        raise ValueError("too long")
    tokens, place, text = [], 0, text.rstrip()
    while place < len(text):
        found = TOKEN.match(text, place)
        if not found:
            raise ValueError("neither a number nor an operation")
        tokens.append(found[1] or SPELLINGS.get(found[2], found[2]))
        place = found.end()
    return tokens[::-1]


class Expression:
    """Recursive descent over tokens, which it takes from the end of the list."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def sum(self, depth: int) -> Fraction:
        """Products, added and subtracted from left to right."""
        value = self.product(depth)
        while self.tokens and self.tokens[-1] in "+-":
            value = value + self.product(depth) if self.tokens.pop() == "+" else value - self.product(depth)
        return value

    def product(self, depth: int) -> Fraction:
        """Factors, multiplied and divided from left to right."""
        value = self.factor(depth)
        while self.tokens and self.tokens[-1] in "*/":
            value = value * self.factor(depth) if self.tokens.pop() == "*" else value / self.factor(depth)
        return value

    def factor(self, depth: int) -> Fraction:
        """A number, or a sum in parentheses."""
        token = self.tokens.pop() if self.tokens else ""
        if token.isdecimal():
            return Fraction(int(token))
        if token != "(" or depth == MOST_NESTED:
            raise ValueError("a number or a parenthesis was to come")
        value = self.sum(depth + 1)
        if not self.tokens or self.tokens.pop() != ")":
            raise ValueError("a parenthesis is not closed")
        return value

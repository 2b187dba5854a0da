"""Letters of multiple-choice answers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewarders.maths.choices import read_choice, read_choice_text, same_choice
from rewarders.maths.normalise import normalise

untimed = settings(deadline=None)


def _read(text: str) -> str | None:
    return read_choice(normalise(text))


CHOICES_OF_B = (
    r"B | (B) | [B] | B. | B) | (b) | b) | \text{(B)} | $\textbf{(B)}$ | \mathrm{B} | \left(\text{B}\right) | "
    "Option B | option b | choice (B) | Answer: B | the correct answer is (B) | （B） | 选B | 选项 B | B. 12 apples | "
    r"B.12 | B) 12 | (B) 12 apples | \textbf{(B)}\ 12 | B. -5 | (B) -5 | (B) \frac{1}{2} | Option B: 12 apples | "
    r"Option B. 12 | B. 3 < x < 5 | B. 12 or 13 | B. none of these | (B) no solution | B. No real roots | "
    r"B. \{1, 2\} | B. It cannot be determined | (B) 3 \le x \le 5 | (B) 5\text{ cm}^2 | (B) \{x \mid x > 0\}"
)


@pytest.mark.parametrize("text", CHOICES_OF_B.split(" | "))
def test_one_letter_is_chosen(text: str) -> None:
    assert _read(text) == "B"


SEVERAL = (
    "A and B | A, B | A or B | AB | (A)(B) | (A) or (B) | B. or C | B. C. | Option B or Option C | (a), (b) | "
    "B. 12 or C. 13 | B. 12, maybe (c) | B. 12 or maybe D | (A) 1 (B) 2 (C) 3 | A. 1 B. 2"
)


@pytest.mark.parametrize("text", SEVERAL.split(" | "))
def test_several_letters_are_no_choice(text: str) -> None:
    assert _read(text) is None


NO_CHOICES = (
    r"b | K | (K) | 12 | option | OptionB | B! | B_1 | 2B | B*2 | \mathrm{B}*2 | B 2 | B = 2 | B: 2 | B - 12 | "
    r"B, 12 | (B)12 | (B)x | \left(B\right) x | (B) \times 2 | (B) \cup x | (B) - 5 | (B) + 5 | (B)^2 | (B) = 5 | "
    "(B) times 2 | (B | B] | [B) | (a) 3 | b) 3 | the answer is b | E.g. | B.C. | A.M. | (B) is wrong | "
    "B. is not it | not B | Banana | I think so | B. wrong | (B) false | (B) no | (B) no, it is not | B. nope | "
    r"(B) incorrect | (B) this is wrong | B. it's not that | (B) isn't right | (B) cm\} \neg | (B) x \neg | "
    r"(B) 12 \} | (B) \{1, 2"
)


@pytest.mark.parametrize("text", ["", *NO_CHOICES.split(" | ")])
def test_what_is_no_choice_is_left_to_others(text: str) -> None:
    assert _read(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r"\textbf{(B) } 12", "12"),
        ("(C) 15", "15"),
        ("B. 12 apples", "12 apples"),
        ("B", None),
        ("(B) false", None),
        ("12", None),
        ("(B)(x)", None),
    ],
)
def test_the_text_of_a_choice_is_what_follows_its_letter(text: str, said: str | None) -> None:
    assert read_choice_text(normalise(text)) == said


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        (r"\textbf{(B) } 12", "B"),
        ("B", "(b)"),
        ("(B)", "B. 12 apples"),
        ("B. 12 apples", "B"),
        ("B. 12 apples", "(B) 12 apples"),
    ],
)
def test_a_letter_is_enough(expected: str, answer: str) -> None:
    assert same_choice(normalise(expected), normalise(answer))


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("B", "C"),
        ("B", "b"),
        ("B", "12 apples"),
        ("b", "b"),
        ("B", "A, B, C, D"),
        ("B", "A or B"),
        ("B. 12 apples", "B. 13 apples"),
        ("B. 12 apples", "C. 12 apples"),
    ],
)
def test_another_letter_or_another_text_is_not_the_same_choice(expected: str, answer: str) -> None:
    assert not same_choice(normalise(expected), normalise(answer))


LETTERS = st.sampled_from("ABCDEFGHIJ")
MARKED = st.sampled_from(["{}", "({})", "[{}]", "{}.", "{})", r"\text{{({})}}", "Option {}"])


@untimed
@given(LETTERS, MARKED, LETTERS, MARKED, st.sampled_from([" ", ", ", " or ", " and ", "/", "; ", "", " 12 "]))
def test_two_letters_are_never_one_choice(one: str, mark: str, other: str, other_mark: str, between: str) -> None:
    assert _read(mark.format(one) + between + other_mark.format(other)) is None


@pytest.mark.parametrize("piece", ["B", "(", "B. ", "the ", "(B) ", "answer is ", " "])
def test_a_text_longer_than_any_choice_is_not_looked_at(piece: str) -> None:
    assert read_choice("B. " + piece * (200_000 // len(piece)) + "x") is None

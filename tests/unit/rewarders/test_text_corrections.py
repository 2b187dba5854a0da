"""Text behind an announced answer: what announces or corrects decides, what explains changes nothing."""

import pytest

from rewarders.text import Extractor, extract

ANNOUNCED = (r"So \boxed{5}", "<answer>5</answer>", "#### 5", "Answer: 5", "The answer is 5")


def _answers(text: str) -> tuple[str, ...]:
    found = extract(text)
    assert found is not None
    return tuple(answer.strip("$*") for answer in found.answers)


@pytest.mark.parametrize("first", ANNOUNCED)
@pytest.mark.parametrize(
    "later",
    [
        "\nSo \\boxed{6}",
        "\n<answer>6</answer>",
        "\n#### 6",
        "\nAnswer: 6",
        "\n**Final Answer**\n$6$",
        "\n## Final Answer\n\n6",
        ".\nThe answer is 6.",
        ".\nThe answer is the volume, which is 6.",
        ".\nSo the answer is therefore 6.",
        "\nWait, actually it is 6.",
        "\nJust kidding, it is 6.",
        "\nSorry, 6.",
        "\nOops! It should be 6.",
        "\nNo, it's 6.",
        "\nCorrection: the sum is 6.",
        "\nHmm, on second thought it is 6.",
        "\nI made a mistake. It is 6.",
    ],
)
def test_what_is_announced_or_corrected_later_is_the_answer(first: str, later: str) -> None:
    assert _answers(first + later) == ("6",)


@pytest.mark.parametrize("first", ANNOUNCED)
@pytest.mark.parametrize(
    ("later", "other"),
    [
        ("\nor 6", "6"),
        ("\nOr six.", "six"),
        ("\nor maybe 6", "or maybe 6"),
        ("\nAnother answer could be 6", "Another answer could be 6"),
        ("\nIt could also be 6.", "It could also be 6"),
        ("\nwhich is wrong", "which is wrong"),
    ],
)
def test_another_answer_right_behind_one_is_a_hedge(first: str, later: str, other: str) -> None:
    assert _answers(first + later) == ("5", other)


@pytest.mark.parametrize("first", ANNOUNCED)
@pytest.mark.parametrize(
    "explanation",
    [
        "",
        "\nThis follows from 2 + 3.",
        "\nThe answer is 5, which is odd.",
        "\nA common wrong answer is 6.",
        "\nAnother way: 3 + 2.",
        "\nAlternatively, one may add 3 and 2.",
        "\nNo other value such as 7 works.",
        "\nI hope it is correct. There are 3 steps.",
        "\nor approximately 5.0001",
        "\n2 people are left.",
        "\nThe wait is 7 minutes.",
    ],
)
def test_an_explanation_changes_nothing(first: str, explanation: str) -> None:
    told = extract(first + explanation, [*Extractor])
    assert told is not None
    assert told.answers[0].startswith("5")
    assert len(told.answers) == 1


@pytest.mark.parametrize("first", ANNOUNCED[:-1])
@pytest.mark.parametrize(
    "about",
    ["correct since 2 + 3 is 5.", "obtained by adding 2 and 3.", "not 6.", "reasonable: 3 of 4 are there."],
)
def test_a_word_about_the_answer_is_no_other_answer(first: str, about: str) -> None:
    assert _answers(f"{first}\nThe answer is {about}") == ("5",)


def test_another_scale_is_another_answer() -> None:
    assert _answers(r"\boxed{5}. The answer is 5 million.") == ("5 million",)


def test_only_where_prose_counts_are_words_behind_an_answer_read() -> None:
    found = extract(r"\boxed{5}. Wait, it is 6.", [Extractor.BOX])
    assert found is not None
    assert found.answers == ("5",)


@pytest.mark.parametrize(
    "piece",
    ["or ", "wait, ", "no, ", "it could ", "the answer is ", "Answer\n", "\n", ".", "of the ", "another answer "],
)
def test_noise_behind_an_answer_is_read_to_its_end(piece: str) -> None:
    assert extract(r"\boxed{5} " + piece * (200_000 // len(piece))) is not None

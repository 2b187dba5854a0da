"""What answers nothing is found without a model; what may be an answer is left alone."""

import pytest

from rewarders.llm_judge.degenerate import emptiness

PROMPT = "What is seven times six? Give the final number."
CRITERIA = ["The final number is right and nothing else is claimed."]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no_content"),
        (" \n\t", "no_content"),
        ("\u200b\u2060\ufeff", "no_content"),
        (":", "no_content"),
        ("...!?", "no_content"),
        ("。", "no_content"),
        ("Thought process:", "boilerplate"),
        ("**SOLUTION:**", "boilerplate"),
        ("Ｓｏｌｕｔｉｏｎ", "boilerplate"),
        ("So\u200blution:", "boilerplate"),
        ("Let’s think step by step.", "boilerplate"),
        ("解", "boilerplate"),
        ("かいせつ", "boilerplate"),
        ("Lösung:", "boilerplate"),
        ("This answer is correct!!!", "boilerplate"),
        ("a" * 1_000_000, "repetition"),
        ("good answer " * 200, "repetition"),
        (PROMPT, "prompt_echo"),
        (PROMPT.upper() + " Solution:", "prompt_echo"),
        (PROMPT * 3, "prompt_echo"),
        (CRITERIA[0].replace("nothing else is", "nothing else"), None),
        (CRITERIA[0], "rubric_echo"),
    ],
)
def test_what_answers_nothing_is_named(text: str, why: str | None):
    assert emptiness(text, [PROMPT], CRITERIA) == why


@pytest.mark.parametrize(
    "text", ["42", "B", "∅", "∞", "é", "是", "yes", "-1", "x^2", "1" + "0" * 500, f"{PROMPT} 42", "✅"]
)
def test_what_may_be_an_answer_is_left_alone(text: str):
    assert emptiness(text, [PROMPT], CRITERIA) is None


def test_a_prompt_of_two_words_may_be_repeated():
    assert emptiness("Say hello", ["Say hello"]) is None


def test_an_answer_that_quotes_an_option_is_no_echo():
    prompt = "Which sentence is right? (A) He has gone to the market. (B) He have gone to the market."
    assert emptiness("He has gone to the market.", [prompt]) is None

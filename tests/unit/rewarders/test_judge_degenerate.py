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


@pytest.mark.parametrize(
    ("prompt", "right"),
    [
        ("Is the proof correct?", "The answer is correct."),
        ("Which operator compares?", "<="),
        ("Repeat AC sixty times.", "AC" * 60),
        ("Correct it if needed.\nThe cat sat on the mat.", "The cat sat on the mat."),
    ],
)
def test_the_right_answer_is_let_through_whatever_it_looks_like(prompt: str, right: str):
    prompts = prompt.split("\n")
    assert emptiness(f" {right.upper()}\n", prompts, right=right) is None
    assert emptiness(right, prompts) is not None


def test_numbers_may_repeat_themselves():
    matrix = "\n".join(" ".join("01"[(i * j) % 2] for j in range(12)) for i in range(12))
    assert emptiness(f"The matrix is\n{matrix}", [PROMPT]) is None
    assert emptiness(f"The matrix is\n{'it is ' * 100}", [PROMPT]) == "repetition"


def test_a_prompt_of_two_words_may_be_repeated():
    assert emptiness("Say hello", ["Say hello"]) is None


EDITS = [
    ("Fix the punctuation: " + "lets eat grandma said the wolf " * 20, "Lets eat, grandma, said the wolf! " * 20),
    ("lets eat grandma said the wolf " * 20 + "-- fix the punctuation", "Lets eat, grandma, said the wolf! " * 20),
    ("Write it in capitals: the cat sat on the mat, all day", "THE CAT SAT ON THE MAT, ALL DAY"),
    ("Remove the typo: teh cat sat on the mat all day", "the cat sat on the mat all day"),
]


@pytest.mark.parametrize(("prompt", "text"), EDITS)
def test_a_text_that_had_to_be_mended_a_little_is_no_echo(prompt: str, text: str):
    assert emptiness(text, [prompt]) is None
    instruction, _, given = prompt.partition(": ")
    assert emptiness(text, [instruction, given]) is None, "nor where the instruction is a message of its own"


def test_a_question_is_an_echo_however_it_is_spelled_and_one_of_many_messages_to_the_letter():
    system = "You are an assistant that answers questions."
    assert emptiness("what IS seven times six", ["What is seven times six?"]) == "prompt_echo"
    assert emptiness("What is seven\ntimes six?", [system, "What is seven times six?"]) == "prompt_echo"
    assert emptiness(f"{system} What is seven times six", [system, "What is seven times six?"]) == "prompt_echo"


def test_a_statement_that_a_criterion_asks_for_may_be_made():
    criterion = "It says that water boils at a hundred degrees Celsius at sea level."
    assert emptiness("Water boils at a hundred degrees Celsius at sea level.", ["When?"], [criterion]) is None


def test_an_answer_that_quotes_an_option_is_no_echo():
    prompt = "Which sentence is right? (A) He has gone to the market. (B) He have gone to the market."
    assert emptiness("He has gone to the market.", [prompt]) is None

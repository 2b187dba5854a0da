import pytest

from rewarders.text import Extractor, after_thinking, extract


@pytest.mark.parametrize(
    ("text", "answer", "extractor"),
    [
        (r"so \boxed{4}", "4", "box"),
        (r"so \fbox{4}", "4", "box"),
        (r"\boxed {4}", "4", "box"),
        (r"first \boxed{3}, and then, after more thought, \boxed{4}.", "4", "box"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}", "box"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}", "box"),
        (r"\boxed{\boxed{42}}", r"\boxed{42}", "box"),
        (r"\boxed{3} and then \boxed{4", "3", "box"),
        ("<answer>4</answer>", "4", "tag"),
        ("<answer>3</answer> no, <answer> 4 </answer>", "4", "tag"),
        ("<answer>The answer is 4.</answer>", "4", "tag"),
        ("Sum.\n#### 1,234", "1,234", "hashes"),
        ("#### 10\nMore.\n#### 20", "20", "hashes"),
        ("#### 20\nThat is all.", "20", "hashes"),
        ("2 + 2 = <<2+2=4>>4\nA: 4", "4", "label"),
        ("Long solution. Answer: 42", "42", "label"),
        ("**Final Answer:** 42", "42", "label"),
        ("Answer:\n\n42\nGoodbye", "42", "label"),
        ("Final Answer: The final answer is $(0, 1)$. I hope it is correct.", "$(0, 1)$", "label"),
        ("It follows that the answer is 1,000.99. Done", "1,000.99", "phrase"),
        ("the answer is 3. No: the answer is 4", "4", "phrase"),
        ("therefore the answer is:\n$$4$$", "$$4$$", "phrase"),
        ("42", "42", "bare"),
        ("  x^2 + 1 \n", "x^2 + 1", "bare"),
    ],
)
def test_the_final_answer_is_found(text: str, answer: str, extractor: str) -> None:
    found = extract(text)
    assert found is not None
    assert (found.text, found.extractor) == (answer, extractor)


@pytest.mark.parametrize(
    "text",
    ["", "   \n ", "<think>the answer is 4", r"<think>\boxed{4}</think>", "Well.\nI do not know.", "word " * 100],
)
def test_a_text_without_an_answer_has_none(text: str) -> None:
    assert extract(text) is None


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("<think>a</think>b", "b"),
        ("a</think>b", "b"),
        ("<think>a</think>b<think>c</think>d", "d"),
        ("<think>a</think>b<think>c", "b"),
        ("<think>a", ""),
        ("a", "a"),
    ],
)
def test_only_what_follows_the_thinking_is_spoken(text: str, spoken: str) -> None:
    assert after_thinking(text) == spoken


def test_earlier_places_win_over_later_ones() -> None:
    text = "the answer is 6\nA: 5\n#### 4\n<answer>3</answer>"
    assert [found.text for name in Extractor if (found := extract(text, [name]))] == ["3", "4", "5", "6"]
    assert extract(text) == extract(text, [Extractor.TAG])


@pytest.mark.parametrize(
    "gap", ["", " ", ", ", " and ", " or ", r"$, $", r"\quad \text{and} \quad", ", or perhaps it is "]
)
def test_boxes_side_by_side_are_one_statement(gap: str) -> None:
    found = extract(rf"so \boxed{{1}}{gap}\boxed{{2}}")
    assert found is not None
    assert found.answers == ("1", "2")


def test_the_same_box_again_is_no_other_answer() -> None:
    found = extract(r"\boxed{7} " * 2000)
    assert found is not None
    assert found.answers == ("7",)


def test_a_heading_of_hashes_is_no_answer() -> None:
    found = extract("#### Step 1: add them up\n2 + 2 = 4\nThe answer is 4")
    assert found is not None
    assert (found.text, found.extractor) == ("4", Extractor.PHRASE)


def test_a_choice_called_a_is_no_answer() -> None:
    found = extract("A: 5\nB: 6\nThe answer is B")
    assert found is not None
    assert (found.text, found.extractor) == ("B", Extractor.PHRASE)


def test_a_long_text_is_no_bare_answer_but_a_long_number_is() -> None:
    assert extract("four " * 60) is None
    assert extract("4" * 5000) is not None

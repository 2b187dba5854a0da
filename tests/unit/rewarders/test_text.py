import pytest

from rewarders.text import Extractor, after_thinking, extract, final_answer, unfinished


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
        ("Answer 9", "9", "label"),
        (r"Answer \( (9+1) \)", r"\( (9+1) \)", "label"),
        ("Answer $$ \n 9 \n $$", "$$ \n 9 \n $$", "label"),
        ("Final answer 9", "9", "label"),
        ("Answer: B", "B", "label"),
        ("Final Answer: The volume of $ABCD$ is 120. I hope it is correct.", "120", "label"),
        ("Answer: 4 is right. 5 too.", "4 is right. 5 too.", "label"),
        ("我们得到\n答案：9", "9", "label"),
        ("Ответ: 42", "42", "label"),
        ("Respuesta: 42", "42", "label"),
        ("Antwort: 42", "42", "label"),
        ("الجواب: 42", "42", "label"),
        ("答案是 9。", "9", "phrase"),
        ("réponse est (35 + 70 = 105).", "(35 + 70 = 105)", "phrase"),
        ("The answer is the number of ways, which is 12.", "12", "phrase"),
        ("The answer is 4. Or maybe 5.", "4, Or maybe 5", "phrase"),
        ("The answer is therefore 4.", "4", "phrase"),
        ("The answer is 4 because 2 + 2 = 4.", "4", "phrase"),
        ("Answer: 4. I hope it is correct.", "4", "label"),
        ("We add.\n\n## Final Answer\n\n$4$", "$4$", "label"),
        ("Final answer\n\n**4**\n", "4", "label"),
        ("The answer is 4. A common wrong answer is 5.", "4", "phrase"),
        ("A common wrong answer is 5.", "A common wrong answer is 5", "phrase"),
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
    assert [found.text for name in Extractor if (found := extract(text, [name]))] == ["3", "4", "5", "6", "3"]
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


def test_a_final_answer_that_is_announced_overrules_a_box_on_the_way() -> None:
    text = r"The interest is \boxed{255}. Final Answer: The final answer is $10,455$. I hope it is correct."
    assert [found.text for accept in (list(Extractor), [Extractor.BOX]) if (found := extract(text, accept))] == [
        "$10,455$",
        "255",
    ]


def test_boxes_behind_names_are_one_statement() -> None:
    found = extract(r"\($y_1 = \boxed{-2x} \) and \( y_2 = \boxed{3x} \)")
    assert found is not None
    assert found.answers == ("-2x", "3x")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \\boxed{\\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\\boxed{\\begin{pmatrix}1\\\\2\\end{pmatrix}}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
        (r"\\dfrac{2}{3} + \frac{1}{72}", r"\dfrac{2}{3} + \frac{1}{72}"),
        (r"\boxed{\begin{pmatrix}1\\2\end{pmatrix}}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
        (r"\boxed{\begin{matrix}x\\\pi\end{matrix}}", r"\begin{matrix}x\\\pi\end{matrix}"),
    ],
)
def test_backslashes_that_were_escaped_twice_are_single(text: str, answer: str) -> None:
    found = extract(text)
    assert found is not None
    assert found.text == answer


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("4", "4"),
        (r"x \in [1, 2]", r"x \in [1, 2]"),
        ("A or B", "A or B"),
        (r"So $x=4$, or $\boxed{20}$ percent.", "20%"),
        (r"So $x=4$, or $\boxed{20}$ in all.", "20"),
        (r"\(\boxed{1}\) and \(\boxed{-2}\).", "1, -2"),
        (r"is \\boxed{004}.\n\nBut wait.\n**Final Answer**\n\\boxed{004}", "004"),
        (r"\\boxed{W(n) = 1 \\text{ and } W(n) = -1", r"W(n) = 1 \text{ and } W(n) = -1"),
        ("He sells 9 of them for $2.\n#### 18", "18"),
        (r"So the total loss is 28. Final Answer: The final answer is $28 \%$. I hope so.", r"$28 \%$"),
        (r"$\\left(\\frac{1}{5},1\\right)$", r"$\left(\frac{1}{5},1\right)$"),
    ],
)
def test_a_reference_that_is_a_whole_solution_gives_its_answer(reference: str, answer: str) -> None:
    assert final_answer(reference) == answer


@pytest.mark.parametrize(
    ("text", "is_unfinished"),
    [
        ("<think>a", True),
        ("<think>a</think>b", False),
        ("a</think>b<think>c", True),
        (r"so \boxed{4", True),
        (r"so \boxed{\frac{1}{2}", True),
        (r"<think>\boxed{</think>4", False),
        (r"so \boxed{4}", False),
        (r"\boxed{3} and \boxed{4", True),
        ("4", False),
        ("", False),
    ],
)
def test_a_completion_cut_off_in_its_thinking_or_its_box_is_unfinished(text: str, is_unfinished: bool) -> None:
    assert unfinished(text) is is_unfinished

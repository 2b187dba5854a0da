import pytest

from rewarders.text import Extractor, extract


def _said(text: str) -> str | None:
    found = extract(text)
    return found.text if found and found.extractor is Extractor.PROSE else None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("We find that $x < 3$.", "x < 3"),
        (r"So we get $$\frac{1}{2}$$ as the result.", r"\frac{1}{2}"),
        ("It follows at once\n\\[\n x = 5\n\\]\nI hope it is correct.", "x = 5"),
        ("We get the sum 12 for $n$.", "12"),
        ("The angle is [90].", "[90]"),
        ("The point is then at (2, 3).", "(2, 3)"),
        ("The sum is then 3 + 4 = 7.", "3 + 4 = 7"),
        ("The area of it is 3x + 4.", "3x + 4"),
        ("The volume of it is 25 cm^3 now.", "25 cm^3"),
        ("Well, it costs $5 and then the total is $12.50.", "$12.50"),
        ("The error increases by 100%.", "100%"),
        ("Therefore, there are 12 distinct ones. I hope it is correct.", "12 distinct"),
        ("He has 3 red ones. After 4 days he has 12 apples.", "12 apples"),
        ("The train leaves at 8:34 p.m. every day.", "8:34 p.m."),
        ("1. **Add**: 2 + 3\n2. **So** the total is **5 hours** in 3 days.", "5 hours"),
        ("**Step 3:** The total is 45 apples", "45 apples"),
        ("The parity of it is **odd**.", "odd"),
        ("Il en a 4. Au total il y a donc 1 000,5 euros.", "1 000,5 euros"),
        ("因此，她的作业多 **3页**。", "3"),
        ("剩下 5页（数学） - 2页（阅读） = 3页", "3"),
        ("所以他们赚了8722美元。", "8722美元"),
        ("所以一共有3万人", "3万人"),
        ("したがって、全部で12個です。", "12"),
        ("وبالتالي فإن المجموع هو ٤٢.", "٤٢"),
        ("इसलिए, दुकान में अब 67 कमीजें हैं।", "67"),
        ("Итак, всего у него 15 яблок.", "15"),
    ],
)
def test_prose_closes_with_its_value(text: str, answer: str) -> None:
    assert _said(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("I think it is either 4 or 5", "4 or 5"),
        ("We find 4, but it could be 5.", "4, but it could be 5"),
        ("The number is 4, or maybe 5.", "4, or maybe 5"),
        ("Then we have that $x=2$ or $x=3$.", "$x=2$ or $x=3$"),
        ("The numbers to choose from are 4, 5 and 6.", "4, 5 and 6"),
        ("We list the numbers\n40\n41\n42", "40\n41\n42"),
        ("It must then be **4** or 5.", "4** or 5"),
        ("We get 4.\nOr maybe 5.", "Or maybe 5"),
        ("这个数是4或者5。", "4或者5"),
        ("Ce sera donc 4 ou 5.", "4 ou 5"),
    ],
)
def test_a_hedge_stays_a_hedge(text: str, answer: str) -> None:
    assert _said(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("So it is not 42.", "not 42"),
        ("So x is not equal to 42.", "not equal to 42"),
        ("The number of them is at most 42.", "at most 42"),
        ("the number is 5 more than 3", "more than 3"),
        ("the number is twice 5", "twice 5"),
        ("so we get 5 and a half", "5 and a half"),
        ("We need 42 or more of them.", "42 or more"),
        ("There will then be 2.5 million dollars", "2.5 million"),
        ("the number is not 10 which is 9", "9"),
        ("This does not depend on it, so the value is 5", "5"),
        ("So it is the cosine of 5.", "cosine of 5"),
        ("So it is the number of divisors of 5.", "divisors of 5"),
        ("So we want one fifth of 5", "fifth of 5"),
        ("So it is a third of 5", "third of 5"),
        ("So the number is 20% of 50", "20% of 50"),
        ("Thus x exceeds 5.", "exceeds 5"),
        ("So it must be under 5", "under 5"),
        ("So it must be nearly 5", "nearly 5"),
        ("So it is hardly 5", "hardly 5"),
        ("So the number is bigger than 5", "than 5"),
        ("So the number differs from 5", "from 5"),
        ("So the number is divisible by 5", "divisible by 5"),
        ("Therefore it is 5 at most.", "5 at most"),
        ("Therefore it is 5 km at least.", "5 km at least"),
        ("Therefore it is 5 or so.", "5 or so"),
        ("Therefore it is 5 or six.", "5 or six"),
        ("So it is 5 divided by two.", "5 divided by two"),
        ("So it is 5 times two.", "5 times two"),
        ("So it is 5 squared.", "5 squared"),
        ("So the probability is 3 in 5", "3 in 5"),
        ("So the probability is 3 out of 5", "3 out of 5"),
        ("Therefore, 2 mod 5.", "2 mod 5"),
        ("So it is ¬5", "¬5"),
        ("So we find the negation of 5.", "negation of 5"),
    ],
)
def test_words_that_change_a_value_stay_with_it(text: str, answer: str) -> None:
    assert _said(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("So they have a total of 5.", "5"),
        ("So this gives the area of 5", "5"),
        ("Hence he walked a distance of 5 km.", "5 km"),
        ("So we get the probability of 1/5", "1/5"),
        ("So she makes a profit of $5.", "$5"),
        ("So it increases by a factor of 5.", "5"),
        ("So there must be a group of 5.", "5"),
        ("So he has a stack of about 5 coins.", "5 coins"),
        ("From the above we get 5.", "5"),
        ("Therefore, he went there 5 times in total.", "5"),
        ("So it comes out as → 5", "5"),
        ("It is then 5, and I am 100% sure.", "5"),
    ],
)
def test_words_that_only_name_a_quantity_leave_its_value(text: str, answer: str) -> None:
    assert _said(text) == answer


@pytest.mark.parametrize(
    ("formula", "answer"),
    [
        (r"V = lwh = 5\cdot 6\cdot 4 = 120", r"5\cdot 6\cdot 4 = 120"),
        (r"A = \pi r^2 = 4\pi", r"4\pi"),
        ("x = 1 = 42", "1 = 42"),
        ("1 = 2 = 42", "1 = 2 = 42"),
        ("x^2 = 5^2 = 25", "x^2 = 5^2 = 25"),
        ("y = x^2 - 1 = (x-1)(x+1)", "y = x^2 - 1 = (x-1)(x+1)"),
        ("x = 5", "x = 5"),
    ],
)
def test_of_a_chain_behind_a_name_all_its_numbers_are_the_answer(formula: str, answer: str) -> None:
    assert _said(f"Thus we see ${formula}$.") == answer


@pytest.mark.parametrize(
    "text",
    [
        "42 7 8 9",
        "4, or maybe 5",
        "x = 2 or x = 3",
        "Sequence 1: -2 and Sequence 2: 10",
        "(2, 3)",
        "AZYUK2A",
        "3 apples",
    ],
)
def test_a_short_text_that_is_no_sentence_is_an_answer_as_it_stands(text: str) -> None:
    found = extract(text)
    assert found is not None
    assert (found.text, found.extractor) == (text, Extractor.BARE)


@pytest.mark.parametrize("text", ["I am not sure what to say.\nSorry.", "word " * 2000, "9" * 300_000])
def test_prose_without_a_value_has_no_answer(text: str) -> None:
    assert extract(text) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "{",
        r"\boxed{",
        "$",
        "$1$, ",
        "**",
        "**1** ",
        "a",
        "a ",
        "1 ",
        "1,",
        "1 or ",
        "[1",
        r"\(",
        r"\text{",
        "\\\\frac",
        "not ",
        "答案是",
        "<a",
    ],
)
def test_noise_in_front_changes_nothing(pattern: str) -> None:
    noise = pattern * (200_000 // len(pattern))
    found = extract(f"{noise}\n\nThe answer is 4.")
    assert found is not None
    assert found.text.endswith("4") or found.extractor is Extractor.BOX
    extract(noise)

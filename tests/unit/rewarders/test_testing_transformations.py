"""What changes nothing: names, the order of sources, and what is written with them."""

import pytest

from rewarders.testing.cases import Case
from rewarders.testing.transformations import permuted_sources, renamed_locals, renamed_variable

PROGRAM = """Here it is:
```python
import math

LIMIT = 10

def double(values):
    total = 0
    for value in values:
        total += 2 * value
    return min(total, LIMIT) * math.floor(1)
```
"""


def case(completion: str, reference: object = None, **fields: object) -> Case:
    return Case.model_validate({"id": "a", "kind": "full", "completion": completion, "reference": reference, **fields})


def test_citations_move_with_their_sources():
    changed = permuted_sources(case("So it is [1], and so [2, 3]; nobody says [4].", {"sources": ["a", "b", "c"]}))
    assert changed is not None
    assert changed.asked.text == "So it is [3], and so [2, 1]; nobody says [4]."
    assert changed.reference == {"sources": ["c", "b", "a"]}


@pytest.mark.parametrize("reference", [None, {"sources": ["one alone"]}, {"sources": {"smith": "named"}}])
def test_sources_that_have_no_order_are_left_as_they_are(reference: object):
    assert permuted_sources(case("So it is [1].", reference)) is None


def test_a_variable_is_renamed_in_task_and_answer_and_nowhere_else():
    changed = renamed_variable(
        case(r"So, next, \boxed{x^2 + \exp(x)}.", {"answer": "x^2 + e^x"}, prompt="Differentiate by x.")
    )
    assert changed is not None
    assert changed.asked.text == r"So, next, \boxed{u^2 + \exp(u)}."
    assert (changed.reference, changed.prompt) == ({"answer": "u^2 + e^u"}, "Differentiate by u.")


@pytest.mark.parametrize(
    ("completion", "answer"), [("It is 3 x 4 = 12.", "12"), ("x + u + v + w + r + s", "x+u+v+w+r+s")]
)
def test_without_a_variable_or_a_letter_that_is_free_nothing_is_renamed(completion: str, answer: str):
    assert renamed_variable(case(completion, {"answer": answer})) is None


def test_a_program_with_other_names_inside_does_the_same():
    changed = renamed_locals(case(PROGRAM))
    assert changed is not None
    code = changed.asked.text.partition("```python\n")[2].partition("```")[0]
    assert "total_renamed" in code
    assert "value_renamed" in code
    assert "values_renamed" not in code
    assert "LIMIT_renamed" not in code
    space: dict[str, object] = {}
    exec(code, space)
    assert space["double"]([1, 2]) == 6  # type: ignore[operator]


@pytest.mark.parametrize("code", ["def f(:", "def f(a):\n    b = a\n    return locals()['b']", "x = 1"])
def test_programs_that_would_not_stay_the_same_are_left_alone(code: str):
    assert renamed_locals(case(f"```python\n{code}\n```")) is None

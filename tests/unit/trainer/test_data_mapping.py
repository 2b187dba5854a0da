import datetime

import pytest

from rewarders.errors import ConfigError
from trainer.data.mapping import difficulty_of, task_of
from trainer.data.section import HubSource

GSM8K = {"question": "Ann has 3 apples {and} 2 pears.", "answer": "3 + 2 = 5 <<3+2=5>>\n#### 5 "}


def source(**options):
    given = {"kind": "huggingface", "name": "s", "path": "p", "rubric": "math.v1", "prompt": "{question}"}
    return HubSource(**{key: value for key, value in (given | options).items() if value is not None})


def task(row, **options):
    return task_of(source(**options), row, split="train", number=4)


def test_a_row_becomes_a_task_and_braces_in_it_stay_what_they_are():
    found = task(
        GSM8K,
        prompt="{question}\nAnswer in \\boxed{{}}.",
        system="Be brief.",
        reference={"answer": {"column": "answer", "text_after": "####"}},
    )
    assert found.id == "s/train-4"
    assert [(turn.role, turn.content) for turn in found.prompt] == [
        ("system", "Be brief."),
        ("user", "Ann has 3 apples {and} 2 pears.\nAnswer in \\boxed{}."),
    ]
    assert found.reference == {"answer": "5"}
    assert (found.rubric, found.source, found.split) == ("math.v1", "s", "train")


def test_numbers_and_lists_are_written_as_json():
    row = {"question": 7, "nums": [1, 2.5, "x"]}
    assert task(row, prompt="{question} from {nums}").prompt[0].content == '7 from [1, 2.5, "x"]'


def test_a_reference_is_filled_wherever_it_names_a_column():
    row = {"question": "q", "entry": "f", "tests": ["assert f(1) == 2", "assert f(2) == 3"], "meta": {"k": {"v": 3}}}
    reference = {
        "language": "python",
        "tests": {"entry_point": {"column": "entry"}, "code": {"column": "tests", "join": "\n"}},
        "list": [{"column": "meta.k.v"}, "plain", {"column": "tests.1"}],
    }
    assert task(row, reference=reference).reference == {
        "language": "python",
        "tests": {"entry_point": "f", "code": "assert f(1) == 2\nassert f(2) == 3"},
        "list": [3, "plain", "assert f(2) == 3"],
    }


@pytest.mark.parametrize(
    ("solution", "answer"),
    [(r"so \boxed{\frac{1}{2}}.", r"\frac{1}{2}"), (r"\boxed{1}, no: \boxed{ {2} }", "{2}")],
)
def test_the_last_box_is_opened(solution, answer):
    row = {"question": "q", "s": solution}
    assert task(row, reference={"answer": {"column": "s", "boxed": True}}).reference == {"answer": answer}


def test_a_conversation_keeps_its_turns():
    turns = [{"role": "system", "content": "s", "name": None}, {"role": "user", "content": "u"}]
    found = task({"chat": turns, "n": "17"}, prompt=None, messages="chat", id="n")
    assert [turn.content for turn in found.prompt] == ["s", "u"]
    assert found.id == "s/17"


@pytest.mark.parametrize(
    ("row", "options", "message"),
    [
        ({"q": "?"}, {}, "there is no column question"),
        ({"question": None}, {}, "column question is empty"),
        ({"question": datetime.date(2026, 1, 1)}, {}, "column question is neither text nor JSON"),
        ({"question": float("nan")}, {}, "column question is neither text nor JSON"),
        ({"question": "?", "a": 5}, {"reference": {"x": {"column": "a", "text_after": "#"}}}, "column a is no text"),
        ({"question": "?", "a": "no mark"}, {"reference": {"x": {"column": "a", "text_after": "#"}}}, "nothing after"),
        ({"question": "?", "a": "# "}, {"reference": {"x": {"column": "a", "text_after": "#"}}}, "nothing after"),
        ({"question": "?", "a": r"\boxed{1"}, {"reference": {"x": {"column": "a", "boxed": True}}}, "nothing after"),
        ({"question": "?", "a": ["x", 1]}, {"reference": {"x": {"column": "a", "join": ""}}}, "no list of texts"),
        ({"question": "?", "a": {"b": 1}}, {"reference": {"x": {"column": "a.b.c"}}}, r"no column a\.b\.c"),
        ({"question": "?", "a": [1]}, {"reference": {"x": {"column": "a.1"}}}, r"no column a\.1"),
        ({"question": "?", "a": datetime.date(2026, 1, 1)}, {"reference": {"x": {"column": "a"}}}, "reference"),
        ({"question": "?"}, {"id": "question", "name": "n" * 64, "prompt": "{id}"}, "there is no column id"),
        ({"c": "hello"}, {"prompt": None, "messages": "c"}, "column c is no list of messages"),
        ({"c": [{"from": "human", "value": "x"}]}, {"prompt": None, "messages": "c"}, "column c: role: Field required"),
        ({"c": [{"role": "assistant", "content": "x"}]}, {"prompt": None, "messages": "c"}, "the assistant's turn"),
        ({"question": "?", "i": "x" * 300}, {"id": "i"}, "id: String should have at most 200"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_with_its_source_and_column(row, options, message):
    with pytest.raises(ConfigError, match=rf"data source s|n+, split train, row 4: .*{message}"):
        task(row, **options)
    with pytest.raises(ConfigError, match=message):
        task(row, **options)


@pytest.mark.parametrize("value", ["hard", True, float("inf"), [1]])
def test_a_difficulty_that_is_no_number_is_refused(value):
    with pytest.raises(ConfigError, match=r"here: column level is .*, no number"):
        difficulty_of({"level": value}, "level", "here")
    assert difficulty_of({"level": 3}, "level", "here") == 3.0

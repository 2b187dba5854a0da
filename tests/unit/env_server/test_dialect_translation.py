import json

import numpy as np
import pytest

from env_server.dialects.translation import (
    completion_of,
    component_names,
    item_of,
    messages_of,
    plain,
    reference_of,
    without_end_marks,
)
from env_server.schemas import Item

MARKS = ("<|im_end|>", "</s>", "")


@pytest.mark.parametrize(
    ("label", "reference"),
    [
        ("4", {"answer": "4"}),
        ('{"answer": "4"}', {"answer": '{"answer": "4"}'}),
        ({"tests": [1], "answer": "4"}, {"tests": [1], "answer": "4"}),
        (["4", "four"], {"answer": ["4", "four"]}),
        ([4, 5], {"answer": "[4, 5]"}),
        (4, {"answer": "4"}),
        (0, {"answer": "0"}),
        (0.5, {"answer": "0.5"}),
        (True, {"answer": "true"}),
        ("é", {"answer": "é"}),
        (["é", 1], {"answer": '["é", 1]'}),
        ("", None),
        (None, None),
        ({}, None),
    ],
)
def test_a_label_is_the_answer_unless_it_is_an_object(label, reference):
    assert reference_of(label) == reference


def test_what_parquet_is_read_as_becomes_json():
    read = {
        "answer": np.array(["4", "four"]),
        1: (np.int64(3), np.float64(0.5)),
        "deep": np.array([{"a": np.bool_(1)}]),
    }
    assert json.loads(json.dumps(plain(read))) == {"answer": ["4", "four"], "1": [3, 0.5], "deep": [{"a": True}]}


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("4<|im_end|>", "4"),
        ("4</s><|im_end|></s>", "4"),
        ("4</s> ", "4</s> "),
        ("</s>4", "</s>4"),
        ("", ""),
        ("</s>", ""),
        ("4", "4"),
    ],
)
def test_the_tokens_that_ended_a_completion_are_no_part_of_it(text, rest):
    assert without_end_marks(text, MARKS) == rest


class Watched(str):
    """Counts how much of itself was copied."""

    copied = 0

    def __getitem__(self, key):
        found = super().__getitem__(key)
        Watched.copied += len(found)
        return found


def test_a_completion_of_end_marks_alone_is_copied_once():
    assert without_end_marks(Watched("x" + "</s>" * 500_000), MARKS) == "x"
    assert Watched.copied == 1


def test_a_conversation_is_scored_by_what_the_assistant_said_last_and_kept_whole():
    call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    said = [
        {"role": "assistant", "content": "I shall add", "tool_calls": [call], "odd": 1},
        {"role": "tool", "content": [{"type": "text", "text": "4"}, {"type": "image"}], "tool_call_id": "1"},
        {"role": "assistant", "content": "It is 4"},
        {"role": "assistant", "content": None},
    ]
    completion = completion_of(said)
    assert completion["text"] == "It is 4"
    assert completion["messages"][1] == {"role": "tool", "content": "4", "tool_call_id": "1"}
    assert Item.model_validate(item_of("math.v1", said[:1], completion, "4", "trl"))


def test_one_turn_is_a_text_and_no_trajectory():
    assert completion_of([{"role": "assistant", "content": "4"}]) == completion_of("4") == {"text": "4"}
    assert completion_of([]) == {"text": ""}


def test_the_same_question_has_the_same_task_id_and_another_label_another():
    ids = [item_of("math.v1", "2+2?", {"text": text}, label, "x")["task"]["id"] for text, label in ("aA", "bA", "bB")]
    assert ids[0] == ids[1] != ids[2]


def test_a_prompt_that_is_not_known_is_an_empty_message():
    assert messages_of(None) == [{"role": "user", "content": None}]
    Item.model_validate(item_of("math.v1", None, {"text": ""}, None, "x"))


def test_a_rewarder_that_stands_twice_has_two_names():
    assert component_names(["a", "b", "a", "a"]) == ["a", "b", "a#2", "a#3"]

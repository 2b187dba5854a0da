"""`layout.json`, `layout.pattern` and what their params refuse; the shared strict reader and schemas."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from rewarders.layout import JsonParams, PatternParams, json_value, pattern
from rewarders.patterns import find, hits
from rewarders.schemas import first_violation
from rewarders.strict_json import Flaw, NotStrictError, parse
from rewarders.types import Completion, Verdict


def json_of(text: str, **params: Any) -> Verdict:
    return json_value(Completion(text=text), None, JsonParams.model_validate(params))


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", Flaw.NOT_JSON), ("{} {}", Flaw.NOT_JSON), ("\ufeff{}", Flaw.NOT_JSON), ("{'a': 1}", Flaw.NOT_JSON),
        ('{"a": 1,}', Flaw.NOT_JSON), ('"\n"', Flaw.NOT_JSON), ("01", Flaw.NOT_JSON), ("１", Flaw.NOT_JSON),
        ('{"a": 1, "\\u0061": 2}', Flaw.DUPLICATE_KEY), ('[{"b": {"a": 1, "a": 1}}]', Flaw.DUPLICATE_KEY),
        ("NaN", Flaw.NOT_FINITE), ("-Infinity", Flaw.NOT_FINITE), ("1e999", Flaw.NOT_FINITE),
        ("9" * 5000, Flaw.NOT_FINITE),
        ("[" * 66 + "]" * 66, Flaw.TOO_DEEP), ('{"a":' * 5000 + "1" + "}" * 5000, Flaw.TOO_DEEP),
        (f"[{'1,' * 100_000}1]", Flaw.TOO_LARGE), ('"\\ud800"', Flaw.LONE_SURROGATE),
    ],
)  # fmt: skip
def test_what_is_not_strict_json_is_named(text: str, flaw: Flaw):
    with pytest.raises(NotStrictError) as caught:
        parse(text)
    assert caught.value.flaw is flaw


def test_marks_in_strings_are_no_values():
    assert parse('"' + ",:[{" * 100_000 + '"') == ",:[{" * 100_000


def test_evidence_points_into_both_the_value_and_the_schema():
    verdict = json_of(' {"a": [1, "b"]}', json_schema={"properties": {"a": {"items": {"type": "integer"}}}})
    assert verdict.evidence == {"span": [0, 16], "at": "/a/1", "rule": "/properties/a/items/type"}
    assert json_of("{} x").evidence == {"span": [0, 4], "offset": 3}


def test_the_value_may_stand_in_the_one_tag_or_fence_that_was_asked_for():
    assert json_of("<think>1</think>x <answer>2</answer>", tag="answer").evidence == {"span": [26, 27]}
    for fenced in ("```json\n{}\n```", "```JSON\n{}\n```", "~~~\n{}\n~~~"):
        assert json_of(fenced, fence=True).score == 1
    assert json_of("~~~\n{}\n```", fence=True).reason == "not_json"
    assert json_of("```json\n{}\n```\n```json\n{}\n```", fence=True).reason == "not_json"
    assert json_of("</answer>1<answer>", tag="answer").score == 0


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strin"}, {"pattern": "(?=a)"}, {"pattern": "("}, {"$ref": "#/$defs/none"}, 5, [],
        {"$ref": "https://example.org/a"}, {"$ref": "file:///etc/passwd"}, {"$schema": "https://example.org/meta"},
    ],
)  # fmt: skip
def test_a_schema_that_is_none_does_not_load(schema: Any):
    with pytest.raises(ValidationError):
        JsonParams(json_schema=schema)


def test_a_schema_says_what_it_objects_to_first():
    schema = {"$defs": {"id": {"type": "string", "pattern": "^(a+)+$"}}, "items": {"$ref": "#/$defs/id"}}
    assert first_violation(schema, ["aa", "a" * 50_000 + "b"]) is not None
    assert first_violation(schema, ["aa"]) is None


@pytest.mark.parametrize("wrong", ["(", "(?=a)", "(a)\\1", "", "[z-a]"])
def test_a_pattern_that_re2_refuses_does_not_load(wrong: str):
    with pytest.raises(ValidationError):
        PatternParams(must=(wrong,))


def test_offsets_of_a_match_count_characters_and_not_bytes():
    assert find("b+", "aé你bb") == (3, 5)
    assert list(hits(("x", "你", "b"), "aé你bb")) == [(1, (2, 3)), (2, (3, 4))]
    assert find("b", "\ud800b") == (1, 2)


def test_a_pattern_is_evidence_of_where_it_matched():
    text = Completion(text="so: 42!")
    assert pattern(text, None, PatternParams(must=("[0-9]+",))).evidence["found"] == [{"span": [4, 6]}]
    assert pattern(text, None, PatternParams(must_not=("x", "!"))).evidence == {"pattern": 1, "span": [6, 7]}
    assert pattern(text, None, PatternParams(whole="so.*")).score == 1
    assert pattern(text, None, PatternParams(whole="so")).score == 0


@pytest.mark.parametrize("model", [JsonParams, PatternParams])
def test_params_refuse_what_they_do_not_know(model: type[BaseModel]):
    with pytest.raises(ValidationError):
        model.model_validate({"must": ["a"], "schema": {}})

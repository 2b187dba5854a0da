"""docs/maths.md says what the verifier does: its examples are run, its lists complete, its bounds those of the code."""

import doctest
import json
import re
import tomllib
from pathlib import Path

import pytest

from rewarders.maths import Params, Reason, Rung, exact, normalise, numbers, parse, symbolic, tokens, unrolling, verify
from rewarders.text import Extractor
from rewarders.types import Verdict

DOCUMENT = (Path(__file__).parents[3] / "docs/maths.md").read_text("utf-8")
WORDS = " ".join(DOCUMENT.split())


def table(columns: str) -> list[dict[str, str]]:
    """The rows of the table with this header, without the marks of code."""
    head, rows = f"| {columns} |\n", []
    for line in DOCUMENT.partition(head)[2].splitlines()[1:]:
        if not line.startswith("| "):
            break
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        rows.append(dict(zip(columns.split(" | "), cells, strict=True)))
    return rows


EXAMPLES = table("reference | answer | params | score | reason | why")
LIMITS = table("reference | answer | reason | why")
SETTINGS = table("setting | default | what it asks for")


def judged(example: dict[str, str]) -> Verdict:
    params = Params.model_validate(json.loads(example.get("params") or "{}"))
    return verify(example["reference"], example["answer"], params)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: f"{each['reference']} is {each['answer']}")
def test_a_worked_example_is_judged_as_the_document_says(example: dict[str, str]) -> None:
    verdict = judged(example)
    assert (f"{verdict.score:g}", str(verdict.reason)) == (example["score"], example["reason"])


def test_the_examples_are_twenty_and_show_everything() -> None:
    verdicts = list(map(judged, EXAMPLES))
    assert len(verdicts) == 20
    assert sum(verdict.score == 0 for verdict in verdicts) >= 7
    assert sum(bool(example["params"]) for example in EXAMPLES) >= 2
    assert {verdict.reason for verdict in verdicts} == set(Reason)
    assert {verdict.evidence["rung"] for verdict in verdicts} == set(Rung)
    assert {verdict.evidence["extractor"] for verdict in verdicts} == set(Extractor)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda each: f"{each['reference']} and {each['answer']}")
def test_a_known_limit_is_still_what_the_document_says(limit: dict[str, str]) -> None:
    assert judged(limit).reason == limit["reason"]


def test_there_are_limits_to_run() -> None:
    assert len(LIMITS) > 10


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ("reason | score | when", list(Reason)),
        ("rung | what it reads", list(Rung)),
        ("extractor | what it finds", list(Extractor)),
        ("setting | default | what it asks for", list(Params.model_fields)),
    ],
)
def test_a_closed_list_is_told_in_full_and_in_order(columns: str, names: list[str]) -> None:
    assert [row[columns.partition(" ")[0]] for row in table(columns)] == names


def test_the_defaults_that_are_told_are_the_defaults() -> None:
    default = json.loads(Params().model_dump_json())
    words = {"all": [str(each) for each in Extractor], "none": None}
    for row in SETTINGS:
        told = row["default"]
        assert (words[told] if told in words else json.loads(told)) == default[row["setting"]]


def test_every_value_that_a_setting_can_have_is_told() -> None:
    row = {each["setting"]: f"{each['default']} {each['what it asks for']}" for each in SETTINGS}
    for name, field in Params.model_json_schema()["properties"].items():
        assert [value for value in field.get("enum", ()) if f'"{value}"' not in row[name]] == []


@pytest.mark.parametrize(
    ("bound", "what"),
    [
        (normalise.MAX_ANSWER_CHARS, "characters of answer"),
        (tokens.MAX_CHARS, "of a formula"),
        (tokens.MAX_TOKENS, "tokens"),
        (parse.MAX_DEPTH, "levels of nesting"),
        (numbers.MAX_DIGITS, "digits of a number"),
        (exact.MAX_BITS, "bits of a result"),
        (exact.MAX_FACTORIAL, "below a factorial"),
        (unrolling.MAX_TERMS, "terms of a sum"),
        (symbolic.MAX_NODES, "parts in a proof"),
    ],
)
def test_a_bound_that_is_told_is_the_bound(bound: int, what: str) -> None:
    assert f" {bound:,} {what}" in WORDS


def test_the_session_in_the_document_runs_as_it_is_printed() -> None:
    session = doctest.DocTestParser().get_doctest(DOCUMENT, {}, "maths.md", "docs/maths.md", 0)
    assert len(session.examples) > 3
    assert doctest.DocTestRunner().run(session).failed == 0


def test_the_rubric_in_the_document_has_settings_that_exist() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    for rubric in tomllib.loads(block)["rubrics"].values():
        for part in rubric["parts"]:
            assert Params.model_validate(part["params"]) != Params()

"""The closed syntax of citations, sentences and claims; the bugs of public citation parsers, one by one."""

from typing import Any

import pytest
from pydantic import ValidationError

from rewarders.citation import CoverageParams, IdsParams, Sources, coverage, ids
from rewarders.citation.claims import read
from rewarders.citation.marks import Flaw, Mark, marks
from rewarders.types import Completion, Verdict

THREE = Sources(sources={"1": "One is the first.", "2": "Two is the second.", "3": "Three is the third."})
NAMED = Sources(sources={"smith2020": "Smith wrote.", "doc-3": "A document."})


def found(text: str, sources: Sources = THREE) -> list[tuple[Any, ...]]:
    made = marks(text, sources.sources.keys(), numbered=sources.numbered)
    return [mark.ids or mark.flaw for mark in made]


def ids_of(text: str, **params: Any) -> Verdict:
    return ids(Completion(text=text), THREE, IdsParams.model_validate(params))


def coverage_of(text: str, **params: Any) -> Verdict:
    return coverage(Completion(text=text), THREE, CoverageParams.model_validate(params))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1]", [("1",)]), ("[1,2]", [("1", "2")]), ("[1, 3]", [("1", "3")]), ("[1][2]", [("1",), ("2",)]),
        ("[1, 1]", [("1",)]), ("word[2].", [("2",)]), ("[sic] [...] [ ] [see below]", []), ("a[1] = 3", []),
        ("a[1] == 3", [("1",)]), ("[1](https://example.org)", []), ("By [1]: it is", [("1",)]),
        ("[0, 1) [2, 3)", []),
        ("[the [1] one]", [("1",)]),
    ],
)  # fmt: skip
def test_a_citation_is_read_in_full(text: str, expected: list[tuple[str, ...]]):
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("[0]", Flaw.MALFORMED), ("[-1]", Flaw.MALFORMED), ("[01]", Flaw.MALFORMED), ("[1-3]", Flaw.MALFORMED),
        ("[1–3]", Flaw.MALFORMED), ("[1;2]", Flaw.MALFORMED), ("[1, ]", Flaw.MALFORMED), ("[ 1]", Flaw.MALFORMED),
        ("[1", Flaw.MALFORMED), ("[1, 2", Flaw.MALFORMED), ("[1 and more", Flaw.MALFORMED), ("[1\n]", Flaw.MALFORMED),
        ("[１]", Flaw.MALFORMED), ("［1］", Flaw.MALFORMED), ("【1】", Flaw.MALFORMED), ("[1］", Flaw.MALFORMED),
        ("[1.0]", Flaw.MALFORMED), ("[^1]", Flaw.MALFORMED), ("[٣]", Flaw.MALFORMED),
        ("[4]", Flaw.UNKNOWN_ID), ("[1, 4]", Flaw.UNKNOWN_ID), ("[999999]", Flaw.UNKNOWN_ID),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_citation_is_flawed_and_credits_nothing(text: str, flaw: Flaw):
    assert found(f"It is so {text}") == [flaw]
    assert ids_of(f"It is so {text}").reason == flaw
    assert coverage_of(f"It is so, as everybody knows {text}").score == 0


def test_a_named_source_is_cited_by_its_name_alone():
    assert found("[smith2020] [doc-3, smith2020]", NAMED) == [("smith2020",), ("doc-3", "smith2020")]
    assert found("[smith2021] [1] [Smith2020]", NAMED) == [Flaw.UNKNOWN_ID] * 3
    assert found("[smith2020 [sic] [x]", NAMED) == [Flaw.MALFORMED]


def test_ten_sources_can_all_be_cited():
    many = Sources.model_validate({"sources": [f"source {i}" for i in range(12)]})
    assert found("[12] [1, 10]", many) == [("12",), ("1", "10")]
    assert found("[13]", many) == [Flaw.UNKNOWN_ID]


def test_a_number_in_brackets_in_code_is_no_citation():
    assert ids_of("So it is [1].\n```\na[0] = a[9]\n```\nand `a[7]`.").evidence == {"citations": 1, "sentences": 1}


def test_three_marks_of_one_source_are_one_citation_of_its_sentence():
    assert ids_of("It is so [1][1][1].", max_per_sentence=1).score == 1
    assert ids_of("It is so [1][2].", max_per_sentence=1).reason == "too_many_in_a_sentence"


def test_an_answer_of_nothing_but_citations_is_empty():
    for text in ("", " \n", "[1]", "[1][2] [3].", "<think>It is so [1].</think>", "```\nIt is so [1].\n```"):
        assert ids_of(text, min_citations=0).reason == "empty"
        assert coverage_of(text).reason == "empty"


def test_evidence_points_at_the_first_flaw():
    verdict = ids_of("It is so [1], and so [9], and [0].")
    assert verdict.evidence == {"span": [21, 24], "text": "[9]"}


def test_repeating_a_sentence_neither_dilutes_nor_adds():
    assert coverage_of("It is one thing or so [1]. " * 50 + "It is another thing or so.").score == 0.5
    assert coverage_of("It is one thing or so. " * 50 + "It is another thing or so [1].").score == 0.5
    (claim,) = read("It is one thing [1]. It is one thing [2]. It is one thing.", THREE).claims(3)
    assert claim.ids == ("1", "2")


def test_a_mark_behind_the_stop_belongs_to_the_sentence_before_it():
    assert coverage_of("It is one thing or so. [1] It is another thing or so.").evidence["uncited"] == 1
    spans = coverage_of("It is one thing or so. [1] It is another thing or so.").evidence["first_uncited"]
    assert spans == [{"span": [27, 53]}]


@pytest.mark.parametrize(
    "sources", [[], {}, ["a", ""], {"a b": "c"}, {"": "c"}, {"[1]": "c"}, ["a", 2], "text", [" \n"]]
)
def test_sources_that_cannot_be_cited_are_refused(sources: Any):
    with pytest.raises(ValidationError):
        Sources.model_validate({"sources": sources})


def test_a_list_of_sources_is_numbered_from_one():
    assert Sources.model_validate({"sources": ["a", "b"]}).sources == {"1": "a", "2": "b"}
    assert Mark(0, 3, ("1",)).flaw is None

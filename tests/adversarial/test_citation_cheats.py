"""Ways to be paid for citing without having read, and ways to make checking expensive."""

import pytest
from counted_work import grows_no_faster_than_its_input

from rewarders.citation import (
    CopyingParams,
    CoverageParams,
    GroundedParams,
    GroundedReference,
    IdsParams,
    QuotesParams,
    Sources,
    copying,
    coverage,
    grounded,
    ids,
    quotes,
)
from rewarders.citation import quotations as quotations_module
from rewarders.citation.index import folded_sources
from rewarders.types import Completion

SOURCE = "The Elbe rose by 9.4 metres that August, and large parts of Dresden stood under water for days."
JUDGES = (
    (ids, IdsParams(), Sources),
    (coverage, CoverageParams(), Sources),
    (quotes, QuotesParams(), Sources),
    (copying, CopyingParams(), Sources),
    (grounded, GroundedParams(), GroundedReference),
)
HOSTILE = (
    "[1] ", "[1", "[", "[1]", "[0] ", '"', "“", "«", "> a\n", '"a" [1] ', "It is so. ", ". ", "\n\n", "```\n", "`",
    "He said so at length that day [1]. ", '"one quotation of some length" [1] ', "... ", "你好。", "\u200b", "a1 ",
    "'", "'a ", "dogs' ", "‘", '5" ', "''", "`a b c d e f` ", "~~~\na b c d e f\n", "# a\n", "a b c d e f ", "[1]: x\n",
    "<think>", "</think>", "Yes [1]. ", "「a」", '"a b c d e f g". ', "[a]: https://b\n", "\n\n[a]: /b\n", '"-" ',
    '"a" x [1] ',
)  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: judge[0].__name__)
def test_an_answer_four_times_as_long_costs_four_times_as_much(judge, unit: str):
    rewarder, params, reference = judge
    sources = reference.model_validate({"sources": [SOURCE]})
    assert grows_no_faster_than_its_input(
        lambda size: rewarder(Completion(text=unit * size), sources, params), 4000 // len(unit)
    )


@pytest.mark.parametrize("unit", ["a ", "word and word ", SOURCE, "一二三", "\n", '"', "é", "aab"])
@pytest.mark.parametrize("judge", JUDGES[2:], ids=lambda judge: judge[0].__name__)
def test_a_source_four_times_as_long_costs_four_times_as_much(judge, unit: str):
    rewarder, params, reference = judge
    answer = Completion(text='It "rose by 9.4 metres that August" [1], and that was the end of it for many.')

    def look(size: int) -> None:
        rewarder(answer, reference.model_validate({"sources": [unit * size + SOURCE]}), params)

    assert grows_no_faster_than_its_input(look, 20_000 // len(unit))


def test_ten_megabytes_of_sources_are_searched_once_for_each_quotation():
    sources = Sources.model_validate(
        {"sources": [f"{SOURCE} " * 60_000, f"{SOURCE} " * 45_000 + "The end of it all is here."]}
    )
    assert sum(map(len, sources.sources.values())) > 10_000_000
    answer = " ".join(f'In report {i} "large parts of Dresden stood under" [1].' for i in range(40))
    answer += ' At last "The end of it all is here" [2].'
    verdict = quotes(Completion(text=answer), sources, QuotesParams())
    assert verdict.score == 1
    places = [place["source_span"] for place in verdict.evidence["quotations"]]
    assert places[0] == [SOURCE.index("large"), SOURCE.index("large") + len("large parts of Dresden stood under")]
    assert folded_sources(sources) is folded_sources(sources.model_copy(deep=True)), "folded once for the whole group"
    assert len(verdict.evidence["quotations"]) <= quotations_module._LISTED


def test_more_quotations_than_anybody_looks_up_are_not_looked_up():
    text = " ".join(f'"large parts of Dresden {i}" [1]' for i in range(10_000))
    sources = Sources(sources={"1": SOURCE})
    assert quotes(Completion(text=text), sources, QuotesParams()).reason == "too_many_quotations"


@pytest.mark.parametrize(
    "text",
    [
        "[1] [1] [1]", "[1][2][3][4]", "", "[0]", "See [1, 2, 3, 4, 5].", "```\nThe Elbe rose by 9.4 metres [1].\n```",
        "<think>The Elbe rose by 9.4 metres that August [1].</think>", f"{SOURCE} [1]", f'"{SOURCE}" [1]',
        "The Elbe rose by 9.4 metres that August [1", "The Elbe rose by 9.4 metres that August ［1］.",
    ],
)  # fmt: skip
def test_citing_without_answering_earns_nothing(text: str):
    sources = GroundedReference.model_validate({"sources": [SOURCE] * 4})
    assert grounded(Completion(text=text), sources, GroundedParams()).score == 0


def test_stuffing_a_claim_with_every_word_of_a_source_does_not_pay_for_a_wrong_number():
    stuffed = "The Elbe rose by 7.4 metres that August, large parts of Dresden under water, days and days [1]."
    sources = GroundedReference.model_validate({"sources": [SOURCE]})
    assert grounded(Completion(text=stuffed), sources, GroundedParams()).score == 0


def test_an_answer_without_a_full_stop_is_not_one_claim():
    words_of_its_own = "".join(f" and then it rose for the time {i}" for i in range(200))
    text = f"The Elbe rose by 9.4 metres that August{words_of_its_own} in Dresden for days [1]."
    sources = GroundedReference.model_validate({"sources": [SOURCE]})
    assert grounded(Completion(text=text), sources, GroundedParams()).score < 0.1
    assert coverage(Completion(text=text), sources, CoverageParams()).score < 0.1


@pytest.mark.parametrize("marks", ["''", "‘’", "‹›", "’’", "‘'"])
def test_another_kind_of_quotation_mark_hides_no_invention(marks: str):
    text = (
        f"It says {marks[0]}everybody was evacuated to Leipzig{marks[1]} [1], which was the end of it for many people."
    )
    verdict = quotes(Completion(text=text), Sources(sources={"1": SOURCE}), QuotesParams(min_quotations=0))
    assert verdict.reason == "invented_quotation"


def test_a_piece_that_a_source_has_within_words_all_over_costs_no_more_the_longer_it_is():
    sources = Sources.model_validate({"sources": ["xab ab ab aby " * 100_000]})

    def look(size: int) -> None:
        text = f'It says "{"ab ab ab " * size}end of it" [1].'
        assert quotes(Completion(text=text), sources, QuotesParams()).reason == "invented_quotation"

    assert grows_no_faster_than_its_input(look, 100)

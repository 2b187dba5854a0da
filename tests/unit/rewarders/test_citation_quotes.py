"""`citation.quotes` and `citation.copying`: what is quoted is there, with offsets on both sides."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewarders.citation import CopyingParams, QuotesParams, Sources, copying, quotes
from rewarders.citation.index import copied_words
from rewarders.prose.folding import fold
from rewarders.prose.words import words
from rewarders.types import Completion, Verdict

FIRST = (
    "Der Fluß “Elbe” rose\nby 9.4\u00a0metres —  in August 2002, and ﬂooded large parts of Dresden. It was a wet year."
)
SECOND = "Radar gauges have measured the flow of the river since 1998, every fifteen minutes."
BOTH = Sources.model_validate({"sources": [FIRST, SECOND]})
FRAME = "This is what one reads there, and it is quite enough to know for anybody who asks: "


def quotes_of(text: str, sources: Sources = BOTH, **params: Any) -> Verdict:
    return quotes(Completion(text=text), sources, QuotesParams.model_validate(params))


def quoted(inside: str, mark: str = " [1]", marks: str = '""') -> str:
    return f"{FRAME}{marks[0]}{inside}{marks[1]}{mark}."


@pytest.mark.parametrize("marks", ['""', "“”", "„“", "„”", "””", "«»", "»«", "「」", "『』"])
def test_every_kind_of_quotation_mark_quotes(marks: str):
    assert quotes_of(quoted("flooded large parts of Dresden", marks=marks)).score == 1
    assert quotes_of(quoted("flooded small parts of Dresden", marks=marks)).reason == "invented_quotation"


@pytest.mark.parametrize(
    "text",
    [
        'x" "everybody was very happy about it" [1]', '" "everybody was very happy about it" [1]',
        'they said"everybody was very happy about it" [1]', '"everybody was very happy about it [1].',
        '"" "everybody was very happy about it" [1] "', "“everybody was very happy about it [1].", "everybody 」 was",
    ],
)  # fmt: skip
def test_a_stray_mark_does_not_turn_quotations_inside_out(text: str):
    assert quotes_of(FRAME + text, min_quotations=0).reason == "stray_quotation_mark"


def test_evidence_leads_to_the_quotation_in_both_texts():
    text = quoted("rose by 9.4 metres - in AUGUST 2002", marks="“”")
    (place,) = quotes_of(text).evidence["quotations"]
    assert text[slice(*place["span"])] == "“rose by 9.4 metres - in AUGUST 2002”"
    assert FIRST[slice(*place["source_span"])] == "rose\nby 9.4\u00a0metres —  in August 2002"


@settings(deadline=None, max_examples=60)
@given(st.integers(0, len(FIRST) - 30), st.integers(20, 60), st.integers(0, 40))
def test_every_piece_of_a_source_is_found_where_it_is(start: int, length: int, before: int):
    long = Sources.model_validate({"sources": ["x" * 100 * before + " " + FIRST]})
    piece = FIRST[start : start + length].replace("“", "").replace("”", "")
    if (
        "“" in FIRST[start : start + length]
        or "”" in FIRST[start : start + length]
        or len(fold(piece).strip(" ,.")) < 20
    ):
        return
    verdict = quotes_of(quoted(piece, marks="«»"), long)
    assert verdict.score == 1
    place = verdict.evidence["quotations"][0]["source_span"]
    assert fold(piece).strip(" ,.") == fold(long.sources["1"][slice(*place)]).strip(" ,.")


def test_a_quotation_counts_only_in_the_source_it_names():
    assert quotes_of(quoted("have measured the flow of the river", " [2]")).score == 1
    assert quotes_of(quoted("have measured the flow of the river", " [1]")).reason == "invented_quotation"
    assert quotes_of(quoted("have measured the flow of the river", " [1, 2]")).score == 1
    assert quotes_of(quoted("have measured the flow of the river", "")).reason == "unnamed_source"


def test_no_quotation_spans_two_sources():
    assert quotes_of(quoted("It was a wet year. Radar gauges have measured", " [1, 2]")).reason == "invented_quotation"


def test_what_is_left_out_is_marked_and_pieces_come_in_order():
    assert quotes_of(quoted("have measured the flow … every fifteen minutes", " [2]")).score == 1
    assert quotes_of(quoted("have measured the flow [...] every fifteen minutes", " [2]")).score == 1
    assert quotes_of(quoted("every fifteen minutes ... have measured the flow", " [2]")).score == 0
    assert quotes_of(quoted("Radar ... gauges ... flow ... minutes, all of them", " [2]")).score == 0


def test_fifty_repeats_of_one_true_quotation_do_not_pay_for_an_invented_one():
    true = quoted("flooded large parts of Dresden") + " "
    assert quotes_of(true * 40 + quoted("and nobody minded that at all")).reason == "invented_quotation"
    assert quotes_of(true * 40, min_quotations=2).reason == "too_few_quotations"
    assert quotes_of(true * 40).evidence["different"] == 1


def test_a_source_in_quotation_marks_is_no_answer():
    assert quotes_of(f"«{SECOND}» [2]").reason == "dumped_source"
    assert quotes_of(f"«{SECOND}» [2]", max_quoted=1).score == 1


def copies(text: str, **params: Any) -> Verdict:
    return copying(Completion(text=text), BOTH, CopyingParams.model_validate(params))


def test_words_are_copied_where_they_stand_in_a_long_run_of_a_source():
    spelled = words(fold("He says radar gauges have measured the flow of the river since 1998 or so"))
    assert copied_words(spelled, BOTH, 8) == [False] * 2 + [True] * 11 + [False] * 2
    assert copied_words(spelled, BOTH, 12) == [False] * len(spelled)
    assert copied_words([], BOTH, 8) == []


def test_a_run_across_the_blocks_that_a_long_source_is_read_in_is_seen():
    long = Sources.model_validate({"sources": ["ab cd " * 166_665 + SECOND + " ef gh" * 1000]})
    assert sum(copied_words(words(fold(SECOND)), long, 8)) == len(words(SECOND))


def test_a_verbatim_dump_is_a_copy_however_it_is_dressed():
    for text in (SECOND, SECOND.upper(), SECOND.replace(" ", " [1] "), f"> {SECOND}", SECOND.replace("e", "e\u00ad")):
        assert copies(text).reason == "dumped_source", text
    assert copies("One can read there how the flow has been measured [2].").score == 1


def test_a_run_that_ends_with_the_text_is_copied_to_its_last_word():
    text = "Many people say it was bad: since 1998, every fifteen minutes"
    assert copies(text, run_words=5).evidence == {"words": 11, "copied": 5}
    assert copies(text[:-6], run_words=5).evidence == {"words": 11, "copied": 0}

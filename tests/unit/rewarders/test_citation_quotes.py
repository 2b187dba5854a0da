"""`citation.quotes` and `citation.copying`: what is quoted is there, with offsets on both sides."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewarders.citation import CopyingParams, QuotesParams, Sources, copying, quotes
from rewarders.citation.index import copied_words
from rewarders.prose.folding import fold
from rewarders.prose.words import inside_a_word, words
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


@pytest.mark.parametrize(
    "marks", ['""', "“”", "„“", "„”", "””", "«»", "»«", "‹›", "「」", "『』", "''", "‘’", "‚‘", "’’"]
)
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


@settings(deadline=None, max_examples=100)
@given(st.integers(0, len(FIRST) - 30), st.integers(20, 60), st.integers(0, 40))
def test_every_piece_of_a_source_is_found_where_it_is_unless_it_cuts_a_word(start: int, length: int, before: int):
    long = Sources.model_validate({"sources": ["x" * 100 * before + " " + FIRST]})
    piece = FIRST[start : start + length]
    kept = fold(piece).strip(" ,;:.")
    if "“" in piece or "”" in piece or len(kept) < 20 or len(words(kept)) < 3:
        return
    verdict = quotes_of(quoted(piece, marks="«»"), long)
    at = fold(FIRST).index(kept)
    cuts = inside_a_word(fold(FIRST), at) or inside_a_word(fold(FIRST), at + len(kept))
    assert verdict.reason == ("invented_quotation" if cuts else "ok")
    if not cuts:
        place = verdict.evidence["quotations"][0]["source_span"]
        assert kept == fold(long.sources["1"][slice(*place)]).strip(" ,;:.")


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


def test_a_short_quotation_is_looked_up_whole_words_and_counts_as_none():
    assert quotes_of(quoted("in August 2002")).reason == "too_few_quotations"
    assert quotes_of(quoted("in August 2002"), min_quotations=0).score == 1
    assert quotes_of(quoted("in August 2003"), min_quotations=0).reason == "invented_quotation"
    assert quotes_of(quoted("in August 200"), min_quotations=0).reason == "invented_quotation"
    assert quotes_of(quoted("rose ... Dresden ... year"), min_quotations=0).reason == "invented_quotation"


@pytest.mark.parametrize(
    "text",
    [
        'There is a book, "Floods of the World", about it.',
        'You ask: "How high did the river rise in that year, and why?"',
        'It may be "" or the "-" sign or the " " sign.', "It lies at 51°03'00\"N 13°44'00\"E.",
    ],
)  # fmt: skip
def test_a_title_a_question_and_a_sign_are_no_quotations(text: str):
    assert quotes_of(f"{text} {quoted('flooded large parts of Dresden')}").score == 1


def test_a_short_quotation_that_names_no_source_is_in_one_of_them_at_least():
    assert quotes_of(quoted("in August 2002", ""), min_quotations=0).score == 1
    assert quotes_of(quoted("flow of the river", ""), min_quotations=0).score == 1
    assert quotes_of(quoted("everybody was happy", ""), min_quotations=0).reason == "invented_quotation"


def test_a_quotation_in_a_sentence_that_cites_is_in_what_it_cites():
    assert quotes_of('In [1] they say that "everybody was happy" then.').reason == "invented_quotation"
    assert quotes_of('They say "everybody was happy." [1] Really.').reason == "invented_quotation"


@pytest.mark.parametrize("text", ['x" "lies and nothing else" "y [1]', '" "lies and nothing else" " [1]'])
def test_signs_in_quotation_marks_hide_no_quotation(text: str):
    assert quotes_of(FRAME + text, min_quotations=0).score == 0


@pytest.mark.parametrize("term", ["huge", "wet wet", "a b c", "人工智能"])
def test_a_word_or_two_in_quotation_marks_is_no_quotation(term: str):
    assert quotes_of(quoted(term), min_quotations=0).score == 1


def test_an_invented_quotation_in_crumbs_of_three_words_is_invented():
    crumbs = 'They say "nobody was ever" and "told of it" and "until it was" and "far too late" [1].'
    assert quotes_of(crumbs, min_quotations=0).reason == "invented_quotation"


def test_a_quotation_that_begins_in_the_middle_of_a_number_is_not_there():
    source = Sources.model_validate({"sources": ["It rose by -9.4 metres in August of that year."]})
    assert quotes_of(quoted("9.4 metres in August of that"), source).reason == "invented_quotation"
    assert quotes_of(quoted("4 metres in August of that year"), source).reason == "invented_quotation"
    assert quotes_of(quoted("-9.4 metres in August of that"), source).score == 1


def test_inches_and_apostrophes_are_no_stray_marks():
    inches = quoted("flooded large parts of Dresden") + " A 5\" pipe and a 6” one burst; it's the residents' own fault."
    assert quotes_of(inches).score == 1


def test_a_dump_in_a_fence_is_a_copy():
    for fence in ("```", "```text", "~~~"):
        dump = f"This is what it says:\n{fence}\n{SECOND}\n{fence[:3]}"
        assert copies(dump).reason == "dumped_source"
        assert copies(dump.replace(" ", " [1] ")).reason == "dumped_source"
    assert copies(f"This is what it says: `{SECOND}`").reason == "dumped_source"

"""What a text quotes, told from apostrophes, inches and strays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewarders.prose.quoting import quotations, rewritten
from rewarders.prose.sentences import sentences
from rewarders.prose.words import inside_a_word, word_starts


def quoted(text: str) -> list[str]:
    return [text[one.inside_start : one.inside_end] for one in quotations(text).found]


@pytest.mark.parametrize(
    "text",
    [
        '"a b c"', "“a b c”", "„a b c“", "„a b c”", "”a b c”", "«a b c»", "»a b c«", "‹a b c›", "›a b c‹",
        "「a b c」", "『a b c』", "'a b c'", "‘a b c’", "‚a b c‘", "’a b c’", "‘a b c'", "``a b c''", "''a b c''",
        "＂a b c＂", "〝a b c〞", "｢a b c｣", "❝a b c❞",
    ],
)  # fmt: skip
def test_every_kind_of_mark_quotes(text: str):
    assert quoted(f"He said {text} [1].") == ["a b c"]
    assert quotations(f"He said {text} [1].").unpaired is None


@pytest.mark.parametrize(
    "text",
    [
        "it's what it's", "the '90s, the dogs' bowls", "rock 'n' roll and the dogs' bowls", "'tis so, the dogs' bowls",
        "l’eau et d’été", "in '02 the residents' houses", "f'(x) = g'(x)", "6' tall and 5' wide", "the ‘90s, it’s over",
    ],
)  # fmt: skip
def test_apostrophes_are_no_quotations(text: str):
    assert quotations(text) == ([], None)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("'it's the dogs' bowls, you know' [1]", "it's the dogs' bowls, you know"),
        ("‘it’s what they’d said’ [1]", "it’s what they’d said"),
        ("'large parts' [1] and the dogs' bowls", "large parts"),
        ('"a 5" pipe was laid" [1]', 'a 5" pipe was laid'),
        ('"rose by 9" [1], it says', "rose by 9"),
        ("“a 5” pipe was laid” [1]", "a 5” pipe was laid"),
        ('a 5" pipe and "a long one"', "a long one"),
        ("\"it's 'so' he said\"", "it's 'so' he said"),
    ],
)  # fmt: skip
def test_a_mark_that_is_an_apostrophe_or_an_inch_closes_no_quotation(text: str, inside: str):
    assert quotations(text).unpaired is None
    assert quoted(text) == [inside]


@pytest.mark.parametrize(
    ("text", "place"), [('a "', 2), ('said"so it is" then', 4), ("“a", 0), ("a」", 1), ('"a\n\nb"', 0), ("x» y", 1)]
)
def test_a_mark_that_opens_none_and_closes_none_is_pointed_at(text: str, place: int):
    assert quotations(text) == ([], place)


def test_two_quotations_around_an_inch_are_two():
    assert quoted('"rose by 9" and then "fell"') == ["rose by 9", "fell"]


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from("ab1s \n\"“”„«»'‘’‚`-"), max_size=40))
def test_quotations_come_in_order_and_rewriting_them_keeps_the_length(text: str):
    found = quotations(text).found
    ends = [place for one in found for place in (one.start, one.inside_start, one.inside_end, one.end)]
    assert ends == sorted(ends)
    assert all(one.inside_start < one.inside_end for one in found)
    assert len(rewritten(text, lambda one: "x" * len(one))) == len(text)


def test_a_stop_within_quotation_marks_of_any_kind_ends_no_sentence():
    for marks in ('""', "“”", "«»", "‘’", "''"):
        text = f"He said {marks[0]}It is. So it is.{marks[1]} Then he left."
        assert [text[start:end] for start, end in sentences(text)][1] == "Then he left."


def test_a_sentence_in_small_letters_ends_behind_a_citation_or_a_long_word():
    text = "it flooded everything. nobody knew [1]. then, e.g. here, it fell [2].So it was"
    assert [text[start:end] for start, end in sentences(text)] == [
        "it flooded everything.", "nobody knew [1].", "then, e.g. here, it fell [2].", "So it was",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "inside"), [("piano", [1, 2, 3, 4]), ("9.4 m", [1, 2]), ("-4", [1]), ("水上", []), ("a b", [])]
)
def test_an_offset_within_a_word_or_a_number_is_told_from_one_between_two(text: str, inside: list[int]):
    assert [at for at in range(len(text) + 1) if inside_a_word(text, at)] == inside


def test_words_begin_where_they_are_found():
    assert word_starts("It rose 9.4 m.") == [0, 3, 8, 12]

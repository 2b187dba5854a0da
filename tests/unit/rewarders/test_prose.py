from hypothesis import given, settings
from hypothesis import strategies as st

from rewarders.prose.blanking import said, without_code, without_formulas, without_thinking
from rewarders.prose.folding import fold, folded
from rewarders.prose.sentences import sentences
from rewarders.prose.words import words

TEXT = st.text(st.sampled_from("ab C\n\t\u00a0é\u0301ﬁ\u200b“'—½…「한ﷺ\u3000"), max_size=60)


def spoken(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text)]


def test_code_becomes_spaces_so_that_offsets_stay():
    text = "a `b` c\n```python\nd = 1\n```\ne ``f`g`` h"
    assert without_code(text) == "a     c\n         \n     \n   \ne ``f`g`` h"


def test_an_unclosed_fence_takes_all_that_follows():
    assert without_code("a\n```\nb\nc").strip() == "a"


def test_thinking_becomes_spaces_and_what_is_said_stays():
    assert without_thinking("<think>a</think>b</think>c<think>d") == " " * 16 + "b" + " " * 8 + "c" + " " * 8
    assert without_code(said("<think>`a`</think>`b` c")).strip() == "c"


def test_only_the_thinking_at_the_beginning_is_not_said():
    for text, shown in (
        ("<think>a</think>b", "b"), ("a</think>b", "b"), ("<think>a", ""),
        (" \n<think>a</think>b<think>c</think>d", "b c d"),
        ("a<think>b</think>c", "a b c"), ("a<think>b", "a b"), ("<think>a</think><think>b</think>c", "b c"),
        ("a</think>b</think>c", "b c"), ("The mark `<think>` opens.", "The mark `<think>` opens."),
    ):  # fmt: skip
        assert said(text).split() == shown.split()
        assert len(said(text)) == len(text)


def test_formulas_become_spaces_and_prices_stay():
    assert without_formulas(r"a $b$ \(c\) \[d\] $$e$$ 5$") == "a" + " " * 23 + "5$"
    assert without_formulas("it costs 5$.\nNo $") == "it costs 5$.\nNo $"


@settings(deadline=None)
@given(st.text(st.sampled_from("a`~$\\()[]\n<think>/ "), max_size=80))
def test_what_is_blanked_keeps_its_length_and_its_lines(text: str):
    for blank in (without_code, without_formulas, without_thinking):
        changed = blank(text)
        assert len(changed) == len(text)
        assert [at for at, c in enumerate(changed) if c == "\n"] == [at for at, c in enumerate(text) if c == "\n"]


def test_folding_forgets_typography_and_nothing_else():
    assert fold(" “Ｆｉｎｅ”—ﬁne\u00a0 é\u200b n°1 ") == '"fine"-fine e no1'.replace("no1", fold("n°1"))
    assert fold("Straße") == "strasse"
    assert fold("cafe\u0301") == fold("café") == "cafe"
    assert fold("한국어") == fold("\u1112\u1161\u11ab국어")
    assert fold("5 < 6") != fold("5 > 6")


@settings(deadline=None, max_examples=300)
@given(TEXT, st.integers(1, 50), st.data())
def test_every_piece_of_a_folded_text_leads_back_to_a_piece_that_folds_to_it(
    text: str, copies: int, data: st.DataObject
):
    long = folded(text * copies * 40)
    if not long.text:
        return
    start = data.draw(st.integers(0, len(long.text) - 1))
    end = data.draw(st.integers(start + 1, min(len(long.text), start + 30)))
    first, last = long.span(start, end)
    assert long.text[start:end].strip() in folded(long.original[first:last]).text
    assert fold(long.original) == long.text.strip()


def test_sentences_keep_their_citations_and_their_quotations():
    assert spoken('He rose. [1] "It is. So." [2] And 4.5 m, e.g. here [3]. 好。再见[1]。') == [
        "He rose. [1]", '"It is. So." [2]', "And 4.5 m, e.g. here [3].", "好。", "再见[1]。",
    ]  # fmt: skip


def test_lists_and_blank_lines_end_sentences_and_broken_lines_do_not():
    assert spoken("One goes\non\n\ntwo\n- three\n2) four") == ["One goes\non", "two", "- three", "2) four"]


def test_words_are_words_numbers_and_unspaced_characters():
    assert words("It's 1,000.5 m, -4 of 你好 1990-98.") == [
        "It", "s", "1,000.5", "m", "-4", "of", "你", "好", "1990", "98",
    ]  # fmt: skip

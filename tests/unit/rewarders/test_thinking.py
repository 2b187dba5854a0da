"""What of a completion is thinking, and what nobody sees."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewarders.prose.blanking import without_thinking
from rewarders.prose.invisible import is_visible, shows_anything, without_invisible
from rewarders.prose.thinking import answer_span, never_ends, thinking
from rewarders.text import after_thinking


@pytest.mark.parametrize(
    ("text", "said", "answer"),
    [
        ("b", "b", "b"), ("a</think>b", "b", "b"), ("<think>a</think>b", "b", "b"), ("<think>a", "", ""),
        ("<think>a<think>a</think>b", "b", "b"), ("<think>a</think>b<think>a", "b", "b"),
        ("b<think>a</think>c", "b c", "c"), ("<think>a</think>b<think>a</think>c", "b c", "c"),
        ("<think></think>b</think>c", "b c", "c"), ("a</think>b</think>c", "b c", "c"),
        ("<think>a</think>b</think>c<think>a", "b c", "c"),
    ],
)  # fmt: skip
def test_nothing_that_is_said_hides_behind_a_second_mark(text: str, said: str, answer: str):
    assert without_thinking(text).split() == said.split()
    assert after_thinking(text) == answer
    assert never_ends(text) == text.endswith(">a") or text.endswith("<think>a")


@pytest.mark.parametrize(
    "answer",
    [
        '{"a": "</think>", "b": "x <think> y"}', '["a \\"b\\" </think>"]', "The mark is `</think>`.",
        "It closes with '</think>'.", "It closes with “</think>”.", "```python\na = b.split('x</think>')[0]\n```",
        "```\nre.search(r'<think>(.*)</think>', a)\n```\nDone.",
    ],
)  # fmt: skip
def test_a_mark_that_is_only_mentioned_ends_and_opens_nothing(answer: str):
    for text in (answer, f"<think>so</think>{answer}", f"so</think>\n{answer}", f"<think>\nso\n</think>\n\n{answer}"):
        assert after_thinking(text).strip() == answer
        assert without_thinking(text).strip() == answer


@pytest.mark.parametrize(
    "thought", ["so\n```python\ncut off\n", 'he said "so', "see `</think>` there", "so `", "```\na\n```", "```\na\n"]
)
def test_thinking_ends_at_its_mark_whatever_it_left_open(thought: str):
    answer = "Here it is.\n```python\na = 1\n```"
    assert after_thinking(f"<think>{thought}</think>{answer}") == answer
    assert after_thinking(f"{thought}\n</think>\n{answer}").strip() == answer


MARKS = st.lists(st.sampled_from(["<think>", "</think>", "a", " ", "\n", "`", "```", '"', "\\"]), max_size=30)


@settings(deadline=None)
@given(MARKS)
def test_sections_are_in_order_and_what_is_not_in_them_is_all_that_is_said(pieces: list[str]):
    text = "".join(pieces)
    found = thinking(text)
    ends = [0, *(place for section in found for place in section), len(text)]
    assert ends == sorted(ends)
    start, end = answer_span(text)
    assert without_thinking(text)[start:end] == text[start:end]


def test_a_million_marks_are_read_once():
    for piece in ("<think>", "</think>", "`</think>` ", '"</think> ', "```\n</think>", "“</think>", ' "\\'):
        assert len(without_thinking(piece * 100_000)) == len(piece) * 100_000


def test_the_table_of_invisible_characters_is_that_of_unicode():
    drawn = {chr(code) for code in (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)}
    blank = set("\u2800\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\U00016fe4\U0001d159")
    for character in map(chr, range(0xE0000)):
        if unicodedata.category(character) in ("Cf", "Cc", "Cs"):
            expected = character in drawn
        else:
            expected = not (character.isspace() or character in blank)
        selects = "VARIATION SELECTOR" in unicodedata.name(character, "")
        reserved = character == "\u2065" or "\ufff0" <= character <= "\ufff8"
        formats = "\U00013430" <= character <= "\U0001343f"
        assert is_visible(character) == (expected and not (selects or reserved or formats)), hex(ord(character))
    assert not any(map(is_visible, map(chr, range(0xE0000, 0xE1000))))


def test_what_shows_nothing_is_no_text():
    assert not shows_anything(" \n\u200b\u2060\U000e0041\ufeff\u3164")
    assert shows_anything(" \u200b.")
    assert without_invisible("a\u200b\U0001d159 \nb") == "a \nb"

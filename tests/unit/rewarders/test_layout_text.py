"""`layout.language`, `layout.repetition`, `layout.sections` and `layout.characters`."""

import unicodedata
from typing import Any

import pytest

from rewarders.layout import (
    CharactersParams,
    LanguageParams,
    RepetitionParams,
    SectionsParams,
    TagsParams,
    characters,
    language,
    repetition,
    sections,
    tags,
)
from rewarders.types import Completion, Verdict


def language_of(text: str, *scripts: str, **params: Any) -> Verdict:
    return language(Completion(text=text), None, LanguageParams.model_validate({"scripts": scripts, **params}))


def repeats(text: str, **params: Any) -> Verdict:
    return repetition(Completion(text=text), None, RepetitionParams.model_validate(params))


def outlined(text: str, *headings: str, **params: Any) -> Verdict:
    return sections(Completion(text=text), None, SectionsParams.model_validate({"headings": headings, **params}))


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("abc абв", {"Latin": 3, "Cyrillic": 3}), ("かな カナ 漢字", {"Kana": 4, "Han": 2}), ("한국어", {"Hangul": 3}),
        ("αβ `αβ` $αβ$", {"Greek": 2}), ("`中文` $中文$", {"Han": 4}), ("<think>中</think>", {"Han": 1}),
        ("１２3 !?", {}), ("ｗｉｄｅ 𝐛old", {"Latin": 8}), ("ᚠ", {"other": 1}),
    ],
)  # fmt: skip
def test_letters_are_counted_by_script_and_names_in_code_are_not(text: str, counts: dict[str, int]):
    verdict = language_of(text, "Latin")
    assert verdict.evidence.get("by_script", {}) == counts
    assert verdict.score == pytest.approx(counts.get("Latin", 0) / max(1, sum(counts.values())))


def test_a_letter_of_each_script_is_found_in_it():
    names = {"Han": "CJK UNIFIED", "Kana": "HIRAGANA"}
    for script in LanguageParams.model_json_schema()["properties"]["scripts"]["items"]["enum"]:
        name = names.get(script, script.upper())
        letters = [chr(c) for c in range(0x41, 0xFFFF) if unicodedata.name(chr(c), "").startswith(f"{name} ")]
        letters = [letter for letter in letters if unicodedata.category(letter)[0] == "L"]
        assert language_of("".join(letters), script).score > 0.9, script


def test_thinking_and_answer_can_be_measured_apart():
    text = "<think>中文中文</think>English"
    assert language_of(text, "Han", part="thinking").score == 1
    assert language_of(text, "Latin", part="answer").score == 1
    assert language_of(text, "Latin").score == pytest.approx(7 / 11)


def test_a_loop_is_found_whatever_its_unit_and_wherever_it_is_cut_off():
    for unit in ("ab", "and so on, ", "哈哈笑", "\n- point\n", "x" * 300 + "y"):
        for cut in range(0, len(unit), max(1, len(unit) // 5)):
            text = "It begins well. " + (unit * 60)[: max(100, len(unit) * 6) + cut]
            assert repeats(text).reason == "loop_at_end", (unit[:10], cut)


def test_a_loop_is_found_before_a_last_line_and_points_at_its_unit():
    verdict = repeats("Well. " + "again and " * 10 + "\nSo the answer is 4.")
    assert verdict.reason == "loop_at_end"
    start, end = verdict.evidence["span"]
    assert end - start == verdict.evidence["unit_chars"] == 10


def test_what_is_long_and_new_is_fine_and_what_is_long_and_old_is_not():
    new = " ".join(f"In {1900 + i} they counted {i * i} of them near mile {i * 7}." for i in range(200))
    assert repeats(new, min_compressed=0.05).reason == "ok"
    assert repeats(f"{new} {new} {new} At last.").reason == "repeated_sequences"
    assert repeats("ab" + "".join(f"{i % 7}{'xyz'[i % 3]}" for i in range(3000)) + "!").reason == "compressible"


def test_headings_are_found_in_order_with_something_under_them():
    assert outlined("# A\nx\n## B:\ny", "a", "b").evidence == {"starts": [0, 6]}
    assert outlined("# A\n## B\ny\n# C\n", "A", "B", "C").evidence["heading"] == "c"
    assert outlined("# A\n```\n# B\n```", "A").score == 1
    assert outlined("# A\nx\n# A\ny", "A").reason == "duplicate_section"
    assert outlined("<think>long thoughts</think># A\nx", "A").score == 1


def test_tags_within_a_closed_fence_are_code():
    inside = "<think>a\n```\n</think><answer>b\n```\n</answer>"
    assert tags(Completion(text=inside), None, TagsParams()).reason == "in_code"
    assert tags(Completion(text=inside.replace("```", "`", 1)), None, TagsParams()).score == 1


@pytest.mark.parametrize(
    ("text", "reason", "span"),
    [
        ("a\u200bb", "invisible", [1, 2]), ("ab\u202e", "bidirectional", [2, 3]), ("\ue000", "private_use", [0, 1]),
        ("\U0010ffff", "private_use", [0, 1]), ("a\u2028b", "invisible", [1, 2]), ("x\ufe0f", "invisible", [1, 2]),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_pointed_at(text: str, reason: str, span: list[int]):
    verdict = characters(Completion(text=text), None, CharactersParams())
    assert (verdict.reason, verdict.evidence["span"]) == (reason, span)


def test_spelling_that_needs_joiners_passes_and_so_does_what_is_allowed():
    for text in ("👩‍👩‍👧", "❤️", "می‌خواهم", "क्‍ष", "\t\r\n", "1️⃣"):
        assert characters(Completion(text=text), None, CharactersParams()).score == 1, ascii(text)
    allowed = CharactersParams(allowed=("U+00AD",))
    assert characters(Completion(text="a\u00adb"), None, allowed).score == 1

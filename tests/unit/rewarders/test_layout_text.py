"""`layout.language`, `layout.repetition`, `layout.sections` and `layout.characters`."""

import json
import unicodedata
from typing import Any

import pytest

from rewarders.layout import (
    CharactersParams,
    JsonParams,
    LanguageParams,
    LengthParams,
    RepetitionParams,
    SectionsParams,
    TagsParams,
    characters,
    json_value,
    language,
    length,
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


@pytest.mark.parametrize(
    "filler", ["\u200b", "\u2060\ufeff", "\U0001bca0", "\U00016fe4", "\U000e0041", "\u3164", "\u2800"]
)
def test_what_shows_nothing_fills_no_section(filler: str):
    empty = Completion(text=f"<think>a</think><answer>{filler}</answer>")
    assert tags(empty, None, TagsParams()).reason == "empty_section"
    assert outlined(f"# A\n{filler}\n# B\nx", "A", "B").reason == "empty_section"
    padded = Completion(text=f"abc{filler * 20}   \n\n   def")
    assert length(padded, None, LengthParams(min_chars=8)).reason == "too_short"
    assert length(padded, None, LengthParams(min_chars=7)).reason == "ok"


@pytest.mark.parametrize("code", [0x1BCA0, 0x13430, 0x1D159, 0x16FE4, 0xE0041, 0xFE00, 0x2800, 0xFFF9, 0x1D173, 0x200B])
def test_characters_of_every_plane_that_show_nothing_are_found(code: int):
    verdict = characters(Completion(text=f"a{chr(code)}b"), None, CharactersParams())
    assert (verdict.reason, verdict.evidence["span"]) == ("invisible", [1, 2])


def test_symbols_and_ideographs_keep_the_selectors_that_unicode_gives_them():
    for text in ("↔️", "‼️", "⁉️", "〰️", "⤴️", "◾️", "ℹ️", "〽️", "邊\U000e0101", "神\ufe00", "葛\U000e0100飾区"):
        assert characters(Completion(text=text), None, CharactersParams()).score == 1, ascii(text)
    for text in ("a\U000e0101", "邊\U000e0101\U000e0102", "邊\U000e01ef", "神\ufe0f", "!\ufe0f", "↔️️"):
        assert characters(Completion(text=text), None, CharactersParams()).reason == "invisible", ascii(text)


def test_a_list_of_records_is_not_redundant_and_the_same_record_again_and_again_is():
    records = [{"identifier": i, "category": "measurement", "value": i * 7919 % 1000} for i in range(120)]
    assert repeats(json.dumps(records)).reason == "ok"
    assert repeats(json.dumps([{"identifier": 1, "category": "measurement"}] * 120)).score == 0


def test_a_heading_may_be_numbered():
    for written in ("## 1. Method", "## 1) Method", "## 2.1 Method", "## 2.1. Method:"):
        assert outlined(f"{written}\nx", "Method").score == 1, written
    assert outlined("## 1984\nx", "1984").score == 1
    assert outlined("## 10 rules\nx", "rules").reason == "missing_section"


@pytest.mark.parametrize(
    "filler", ["<!-- nothing -->", "-", "---", "* * *", "```\n```", "<!-- a\n\nb -->\n-", "<!-- b"]
)
def test_marks_and_comments_fill_no_section(filler: str):
    assert outlined(f"# A\n{filler}\n", "A").reason == "empty_section"


def test_what_a_comment_hides_is_no_heading_and_a_comment_in_code_is_shown():
    assert outlined("# A\nx\n<!--\n# B\ny\n-->", "A", "B").reason == "missing_section"
    assert outlined("# A\n```html\n<!-- x\n```\n# B\ny", "A", "B").score == 1
    for filler in ("<!--", "<!-- -->", "-->", "# A\n"):
        assert outlined(filler * 200_000, "B").reason == "missing_section"


def tagged(text: str) -> str:
    return "".join(chr(0xE0000 + ord(letter)) for letter in text) + "\U000e007f"


def test_the_flags_of_unicode_pass_and_a_text_in_tags_does_not():
    for region in ("gbeng", "gbsct", "gbwls"):
        flag = "\U0001f3f4" + tagged(region)
        assert characters(Completion(text=f"{flag}, {flag}{flag}"), None, CharactersParams()).score == 1
    for smuggled in (
        "\U0001f3f4" + tagged("gbxyz"),
        "a" + tagged("gbeng"),
        "\U0001f3f4" + tagged("gbeng") + tagged("x"),
    ):
        assert characters(Completion(text=smuggled), None, CharactersParams()).reason == "invisible"


SENTENCES = """The river rises in the mountains of the north. It is fed by snow and by rain.
Many people live along its banks today. They grow rice and wheat there every year.
The dam was built after the last flood. It gives power to all of the towns."""
PROGRAM = """from collections import Counter, OrderedDict, defaultdict, deque
def count(items: list[str], least: int = 2) -> dict[str, int]:
    counted = Counter(item for item in items if item)
    for name, number in sorted(counted.items()):
        if name in counted and number is not None and not name in items:
            return name if number else least
        while number: number -= 1
    return {name: number for name, number in counted.items() if number >= least}
SELECT name, price FROM products WHERE price IS NOT NULL ORDER BY price DESC
"""


@pytest.mark.parametrize("around", ["```\n{}\n```", "```text\n{}\n```", "`{}`", "${}$", "```python\n# {}\n```"])
def test_sentences_in_code_and_formulas_are_counted(around: str):
    for lines in (SENTENCES, SENTENCES.replace("\n", " ")):
        verdict = language_of("中" * 110 + "\n" + around.format(lines), "Han")
        assert verdict.score < 0.5, verdict.evidence
    assert language_of(f"It works.\n{around.format(SENTENCES)}", "Latin").score == 1


def test_a_program_is_not_counted_however_long():
    for program in (PROGRAM * 5, "x = compute(alpha, beta)\n" * 40):
        assert language_of(f"{'中' * 30}\n```python\n{program}```", "Han").score == 1
    assert language_of("中文 `from a import b` $a b c d e f g$ <answer>", "Han").score == 1


def test_a_megabyte_of_words_in_code_is_read_once():
    for filler in ("word ", "a", "for in ", "it's ", "a-", "中 "):
        assert language_of(f"```\n{filler * (1_000_000 // len(filler))}(\n```", "Han").score <= 1


@pytest.mark.parametrize(
    "rule", ["=" * 120, "-" * 200, "|---" * 40 + "|", "| :---: " * 30 + "|", "_" * 100, "* " * 60, "~" * 90, "─" * 150]
)
def test_what_is_drawn_with_signs_is_no_loop(rule: str):
    text = f"Results of the two runs, side by side.\n{rule}"
    assert repeats(text).reason == "ok"
    assert repeats(f"{text}\n| 1 | 2 |\n{rule}").reason == "ok"
    assert repeats(f"{text}{rule * 60}").reason == "loop_at_end"


def test_rules_between_paragraphs_do_not_make_a_text_redundant():
    part = "\n".join(
        f"{'=' * 100}\nPart {i}: {i * 7919 % 1000} of {i * 104729 % 997} came.\n{'-' * 100}" for i in range(9)
    )
    assert repeats(part).reason == "ok"


def test_a_value_counts_only_where_nothing_was_said_before_it():
    def reason_of(text: str) -> str:
        return json_value(Completion(text=text), None, JsonParams()).reason

    assert reason_of('<think>a</think>{"a": "</think>"}') == "ok"
    assert reason_of('{"a": "<think>"}') == "ok"
    for text in ("Sure: <think>a</think>{}", "<think>a</think>b<think>c</think>{}", "{}<think>a", "<think>{}"):
        assert reason_of(text) == "not_json"

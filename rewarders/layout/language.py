"""`layout.language`: the share of the letters that is in the scripts asked for.

What goes wrong when a model that reasons is trained is that it changes scripts: English that slides into Chinese, or
the other way round. Scripts can be counted exactly, by anybody, in one pass. Languages that share a script, as English
and German do, are not told apart. DeepSeek-R1 (arXiv:2501.12948) rewards the same share, of words.
"""

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from rewarders.prose.blanking import only_thinking, without_code, without_formulas, without_thinking
from rewarders.registry import rewarder
from rewarders.types import Completion, Verdict

_RANGES = {
    "Latin": ((0x41, 0x5A), (0x61, 0x7A), (0xAA, 0xAA), (0xBA, 0xBA), (0xC0, 0x2B8), (0x1D00, 0x1DBF), (0x1E00, 0x1EFF),
              (0x2C60, 0x2C7F), (0xA722, 0xA7FF), (0xAB30, 0xAB6F), (0xFB00, 0xFB06), (0xFF21, 0xFF5A)),
    "Greek": ((0x370, 0x3FF), (0x1F00, 0x1FFF)),
    "Cyrillic": ((0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF), (0xA640, 0xA69F)),
    "Armenian": ((0x530, 0x58F), (0xFB13, 0xFB17)),
    "Hebrew": ((0x590, 0x5FF), (0xFB1D, 0xFB4F)),
    "Arabic": ((0x600, 0x6FF), (0x750, 0x77F), (0x870, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC)),
    "Devanagari": ((0x900, 0x97F), (0xA8E0, 0xA8FF)),
    "Bengali": ((0x980, 0x9FF),),
    "Gurmukhi": ((0xA00, 0xA7F),),
    "Gujarati": ((0xA80, 0xAFF),),
    "Tamil": ((0xB80, 0xBFF),),
    "Telugu": ((0xC00, 0xC7F),),
    "Kannada": ((0xC80, 0xCFF),),
    "Malayalam": ((0xD00, 0xD7F),),
    "Thai": ((0xE00, 0xE7F),),
    "Georgian": ((0x10A0, 0x10FF), (0x1C90, 0x1CBF), (0x2D00, 0x2D2F)),
    "Ethiopic": ((0x1200, 0x139F), (0x2D80, 0x2DDF), (0xAB00, 0xAB2F)),
    "Khmer": ((0x1780, 0x17FF),),
    "Hangul": ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF)),
    "Kana": ((0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9D)),
    "Han": ((0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF)),
}  # fmt: skip
_BLOCKS = sorted((first, last, script) for script, blocks in _RANGES.items() for first, last in blocks)
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9_-]{0,63}>")
_FIRSTS = [first for first, _, _ in _BLOCKS]
_ROW = re.compile(r"(?<![\w.])[^\W\d_]++(?:['’-][^\W\d_]++)*+(?:[ \t]++[^\W\d_]++(?:['’-][^\W\d_]++)*+)*+")
"""Words with nothing but spaces between them."""
_ROW_WORDS = 5
_KEYWORDS = frozenset([
    "and", "as", "asc", "assert", "async", "await", "break", "by", "case", "class", "const", "def", "default", "del",
    "desc", "do", "elif", "else", "end", "enum", "except", "extends", "final", "finally", "fn", "for", "from",
    "function", "global", "group", "if", "implements", "import", "in", "int", "interface", "into", "is", "join",
    "lambda", "let", "limit", "match", "new", "nonlocal", "not", "null", "or", "order", "pass", "private",
    "protected", "public", "raise", "return", "select", "set", "static", "struct", "throw", "try", "type", "union",
    "using", "var", "void", "when", "where", "while", "with", "yield",
])  # fmt: skip
"""Of which lines of a program consist, in the order of words of a sentence."""
_MATHEMATICAL = frozenset(["Latin", "Greek"])
"""In code, formulas and tags the letters of these are names and not words, unless they read like prose. Letters of any
other script count there too: otherwise that is where a model would put them."""

Script = Literal[
    "Latin", "Greek", "Cyrillic", "Armenian", "Hebrew", "Arabic", "Devanagari", "Bengali", "Gurmukhi", "Gujarati",
    "Tamil", "Telugu", "Kannada", "Malayalam", "Thai", "Georgian", "Ethiopic", "Khmer", "Hangul", "Kana", "Han",
]  # fmt: skip


class LanguageReason(StrEnum):
    """Why a verdict of `layout.language` is what it is."""

    MEASURED = "measured"
    """The score is the share of the letters that is in the scripts asked for."""
    TOO_FEW_LETTERS = "too_few_letters"
    """There is not enough to measure. Scores 0."""


class LanguageParams(BaseModel):
    """Settings of `layout.language`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scripts: Annotated[tuple[Script, ...], Field(min_length=1)] = ("Latin",)
    """What the text has to be in: `["Han"]` for Chinese, `["Han", "Kana"]` for Japanese, `["Hangul"]` for Korean. Add
    `"Latin"` where foreign names are fine, though then text that is all English is fine too."""
    part: Literal["all", "thinking", "answer"] = "all"
    """Which part of the completion is measured: its thinking, all else, or both."""
    min_letters: Annotated[int, Field(ge=1)] = 1


_PARTS: dict[str, Callable[[str], str]] = {"all": str, "thinking": only_thinking, "answer": without_thinking}


@rewarder("layout.language", version="1.1", params=LanguageParams)
def language(completion: Completion, reference: None, params: LanguageParams) -> Verdict:
    """The share of the completion's letters that is in the scripts asked for; give the part a threshold."""
    counts = _counted(_PARTS[params.part](completion.text), params.scripts)
    total = counts.total()
    evidence: dict[str, JsonValue] = {"letters": total, "by_script": {**dict(counts.most_common(8))}}
    if total < params.min_letters:
        return Verdict(score=0.0, reason=LanguageReason.TOO_FEW_LETTERS, evidence=evidence)
    share = sum(counts[script] for script in params.scripts) / total
    return Verdict(score=share, reason=LanguageReason.MEASURED, evidence=evidence)


def _counted(text: str, wanted: tuple[Script, ...]) -> Counter[str]:
    """How many letters there are of each script, but for names in code, formulas and tags.

    Prose in code earns nothing: it is counted where its script is not the wanted one.
    """
    everywhere = _by_script(text)
    prose = _TAG.sub(_blank, without_formulas(without_code(text)))
    if prose == text:
        return everywhere
    told, hidden = _by_script(prose), _by_script(" ".join(_prose_in_code(text, prose)))
    for script in _MATHEMATICAL:
        everywhere[script] = told[script] + (0 if script in wanted else hidden[script])
    return +everywhere


def _prose_in_code(text: str, prose: str) -> Iterator[str]:
    """What reads like prose where prose is blank: five words in a row, fewer than two in five of them keywords."""
    for row in _ROW.finditer(text):
        if prose[row.start() : row.end()].isspace():
            spelled = [word for word in row[0].split() if len(word) > 1]
            keywords = sum(word.lower() in _KEYWORDS for word in spelled)
            if len(spelled) >= _ROW_WORDS and 5 * keywords < 2 * len(spelled):
                yield row[0]


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _by_script(text: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for character, count in Counter(text).items():
        if script := _script(character):
            counts[script] += count
    return counts


@lru_cache(maxsize=8192)
def _script(character: str) -> str:
    """The script of a letter, `other` for one that is not in the table; empty for what is no letter."""
    if not character.isalpha():
        return ""
    block = bisect_right(_FIRSTS, ord(character)) - 1
    if block >= 0 and ord(character) <= _BLOCKS[block][1]:
        return _BLOCKS[block][2]
    plain = unicodedata.normalize("NFKC", character)
    return _script(plain) if len(plain) == 1 and plain != character else "other"

"""Completions that announce nothing: the answer is the last value of the last sentence that has one.

One guess, made without knowing the reference. What leaves open which value is meant ("4, or maybe 5") or changes it
("at most 42") stays in the answer, so that it is no clean value any more.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rewarders.extraction.formulas import Formula, find_formulas, stated_part
from rewarders.extraction.languages import (
    FUNCTIONS_OF,
    HEDGES,
    JOINERS,
    OPENERS,
    QUALIFIERS,
    QUALIFIERS_BESIDE,
    QUANTITIES,
)
from rewarders.extraction.values import find_values

_TAIL_CHARS = 8_192
_TAG = re.compile(r"</?[A-Za-z_]{2,20}>|<\|[^<>|\n]{1,40}\|>")
_MASK = "\ue000"
"""Stands in for every character of a formula, so that the sentence around it can be read."""

_BOLD = re.compile(r"\*\*(?=[^\s*])([^*\n]{1,200})(?<![:：])\*\*(?!\s{0,2}[:：])")
_EMPHASISED_END = re.compile(r"[^\W\d_]{2,30}[\s:]{1,3}\*\*([^*\d\n]{1,40})(?<![:：])\*\*[.!。]?\s{0,4}$")
_EMPHASISED_CHARS = 120
_SENTENCE_END = re.compile(
    r"(?<![ap]\.m)[.!?](?=[\s\"'*)\]]|$)|[。！？।؟]|(?<!\d)\n|\n(?!\s{0,8}-?[\d.,]{1,40}\s{0,8}(?:\n|$))"
)
"""Lines of nothing but a number, one below the other, are one list."""

_LIST_MARK = re.compile(r"\s{0,8}(?:\d{1,3}[.)]|[-+•])\s")
_NAME = re.compile(r"\s*(?:\\?[A-Za-z]+(?:_\{?\w+\}?|')?(?:\([A-Za-z]\))?|\\[a-z]+\{[A-Z]+\})\s*")
_SPACED = r"(?:['’][^\W\d_]{1,3})?[\s,،:\"“”$?!]{1,4}"
_WORDS = re.compile(
    rf"[^\W\d_]{{2,30}}{_SPACED}(?:[^\W\d_]{{2,30}}{_SPACED}){{2}}"
    rf"|(?:[\u0400-\u0dff]{{2,30}}{_SPACED}){{2}}"
    r"|[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]{2}"
    rf"|^\s*(?:{'|'.join(OPENERS)})(?!\w)",
    re.IGNORECASE,
)
"""Three words in a row, two in Cyrillic, Arabic or Indian scripts, two signs in Chinese, Japanese or Korean."""

_NO_WORDS = re.compile(r"\\(?:text|textbf|mathrm|mbox)\s?\{[^{}]*\}|\\[A-Za-z]+")


def _any_of(words: Sequence[str]) -> str:
    ordered = sorted(words, key=len, reverse=True)
    return "|".join(re.escape(word) if _is_unspaced(word) else rf"(?<!\w){re.escape(word)}(?!\w)" for word in ordered)


def _is_unspaced(word: str) -> bool:
    return "\u3040" <= word[0] <= "\u9fff" or word in ("n't", "n’t")


_HEDGE = re.compile(_any_of(HEDGES), re.IGNORECASE)
_JOIN = re.compile(rf"(?:[\s,;*/()&$.\\]|{_any_of(JOINERS)})*", re.IGNORECASE)
_QUALIFIER = re.compile(rf"(?:{_any_of(QUALIFIERS)})(?:\s+[^\W\d_]+){{0,2}}[\s*(]*$", re.IGNORECASE)
_BESIDE = re.compile(rf"(?:{_any_of(QUALIFIERS_BESIDE)})(?:\s+(?:the|a|an))?[\s*(]*$", re.IGNORECASE)
_OF = re.compile(
    r"(?P<noun>[^\W\d_]+|(?:\d[\d.,]{0,9} ?)?%)\s+of"
    r"(?:\s+(?:the|these|those|about|exactly|only|just|approximately))?[\s*(:]*$",
    re.IGNORECASE,
)
_BY_A, _ARTICLE = re.compile(r"\bby an?\s+$"), re.compile(r"\ban?\s+(?:[^\W\d_]+\s+){0,2}$")
_QUALIFIER_CHARS = 48
_OF_FRACTION = re.compile(r"\s(?:mod|modulo|(?:in|out of|of|per|for)(?: every| each)?)\s", re.IGNORECASE)
_OPERATION = re.compile(
    r"\s(?:mod|modulo|divided by|multiplied by|times|plus|minus|over|less|to the|choose|factorial)\s", re.IGNORECASE
)
_BARE_NUMBER = re.compile(r"\d[\d.,]{0,20}")
_CERTAINTY = re.compile(r"\d{1,3}(?:\.\d{1,3})? ?\\?%\s(?:sure|certain|confident|positive)\b")
_NO_CHANGE = "+=<>|~∴∵"


@dataclass(frozen=True, slots=True)
class Value:
    """A value at `start` and `end` of the text, and what it says."""

    start: int
    end: int
    says: str
    is_formula: bool = False
    is_bold: bool = False


def prose(text: str) -> Sequence[str]:
    """The value that a text without any mark closes with."""
    emphasised = _EMPHASISED_END.search(text[-_EMPHASISED_CHARS:])
    answer = emphasised[1] if emphasised else closing_statement(text)
    return (answer,) if answer else ()


def is_sentence(text: str) -> bool:
    """Whether a value in this text is told in words, which stand before it."""
    if len(text) > _TAIL_CHARS:
        return False
    if _EMPHASISED_END.search(text[-_EMPHASISED_CHARS:]):
        return True
    masked = _masked(_NO_WORDS.sub(lambda found: " " * len(found[0]), text), find_formulas(text))
    last_value = max((place for place, char in enumerate(masked) if char == _MASK or char.isdigit()), default=0)
    return _WORDS.search(masked, 0, last_value) is not None


def closing_statement(text: str, *, only: bool = False) -> str | None:
    """The answer of the last sentence with a value; with `only`, None if other sentences have values too."""
    told = _Told.of(text)
    stating = (values for span in told.sentences if (values := told.values(*span)))
    last = next(stating, None)
    if last is None or (only and any(stating)) or (told.is_cut and last[0].start == 0):
        return None
    return told.answer(last)


@dataclass(frozen=True, slots=True)
class _Told:
    """The end of a text; in `masked`, which is as long, formulas are a run of one character and bold marks blank."""

    text: str
    masked: str
    formulas: Sequence[Formula]
    bold: Sequence[re.Match[str]]
    is_cut: bool

    @classmethod
    def of(cls, text: str) -> "_Told":
        is_cut = len(text) > _TAIL_CHARS
        tail = _CERTAINTY.sub(_blank, _TAG.sub(_blank, text[-_TAIL_CHARS:]))
        formulas = find_formulas(tail)
        masked = _masked(tail, formulas)
        bold = list(_BOLD.finditer(masked))
        return cls(tail, masked.replace("**", "  "), formulas, bold, is_cut)

    @property
    def sentences(self) -> Iterator[tuple[int, int]]:
        """Their spans, the last one first, without the mark of a list before them."""
        ends = [0, *(end.end() for end in _SENTENCE_END.finditer(self.masked)), len(self.masked)]
        for start, end in reversed(list(pairwise(ends))):
            mark = _LIST_MARK.match(self.masked, start, end)
            if mark is None or mark.end() < end:
                yield (mark.end() if mark else start), end

    def values(self, start: int, end: int) -> list[Value]:
        """What a sentence says, in order; formulas that are mere names only if there is nothing else."""
        found = [
            Value(f.start, f.end, stated_part(f.inside), True, self._is_bold(f.start, f.end))
            for f in self.formulas
            if start <= f.start < end
        ]
        for first, last in find_values(self.masked[start:end]):
            first, last = start + first, start + last
            found.append(Value(first, last, self.text[first:last].strip("* "), False, self._is_bold(first, last)))
        found.sort(key=lambda value: value.start)
        return [value for value in found if not (value.is_formula and _NAME.fullmatch(value.says))] or found

    def _is_bold(self, start: int, end: int) -> bool:
        return any(bold.start() < start and end <= bold.end() for bold in self.bold)

    def answer(self, values: Sequence[Value]) -> str:
        """The last bold value, or else the last one, with all that belongs to it.

        That is what stands beside it or is offered instead of it, and the words that change it.
        """
        bold = [place for place, value in enumerate(values) if value.is_bold]
        first = last = (bold or range(len(values)))[-1]
        while first and self._is_joined(values[first - 1], values[first]):
            first -= 1
        while last < len(values) - 1 and self._is_joined(values[last], values[last + 1]):
            last += 1
        start, end = values[first].start, values[last].end
        qualifier = self._qualifier(values[first - 1].start if first else 0, start)
        return self.text[start - len(qualifier) : end].strip() if qualifier or first < last else values[last].says

    def _qualifier(self, start: int, end: int) -> str:
        before = self.masked[max(start, end - _QUALIFIER_CHARS) : end].rpartition(_MASK)[2]
        found = _QUALIFIER.search(before) or _BESIDE.search(before)
        return found[0] if found else _changing_sign(before) or _of_another(before)

    def _is_joined(self, left: Value, right: Value) -> bool:
        gap = self.masked[left.end : right.start]
        if _OPERATION.fullmatch(gap) or (_OF_FRACTION.fullmatch(gap) and _BARE_NUMBER.fullmatch(left.says)):
            return True
        return _JOIN.fullmatch(gap) is not None or _HEDGE.search(gap) is not None


def _blank(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _changing_sign(before: str) -> str:
    """A sign such as that of negation which touches the value; arrows only lead to it."""
    sign = before[-1:]
    is_arrow = "\u2190" <= sign <= "\u21ff" or "\u27f0" <= sign <= "\u27ff"
    return sign if sign and unicodedata.category(sign) == "Sm" and sign not in _NO_CHANGE and not is_arrow else ""


def _of_another(before: str) -> str:
    """The words of `the cosine of` and the like, which make of the value another one."""
    found = _OF.search(before)
    if found is None:
        return ""
    noun, article = found["noun"].lower(), before[: found.start()].lower()
    if noun in QUANTITIES or _BY_A.search(article) or (noun not in FUNCTIONS_OF and _ARTICLE.search(article)):
        return ""
    return found[0]


def _masked(text: str, formulas: Sequence[Formula]) -> str:
    parts, at = [], 0
    for formula in formulas:
        parts += [text[at : formula.start], _MASK * (formula.end - formula.start)]
        at = formula.end
    return "".join(parts) + text[at:]

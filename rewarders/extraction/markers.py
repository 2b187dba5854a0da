"""Answers that are announced: `<answer>` tags, `####`, a label (`Answer:`, `答案：`) or "the answer is ..."."""

import re
from collections.abc import Sequence

from rewarders.extraction.languages import ANSWER_NOUNS, IS, IS_UNSPACED, UNSPACED_ANSWER_NOUNS
from rewarders.extraction.prose import closing_statement, is_sentence

_TAIL_CHARS = 65_536
"""Answer lines and phrases are looked for only this near to the end."""


def _either(words: Sequence[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


_NOUN = f"(?:{_either(ANSWER_NOUNS)})"
_UNSPACED_NOUN = f"(?:{_either(UNSPACED_ANSWER_NOUNS)})"
_LABELS = (
    re.compile(rf"\b{_NOUN}\b\W{{0,6}}?[:：]", re.IGNORECASE),
    re.compile(rf"{_UNSPACED_NOUN}[*\s]{{0,4}}[:：]"),
    re.compile(r"^\W{0,6}A[:：](?![^\n]*\n\W{0,6}B[:：])", re.MULTILINE),
    re.compile(
        rf"^\W{{0,6}}(?:the\s|final\s){{0,2}}{_NOUN}[ \t]{{1,4}}(?=[-+\d.$\\(\[{{])", re.IGNORECASE | re.MULTILINE
    ),
    re.compile(rf"^[^\w\n]{{0,6}}{_UNSPACED_NOUN}[ \t]{{0,4}}(?=[-+\d.$\\(\[{{])", re.MULTILINE),
)
"""`A:` with a `B:` on the next line is the first of several choices."""

_PHRASES = (
    re.compile(rf"\b{_NOUN}\s{{1,4}}(?:{_either(IS)})(?!\w)", re.IGNORECASE),
    re.compile(rf"{_UNSPACED_NOUN}\s{{0,2}}(?:{_either(IS_UNSPACED)})"),
)
_SENTENCE_END = re.compile(r"[.!?](?=[\s\"'*]|$)|[。！？।؟]|\n")
_VALUE_START = re.compile(r"[-+\d.$\\(\[{]")
_QUOTES = re.compile(r"^\s{0,4}\\?[\"“]|\\?[\"”]$")
_DISPLAY = {"$$": "$$", r"\[": r"\]"}
_CORRECTION = re.compile(
    r"[\s.*]{0,4}(?:or|maybe|perhaps|possibly|alternatively|actually|wait|no)\b[^\n]{0,200}", re.IGNORECASE
)


def tagged(text: str) -> Sequence[str]:
    """What the last pair of `<answer>` tags holds."""
    end = text.rfind("</answer>")
    start = text.rfind("<answer>", 0, end) if end >= 0 else -1
    if start < 0:
        return ()
    inside = text[start + len("<answer>") : end]
    return phrased(inside) or (inside,)


def hashed(text: str) -> Sequence[str]:
    """The last line that follows `####`."""
    _, hashes, rest = text[-_TAIL_CHARS:].rpartition("####")
    answer, _, after = rest.strip(" \t").partition("\n")
    if not hashes or not answer.strip():
        return ()
    heads_nothing = not after.strip()
    reads_as_value = _VALUE_START.match(answer) is not None and len(answer.split()) <= 2
    return (answer,) if heads_nothing or reads_as_value else ()


def labelled(text: str) -> Sequence[str]:
    """The line after the last label; of a sentence there its value."""
    tail = text[-_TAIL_CHARS:]
    labels = [label.end() for pattern in _LABELS for label in pattern.finditer(tail)]
    if not labels:
        return ()
    answer = _first_line(tail[max(labels) :])
    return phrased(answer) or ((_value_of(answer),) if answer else ())


def phrased(text: str) -> Sequence[str]:
    """What follows the last "the answer is", to the end of the sentence."""
    tail = text[-_TAIL_CHARS:]
    phrases = [phrase.end() for pattern in _PHRASES for phrase in pattern.finditer(tail)]
    if not phrases:
        return ()
    rest = tail[max(phrases) :].lstrip(" \t\n:*：")
    end = _SENTENCE_END.search(rest)
    answer = rest[: end.start()] if end else rest
    if end and (correction := _CORRECTION.match(rest, end.end())):
        answer = rest[: correction.end()]
    answer = _QUOTES.sub("", answer)
    return (_value_of(answer),) if answer.strip() else ()


def _first_line(text: str) -> str:
    rest = text.lstrip(" \t\n*:：")
    if (closing := _DISPLAY.get(rest[:2])) and (end := rest.find(closing, 2)) > 0:
        return rest[: end + 2]
    return rest.partition("\n")[0].rstrip(" \t\r*")


def _value_of(answer: str) -> str:
    return closing_statement(answer, only=True) or answer if is_sentence(answer) else answer

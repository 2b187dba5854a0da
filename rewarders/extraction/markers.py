"""Answers that are announced: `<answer>` tags, `####`, a label (`Answer:`, `答案：`) or "the answer is ..."."""

import re
from collections.abc import Sequence

from rewarders.extraction.announced import Announced, says_no_more, says_value
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
    re.compile(
        rf"^[^\w\n]{{0,6}}(?:(?:the|my|correct|final)[ \t]){{0,3}}{_NOUN}[^\w\n$\\(\[]{{0,6}}\n\s{{0,4}}"
        r"(?=[-+\d.$\\(\[{*])(?!\d{1,3}[.)]\s|[-+*]\s)",
        re.IGNORECASE | re.MULTILINE,
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
_FILLING = re.compile(
    r"\s{0,4}(?:(?:indeed|still|therefore|thus|hence|then|clearly|simply|again|really|now|also|of course)\b,?"
    r"\s{1,4}){1,4}",
    re.IGNORECASE,
)
_BECAUSE = re.compile(r",?\s(?:because|since|due to|given that)\s", re.IGNORECASE)
_BEFORE_CHARS = 60
_NOT_THE = re.compile(
    r"\b(?:another|other|alternative|second|wrong|incorrect|false|tempting|naive|common)\s(?:[^\W\d_]{1,12}\s){0,2}$",
    re.IGNORECASE,
)
"""Before "answer is" they make it one beside the answer, or none."""


def tagged(text: str) -> Announced | None:
    """What the last pair of `<answer>` tags holds."""
    end = text.rfind("</answer>")
    start = text.rfind("<answer>", 0, end) if end >= 0 else -1
    if start < 0:
        return None
    inside = text[start + len("<answer>") : end]
    phrase = phrased(inside)
    return Announced(phrase.answers if phrase else (inside,), end + len("</answer>"))


def hashed(text: str) -> Announced | None:
    """The last line that follows `####`."""
    start = text.rfind("####", max(0, len(text) - _TAIL_CHARS))
    if start < 0:
        return None
    rest = text[start + 4 :].lstrip(" \t")
    answer, _, after = rest.partition("\n")
    if not answer.strip():
        return None
    heads_nothing = not after.strip()
    reads_as_value = _VALUE_START.match(answer) is not None and len(answer.split()) <= 2
    end = len(text) - len(rest) + len(answer)
    return Announced((answer,), end, says_value(answer, answer)) if heads_nothing or reads_as_value else None


def labelled(text: str) -> Announced | None:
    """The line after the last label; of a sentence there its value."""
    tail = text[-_TAIL_CHARS:]
    labels = _of_the_answer(tail, _spans(tail, _LABELS))
    if not labels:
        return None
    rest = tail[labels[-1][1] :].lstrip(" \t\n*:：")
    line = _first_line(rest)
    answer = line.rstrip(" \t\r*")
    if not answer:
        return None
    end = len(text) - len(rest) + len(line)
    if phrase := phrased(answer):
        return Announced(phrase.answers, end, phrase.is_value)
    told = _value_of(_without_pleasantry(answer))
    return Announced((told,), end, says_value(answer, told))


def phrased(text: str) -> Announced | None:
    """What follows the last "the answer is", to the end of the sentence."""
    tail = text[-_TAIL_CHARS:]
    phrases = _spans(tail, _PHRASES)
    if not phrases:
        return None
    announcing = _of_the_answer(tail, phrases)
    start, at = (announcing or phrases)[-1]
    rest = tail[at:].lstrip(" \t\n:*：")
    end = _SENTENCE_END.search(rest)
    said = rest[: end.start()] if end else rest
    if not said.strip():
        return None
    behind = len(text) - len(rest) + len(said)
    if not announcing:
        return Announced((tail[max(0, start - _BEFORE_CHARS) : at] + " " + said,), behind, False)
    answer = _told(said)
    return Announced((answer,), behind, says_value(said, answer))


def _spans(text: str, patterns: Sequence[re.Pattern[str]]) -> list[tuple[int, int]]:
    return sorted((found.span() for pattern in patterns for found in pattern.finditer(text)), key=lambda span: span[1])


def _of_the_answer(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without those of another answer, or of a wrong one."""
    return [span for span in spans if not _NOT_THE.search(text, max(0, span[0] - _BEFORE_CHARS), span[0])]


def _told(said: str) -> str:
    answer = _QUOTES.sub("", said)
    if filling := _FILLING.match(answer):
        answer = answer[filling.end() :]
    because = _BECAUSE.search(answer)
    if because and answer[: because.start()].strip():
        answer = answer[: because.start()]
    return _value_of(answer)


def _without_pleasantry(line: str) -> str:
    """The first sentence of a line whose other ones tell nothing: "5. I hope it is correct."."""
    end = _SENTENCE_END.search(line)
    return line[: end.start()] if end and end.start() and says_no_more(line[end.end() :]) else line


def _first_line(rest: str) -> str:
    if (closing := _DISPLAY.get(rest[:2])) and (end := rest.find(closing, 2)) > 0:
        return rest[: end + 2]
    return rest.partition("\n")[0]


def _value_of(answer: str) -> str:
    return closing_statement(answer, only=True) or answer if is_sentence(answer) else answer

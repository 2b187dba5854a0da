r"""Where in a completion the final answer is.

Thinking is set aside first. Then the first of these that is there decides: `\boxed{}` or `\fbox{}`,
`<answer>` tags, a `####` line, an `A:` or `Answer:` line, "the answer is ...", and at last a short text that
is an answer as it stands.

Every scan is linear and bounded: models write hostile text, and ten megabytes of it must cost less than a
blink.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

_BEFORE_LAST_BOX_CHARS = 65_536
_AFTER_LAST_BOX_CHARS = 131_072
"""Braces are matched only this far around the last box: what is further away is not the end of the answer."""

_TAIL_CHARS = 65_536
"""Answer lines and phrases are looked for only this near to the end."""

_BARE_CHARS = 256
_BARE_TOKEN_CHARS = 131_072
"""A text that is an answer as it stands is one short line, or one unbroken token."""

_JOINED_CHARS = 80
"""Two boxes further apart than this are two statements, and the last one holds."""

_BRACES = re.compile(r"\\(?:boxed|fbox)\s{0,8}\{|\\[{}]|[{}]")
_FILLER = re.compile(r"\\(?:text|quad|qquad|mbox|left|right|[,;:! \[\]()])|\b(?:and|or)\b|[\s$,;.{}()*&\\]")
_OR = re.compile(r"\bor\b", re.IGNORECASE)
_ANSWER_LABEL = re.compile(r"\banswer\b\W{0,6}?[:：]", re.IGNORECASE)
_A_LABEL = re.compile(r"^\W{0,6}A[:：](?![^\n]*\n\W{0,6}B[:：])", re.MULTILINE)
"""With a `B:` on the next line it is the first of several choices."""

_ANSWER_IS = re.compile(r"\banswer\s{1,4}(?:is|=)", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.。!?](?=[\s\"'*]|$)|\n")
_VALUE_START = re.compile(r"[-+\d.$\\(\[{]")


class Extractor(StrEnum):
    """What gave the answer away."""

    BOX = "box"
    TAG = "tag"
    HASHES = "hashes"
    LABEL = "label"
    PHRASE = "phrase"
    BARE = "bare"


@dataclass(frozen=True, slots=True)
class Extracted:
    """The final answer as the model spelled it."""

    answers: tuple[str, ...]
    """One; or several different ones, where the text closes with boxes side by side."""
    extractor: Extractor

    @property
    def text(self) -> str:
        """All of it as one list."""
        return ", ".join(self.answers)


def extract(text: str, accept: Sequence[Extractor] = tuple(Extractor)) -> Extracted | None:
    """Find the final answer of a whole completion, looking only where `accept` allows; None without one."""
    spoken = after_thinking(text)
    for extractor in Extractor:
        if extractor not in accept:
            continue
        answers = tuple(answer.strip() for answer in _FINDERS[extractor](spoken))
        if answers:
            return Extracted(answers, extractor)
    return None


def after_thinking(text: str) -> str:
    """What the model says once it has thought. A section that never closes swallows all that follows it."""
    _, _, spoken = text.rpartition("</think>")
    return spoken.partition("<think>")[0]


def _boxed(text: str) -> Sequence[str]:
    boxes = _closed_boxes(text)
    if not boxes:
        return ()
    final = [boxes.pop()]
    while boxes and _joined(text[boxes[-1][1] : final[-1][0]]):
        final.append(boxes.pop())
    insides = (text[text.index("{", start) + 1 : end - 1] for start, end in reversed(final))
    return tuple(dict.fromkeys(insides))


def _closed_boxes(text: str) -> list[tuple[int, int]]:
    """Spans of the outermost boxes around the last one, in order."""
    last = max(text.rfind(r"\boxed"), text.rfind(r"\fbox"))
    if last < 0:
        return []
    closed: list[tuple[int, int]] = []
    opened: list[int | None] = []
    for brace in _BRACES.finditer(text, max(0, last - _BEFORE_LAST_BOX_CHARS), last + _AFTER_LAST_BOX_CHARS):
        if brace[0] in (r"\{", r"\}"):
            continue
        if brace[0] != "}":
            opened.append(brace.start() if len(brace[0]) > 1 else None)
        elif opened and (start := opened.pop()) is not None:
            while closed and closed[-1][0] > start:
                closed.pop()
            closed.append((start, brace.end()))
    return closed


def _joined(gap: str) -> bool:
    """Whether two boxes with this between them are one statement: nothing but joining words, or an "or"."""
    return len(gap) <= _JOINED_CHARS and (not _FILLER.sub("", gap) or _OR.search(gap) is not None)


def _tagged(text: str) -> Sequence[str]:
    end = text.rfind("</answer>")
    start = text.rfind("<answer>", 0, end) if end >= 0 else -1
    if start < 0:
        return ()
    inside = text[start + len("<answer>") : end]
    return _phrased(inside) or (inside,)


def _hashed(text: str) -> Sequence[str]:
    _, hashes, rest = text[-_TAIL_CHARS:].rpartition("####")
    answer, _, after = rest.strip(" \t").partition("\n")
    if not hashes or not answer.strip():
        return ()
    heads_nothing = not after.strip()
    reads_as_value = _VALUE_START.match(answer) is not None and len(answer.split()) <= 2
    return (answer,) if heads_nothing or reads_as_value else ()


def _labelled(text: str) -> Sequence[str]:
    tail = text[-_TAIL_CHARS:]
    labels = [label.end() for pattern in (_ANSWER_LABEL, _A_LABEL) for label in pattern.finditer(tail)]
    if not labels:
        return ()
    answer = _first_line(tail[max(labels) :])
    return _phrased(answer) or ((answer,) if answer else ())


def _phrased(text: str) -> Sequence[str]:
    tail = text[-_TAIL_CHARS:]
    phrases = [phrase.end() for phrase in _ANSWER_IS.finditer(tail)]
    if not phrases:
        return ()
    rest = tail[phrases[-1] :].lstrip(" \t\n:*")
    end = _SENTENCE_END.search(rest)
    answer = rest[: end.start()] if end else rest
    return (answer,) if answer.strip() else ()


def _first_line(text: str) -> str:
    return text.lstrip(" \t\n*:").partition("\n")[0].rstrip(" \t\r*")


def _bare(text: str) -> Sequence[str]:
    if len(text) > 2 * _BARE_TOKEN_CHARS:
        return ()
    line = text.strip()
    fits = len(line) <= _BARE_CHARS or (len(line) <= _BARE_TOKEN_CHARS and len(line.split(None, 1)) == 1)
    return (line,) if line and fits and "\n" not in line else ()


_FINDERS: dict[Extractor, Callable[[str], Sequence[str]]] = {
    Extractor.BOX: _boxed,
    Extractor.TAG: _tagged,
    Extractor.HASHES: _hashed,
    Extractor.LABEL: _labelled,
    Extractor.PHRASE: _phrased,
    Extractor.BARE: _bare,
}

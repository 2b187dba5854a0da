r"""`\boxed{}` and `\fbox{}`: by matching braces around the last one, never by a regex over what is inside."""

import re
from collections.abc import Iterator, Sequence

from rewarders.extraction.announced import Announced

_BEFORE_LAST_BOX_CHARS = 65_536
_AFTER_LAST_BOX_CHARS = 131_072
"""Braces are matched only this far around the last box: what is further away is not the end of the answer."""

_JOINED_CHARS = 80
"""Two boxes further apart than this are two statements, and the last one holds."""

_BRACES = re.compile(r"\\(?:boxed|fbox)\s{0,8}\{|\\[{}]|[{}]")
_LABEL = re.compile(r"(?<![A-Za-z\\])[A-Za-z](?:_\{?\w{1,4}\}?)?\s{0,4}(?:=|\\in\b)")
_FILLER = re.compile(r"\\(?:text|quad|qquad|mbox|left|right|[,;:! \[\]()])|\b(?:and|or)\b|[\s$,;.{}()*&\\]")
_OR = re.compile(r"\bor\b", re.IGNORECASE)
_PERCENT = re.compile(r"[\s$]{0,4}(?:\\?%|percent\b)")


def boxed(text: str) -> Announced | None:
    """What the last box holds, or the boxes of the last statement where several stand side by side."""
    boxes = _final_boxes(text)
    return Announced(tuple(dict.fromkeys(_inside(text, box) for box in boxes)), boxes[-1][1]) if boxes else None


def boxed_in_reference(text: str) -> Sequence[str]:
    r"""The same for a text that is right: `\boxed{20}` percent is 20%, and a box cut off by its end counts."""
    found = tuple(_inside(text, box) + ("%" if _PERCENT.match(text, box[1]) else "") for box in _final_boxes(text))
    if found:
        return tuple(dict.fromkeys(found))
    _, opened = _boxes(text)
    return (text[text.index("{", opened[0]) + 1 :].rstrip("$ \n\\])."),) if opened else ()


def opens_a_box(text: str) -> bool:
    """Whether the text ends inside a box."""
    return bool(_boxes(text)[1])


def _inside(text: str, box: tuple[int, int]) -> str:
    return text[text.index("{", box[0]) + 1 : box[1] - 1]


def _final_boxes(text: str) -> Sequence[tuple[int, int]]:
    boxes, _ = _boxes(text)
    final = [boxes.pop()] if boxes else []
    while boxes and _joined(text[boxes[-1][1] : final[-1][0]]):
        final.append(boxes.pop())
    return final[::-1]


def _boxes(text: str) -> tuple[list[tuple[int, int]], list[int]]:
    """Spans of the outermost closed boxes around the last one, in order; and where those that stay open start."""
    closed: list[tuple[int, int]] = []
    opened: list[int | None] = []
    for brace in _braces(text):
        if brace[0] in (r"\{", r"\}"):
            continue
        if brace[0] != "}":
            opened.append(brace.start() if len(brace[0]) > 1 else None)
        elif opened and (start := opened.pop()) is not None:
            while closed and closed[-1][0] > start:
                closed.pop()
            closed.append((start, brace.end()))
    return closed, [start for start in opened if start is not None]


def _braces(text: str) -> Iterator[re.Match[str]]:
    last = max(text.rfind(r"\boxed"), text.rfind(r"\fbox"))
    if last < 0:
        return iter(())
    return _BRACES.finditer(text, max(0, last - _BEFORE_LAST_BOX_CHARS), last + _AFTER_LAST_BOX_CHARS)


def _joined(gap: str) -> bool:
    """Whether two boxes with this between them are one statement: joining words, a name's label, or an "or"."""
    if len(gap) > _JOINED_CHARS:
        return False
    return not _FILLER.sub("", _LABEL.sub("", gap)) or _OR.search(gap) is not None

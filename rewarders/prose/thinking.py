"""Which parts of a completion are thinking, and where the answer is. Every rewarder that sets thinking aside asks here.

Thinking stands between `<think>` and `</think>`. What is before the first `</think>` is thinking as well where nothing
opened it, since a chat template may have written the first mark. What is opened and never closed is thinking up to the
end. A further `</think>` that closes nothing hides nothing: a policy must not choose what is looked at by closing
twice.

A mark that is only mentioned is none: one in a code span, in quotation marks, or in a fenced block with code before it
on its line. Everything is linear in the text.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator

from rewarders.prose.sentences import Span
from sandboxes.fences import blocks

OPENING, CLOSING = "<think>", "</think>"
_MARK = re.compile("</?think>")
_MENTION = re.compile(
    r"(?<!`)(``?)(?!`)[^`\n]+\1(?!`)"
    r'|(?<![^\s\[{(:,=])"(?:[^"\\\n]|\\.)*+"(?=[\s\]}),.:;!?]|$)'
    r"|“[^“”\n]*+”|‘</?think>’|'</?think>'"
)
"""A code span, or what quotation marks hold on one line. No start of one scans further than to the next."""


def thinking(text: str) -> list[Span]:
    """The parts of a completion that are thinking, marks included, in order. A closing mark too many is one alone."""
    found: list[Span] = []
    opened: int | None = None
    for mark in marks(text):
        if mark[0] == OPENING:
            opened = mark.start() if opened is None else opened
            continue
        start = opened if opened is not None else (mark.start() if found else 0)
        found.append(Span(start, mark.end()))
        opened = None
    return found if opened is None else [*found, Span(opened, len(text))]


def answer_span(text: str) -> Span:
    """Where the final answer stands: behind the last thinking that ends, before any that never does.

    Text between two sections of thinking is not in it. For all that is said, see `blanking.without_thinking`.
    """
    start, end = 0, len(text)
    for section in thinking(text):
        if text.endswith(CLOSING, section.start, section.end):
            start = section.end
        else:
            end = section.start
    return Span(start, end)


def never_ends(text: str) -> bool:
    """Whether a completion was cut off inside its thinking."""
    sections = thinking(text)
    return bool(sections) and not text.endswith(CLOSING, *sections[-1])


def marks(text: str) -> Iterator[re.Match[str]]:
    """The marks that are meant as such."""
    found = list(_MARK.finditer(text)) if "think>" in text else []
    if not found or (text.lstrip().startswith(OPENING) and [mark[0] for mark in found] == [OPENING, CLOSING]):
        yield from found  # as nearly all completions are: nothing to be told apart
        return
    mentions = [match.span() for match in _MENTION.finditer(text)]
    lines = _MARK.sub(_line_break, text)  # a fence may open right behind a mark
    fences = [(block.start, block.end) for block in blocks(lines) if block.closed]
    for mark in found:
        in_code = _within(fences, mark.start()) and not _is_first_on_its_line(text, mark.start())
        if not in_code and not _within(mentions, mark.start()):
            yield mark


def _line_break(mark: re.Match[str]) -> str:
    return "\n".rjust(len(mark[0]))


def _within(spans: list[tuple[int, int]], place: int) -> bool:
    before = bisect_right(spans, (place, place + len(CLOSING))) - 1
    return before >= 0 and spans[before][0] <= place < spans[before][1]


def _is_first_on_its_line(text: str, place: int) -> bool:
    line = text.rfind("\n", max(0, place - 64), place)
    return not text[line + 1 if line >= 0 else max(0, place - 64) : place].strip(" \t\r`~")

"""Where the sentences of a text are.

A sentence ends at its closing mark, together with the quotation marks, brackets and citations behind it; before a blank
line; and before a line that opens a list item, a heading, a table row or a block quotation. A full stop before a small
letter ends none, as in `e.g. here`, unless it stands behind a longer word or a bracket; neither does one within
quotation marks that goes on.
"""

import re
from typing import NamedTuple

from rewarders.prose.quoting import rewritten

_CITED = r"(?:[ \t]?\[[^\[\]\n]{1,100}\])*+"
_END = re.compile(
    r"[.!?。！？\n](?:"  # first, so that whatever cannot end one is passed over quickly
    rf"""(?<=[.!?])(?<![.!?][.!?])[.!?]*+["'”’)»]*+{_CITED}(?=\s+[^\sa-z]|\s*$)"""
    rf"|(?<=[^\W\d_]{{5}}\.){_CITED}(?=\s)|(?<=\][.!?])"
    rf"|(?<=[。！？])[。！？]*+[”’」』）]*+{_CITED}"
    r"|(?<=\n)(?:[ \t\r]*(?=\n)|(?=[ \t]*(?:[-*+#>|]|\d{1,3}[.)]))))"
)
_STOP = re.compile(r"[.!?。！？]")


class Span(NamedTuple):
    """From one offset up to another."""

    start: int
    end: int

    def holds(self, offset: int) -> bool:
        """Whether an offset lies within."""
        return self.start <= offset < self.end


def sentences(text: str) -> list[Span]:
    """The sentences of a text, in order and without the white space around them."""
    scanned = rewritten(text, _go_on)
    spans, start = [], 0
    for end in [*(match.end() for match in _END.finditer(scanned)), len(text)]:
        sentence = text[start:end]
        stripped = sentence.strip()
        if stripped:
            first = start + len(sentence) - len(sentence.lstrip())
            spans.append(Span(first, first + len(stripped)))
        start = end
    return spans


def _go_on(quoted: str) -> str:
    """A quotation in which only the last stop is one."""
    return _STOP.sub(",", quoted[:-2]) + quoted[-2:]

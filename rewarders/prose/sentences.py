"""Where the sentences of a text are.

A sentence ends at its closing mark, together with the quotation marks, brackets and citations behind it; before a blank
line; and before a line that opens a list item, a heading, a table row or a block quotation. A full stop before a small
letter ends none, and neither does one within quotation marks that goes on.
"""

import re
from typing import NamedTuple

_END = re.compile(
    r"""(?<![.!?])[.!?]++["'”’)»]*+(?:[ \t]?\[[^\[\]\n]{1,100}\])*+(?=\s+[^\sa-z]|\s*$)"""
    r"|[。！？]++[”’」』）]*+(?:[ \t]?\[[^\[\]\n]{1,100}\])*+"
    r"|\n[ \t]*(?=\n)|\n(?=[ \t]*(?:[-*+#>|]|\d{1,3}[.)]))"
)
_QUOTED = re.compile(r'"[^"\n]+"|“[^“”\n]+”')
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
    scanned = _QUOTED.sub(_go_on, text)
    spans, start = [], 0
    for end in [*(match.end() for match in _END.finditer(scanned)), len(text)]:
        sentence = text[start:end]
        stripped = sentence.strip()
        if stripped:
            first = start + len(sentence) - len(sentence.lstrip())
            spans.append(Span(first, first + len(stripped)))
        start = end
    return spans


def _go_on(quoted: re.Match[str]) -> str:
    """A quotation in which only the last stop is one."""
    return _STOP.sub(",", quoted[0][:-2]) + quoted[0][-2:]

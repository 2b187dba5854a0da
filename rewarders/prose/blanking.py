"""What a model says to its reader, at the offsets at which it says it: thinking and code are replaced by spaces."""

import re

from rewarders.prose.invisible import shows_anything
from rewarders.prose.thinking import marks, thinking
from sandboxes.fences import blocks

_LINE = re.compile(r"[^\n]+")
_PARAGRAPH_BREAK = "\n\n"
_CODE_SPAN = re.compile(r"(?<!`)(``?)(?!`)([^`\n]+)\1(?!`)")
"""Its content holds no backtick, so that no start of one scans further than to the next."""
_FORMULA = re.compile(r"\$\$[^$]+\$\$|\$[^$\n]+\$|\\\([^\\]*(?:\\[^()][^\\]*)*\\\)|\\\[[^\\]*(?:\\[^\[\]][^\\]*)*\\\]")
"""Nothing in it can hold another opening mark, so that no start of one scans further than to the next."""


def blanked(text: str, start: int, end: int) -> str:
    """The text with everything but line breaks between two offsets replaced by spaces."""
    return text[:start] + _blank(text[start:end]) + text[end:]


def said(text: str) -> str:
    """All that a reader may be shown: the text without the thinking that it begins with.

    What comes later between marks of thinking is shown, so that a policy does not choose what is judged by thinking
    twice. The marks themselves are paragraph breaks.
    """
    if "think>" not in text:
        return text
    pieces, at = [], 0
    for mark in marks(text):
        pieces += [text[at : mark.start()], _PARAGRAPH_BREAK.ljust(len(mark[0]))]
        at = mark.end()
    shown = "".join([*pieces, text[at:]])
    return blanked(shown, 0, said_from(text))


def said_from(text: str) -> int:
    """Where what a reader may be shown begins: behind the thinking that the text begins with."""
    first = next(iter(thinking(text)), None)
    return first.end if first and not shows_anything(text[: first.start]) else 0


def without_thinking(text: str) -> str:
    """What is said outside of thinking: the text with every part that is thinking replaced by spaces."""
    pieces, at = [], 0
    for start, end in thinking(text):
        pieces += [text[at:start], _blank(text[start:end])]
        at = end
    return "".join([*pieces, text[at:]]) if pieces else text


def only_thinking(text: str) -> str:
    """All that is not said: the text with everything outside of thinking replaced by spaces."""
    pieces, at = [], 0
    for start, end in thinking(text):
        pieces += [_blank(text[at:start]), text[start:end]]
        at = end
    return "".join([*pieces, _blank(text[at:])])


def without_code(text: str) -> str:
    """The text with fenced blocks and code spans replaced by spaces."""
    if "`" not in text and "~~~" not in text:
        return text
    pieces, at = [], 0
    for block in blocks(text):
        pieces += [text[at : block.start], _blank(text[block.start : block.end])]
        at = block.end
    return _CODE_SPAN.sub(lambda span: " " * len(span[0]), "".join([*pieces, text[at:]]))


def without_formulas(text: str) -> str:
    r"""The text with `$...$`, `$$...$$`, `\(...\)` and `\[...\]` replaced by spaces."""
    if "$" not in text and "\\" not in text:
        return text
    return _FORMULA.sub(lambda formula: _blank(formula[0]), text)


def _blank(text: str) -> str:
    return _LINE.sub(lambda line: " " * len(line[0]), text)

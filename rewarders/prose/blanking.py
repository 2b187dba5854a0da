"""What a model says to its reader, at the offsets at which it says it: thinking and code are replaced by spaces."""

import re

from sandboxes.fences import blocks

_LINE = re.compile(r"[^\n]+")
_CODE_SPAN = re.compile(r"(?<!`)(``?)(?!`)([^`\n]+)\1(?!`)")
"""Its content holds no backtick, so that no start of one scans further than to the next."""
_FORMULA = re.compile(r"\$\$[^$]+\$\$|\$[^$\n]+\$|\\\([^\\]*(?:\\[^()][^\\]*)*\\\)|\\\[[^\\]*(?:\\[^\[\]][^\\]*)*\\\]")
"""Nothing in it can hold another opening mark, so that no start of one scans further than to the next."""


def blanked(text: str, start: int, end: int) -> str:
    """The text with everything but line breaks between two offsets replaced by spaces."""
    return text[:start] + _blank(text[start:end]) + text[end:]


def without_thinking(text: str) -> str:
    """The text with everything up to the last `</think>`, and a section left open behind it, replaced by spaces."""
    closing = text.rfind("</think>")
    start = closing + len("</think>") if closing >= 0 else 0
    opening = text.find("<think>", start)
    end = opening if opening >= 0 else len(text)
    return _blank(text[:start]) + text[start:end] + _blank(text[end:])


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


def spoken_prose(text: str) -> str:
    """What is said to the reader in words: neither thinking nor code."""
    return without_code(without_thinking(text))


def _blank(text: str) -> str:
    return _LINE.sub(lambda line: " " * len(line[0]), text)

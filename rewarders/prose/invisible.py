"""Characters that show nothing, in one table: what Unicode calls default-ignorable, formats, controls, blank glyphs.

White space is none of them; it shows nothing either, but everybody knows that it is there.
"""

import re

_DEFAULT_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""The property Default_Ignorable_Code_Point of DerivedCoreProperties.txt."""
_CONTROLS = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufff9-\ufffb\U00013430-\U0001343f"
"""Controls that are no white space, and formats that are not ignorable. The format characters that are left out, such
as U+0600, are signs that are drawn around numbers."""
_BLANKS = "\u2800\U00016fe4\U0001d159"
"""Symbols and fillers whose glyph is empty: the Braille blank, the Khitan filler, the null notehead."""
_SURROGATES = "\ud800-\udfff"
INVISIBLE = f"{_DEFAULT_IGNORABLE}{_CONTROLS}{_BLANKS}{_SURROGATES}"
"""For a class of a regular expression."""

_RUN = re.compile(f"[{INVISIBLE}]+")
_VISIBLE = re.compile(rf"[^\s{INVISIBLE}]")


def is_visible(character: str) -> bool:
    """Whether a reader sees a character: it is neither white space nor in the table."""
    return _VISIBLE.match(character) is not None


def shows_anything(text: str) -> bool:
    """Whether a text holds a character that a reader sees."""
    return _VISIBLE.search(text) is not None


def without_invisible(text: str) -> str:
    """The text without what shows nothing; white space stays."""
    return text if text.isascii() and text.isprintable() else _RUN.sub("", text)

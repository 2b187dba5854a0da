"""Citations in a text: `[1]`, `[1, 3]`, `[smith2020]`, and what only looks like one.

The syntax is closed. A bracket that means to cite and is spelled in any other way is malformed, and credits nothing:
`[0]`, `[12` without its end, `[1-3]`, `[01]`, digits or brackets of another script, a character in it that nobody sees.
Code is not looked at, and neither are `x[1] =`, the text of a link `[1](...)` and lines like `[1]: https://example.org`.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from rewarders.prose.invisible import without_invisible

_BRACKET = re.compile(r"[\[［【]([^\[\]［］【】\n]{0,200})([\]］】]?)")
_NUMBERS = re.compile(r"[1-9][0-9]{0,5}(?:, ?[1-9][0-9]{0,5})*")
_NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}(?:, ?[A-Za-z0-9][A-Za-z0-9_.:-]{0,63})*")
_NUMERIC = re.compile(r"[\s\d,;.–—+*^、，-]*\d[\s\d,;.–—+*^、，-]*")
_BEGUN = re.compile(r"\s*+\d{1,6}+(?:\s*+,\s*+\d{1,6}+)*+(?![\w.)])")
_NO_CITATION = re.compile(r"\(|[ \t]?=(?!=)")
_WORDS = frozenset(["sic", "x", "X"])
"""What a bracket holds in ordinary writing."""


class Flaw(StrEnum):
    """What is wrong with a bracket that means to cite."""

    MALFORMED = "malformed_citation"
    UNKNOWN_ID = "unknown_id"


@dataclass(frozen=True, slots=True)
class Mark:
    """One bracket: the sources it names, or what is wrong with it."""

    start: int
    end: int
    ids: tuple[str, ...] = ()
    flaw: Flaw | None = None


def marks(prose: str, known: Collection[str], *, numbered: bool) -> list[Mark]:
    """The citations of a text without its code, sound and flawed, in order."""
    found = []
    for bracket in _BRACKET.finditer(prose):
        mark = _read(bracket, prose, known, numbered=numbered)
        if mark is not None:
            found.append(mark)
    return found


def sound(found: Iterable[Mark]) -> list[Mark]:
    """Those that name known sources."""
    return [mark for mark in found if mark.flaw is None]


def _read(bracket: re.Match[str], prose: str, known: Collection[str], *, numbered: bool) -> Mark | None:
    inside, (start, end) = without_invisible(bracket[1]), bracket.span()
    plain = bracket[0][0] == "[" and bracket[2] in ("]", "") and inside == bracket[1]
    if bracket[2] and _NO_CITATION.match(prose, end):
        return None
    spelled = (_NUMBERS if numbered else _NAMES).fullmatch(inside)
    if spelled and plain and bracket[2]:
        ids = tuple(name.strip() for name in inside.split(","))
        if all(name in known for name in ids):
            return Mark(start, end, tuple(dict.fromkeys(ids)))
        return None if inside in _WORDS else Mark(start, end, flaw=Flaw.UNKNOWN_ID)
    meant = bool(_NUMERIC.fullmatch(inside) if bracket[2] else _BEGUN.match(inside))
    if not numbered and not meant:
        begins = next(iter(inside.replace(",", " ").split()), "")
        meant = bool(spelled) and inside not in _WORDS if bracket[2] else begins in known
    return Mark(start, end, flaw=Flaw.MALFORMED) if meant else None

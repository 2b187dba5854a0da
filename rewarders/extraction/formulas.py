r"""Formulas in running text: `$...$`, `$$...$$`, `\(...\)`, `\[...\]` and display environments."""

import re
from dataclasses import dataclass

_MAX_FORMULA_CHARS = 4_096
_CLOSES = {"$": "$", "$$": "$$", r"\(": r"\)", r"\[": r"\]", r"\begin": r"\end"}
_DELIMITER = re.compile(
    r"(?P<escaped>\\[\\$])"
    r"|(?P<sign>\$\$?|\\[()\[\]])"
    r"|(?P<environment>\\(?:begin|end))\{(?:align|equation|gather|eqnarray|multline)\*?\}"
)
_NO_NAMES = re.compile(r"\\(?:text|textbf|mathrm|mbox|operatorname)\*?\s?\{[^{}]*\}|\\[A-Za-z]+")
_TWO_WORDS = re.compile(r"[^\W\d_]{2,}[,.;:!?]?\s+[^\W\d_]{2,}")
_DANGLES = re.compile(r"[-+*/=<>(,?]\s*$")
_LETTER = re.compile(r"[^\W\d_]")
_OTHER_RELATION = re.compile(r"\\(?:begin|ne|neq|le|leq|ge|geq|lt|gt|approx|in)(?![A-Za-z])|[<>≤≥≠≈:,;!]|\\\{")
_NAME = re.compile(r"\s*(?:\\text\s?\{[^{}]*\}|\\?[A-Za-z]+(?:_\{?\w+\}?)?(?:\([A-Za-z\d]\))?)\s*")
_OF_NUMBERS = re.compile(r"\\(?:[dt]?frac|sqrt|cdot|times|left|right|div|pi)(?![A-Za-z])|\\[%,! ]|π")


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula with its delimiters at `start` and `end` of the text."""

    start: int
    end: int
    inside: str


def find_formulas(text: str) -> list[Formula]:
    """All formulas, in order. A dollar sign that opens none is money."""
    found: list[Formula] = []
    opened: re.Match[str] | None = None
    for delimiter in _DELIMITER.finditer(text):
        if delimiter["escaped"]:
            continue
        if opened is not None and _CLOSES[_kind(opened)] == _kind(delimiter):
            inside = text[opened.end() : delimiter.start()]
            if _reads_as_formula(inside, _kind(opened)):
                found.append(Formula(opened.start(), delimiter.end(), inside))
                opened = None
                continue
            opened = None
        if _kind(delimiter) in _CLOSES and (opened is None or _kind(opened) == "$"):
            opened = delimiter
    return found


def _kind(delimiter: re.Match[str]) -> str:
    return delimiter["sign"] or delimiter["environment"] or ""


def _reads_as_formula(inside: str, kind: str) -> bool:
    if not inside.strip() or len(inside) > _MAX_FORMULA_CHARS:
        return False
    if kind != "$":
        return True
    if "\n\n" in inside or _TWO_WORDS.search(_NO_NAMES.sub(" ", inside)):
        return False
    lopsided = inside[-1].isspace() and not inside[0].isspace()
    return not lopsided or (_DANGLES.search(inside) is None and _LETTER.search(_NO_NAMES.sub("", inside)) is None)


def stated_part(formula: str) -> str:
    r"""What a formula in a sentence says: of `V = lwh = 5 \cdot 6 = 30` the sides of numbers that close it.

    They stay together, since a chain of numbers is right only if all of it is. A formula that does not start with a
    name, or closes with one, is one statement and stays whole.
    """
    sides = formula.split("=")
    if len(sides) < 3 or _OTHER_RELATION.search(formula) or not _NAME.fullmatch(sides[0]):
        return formula
    first = len(sides)
    while first and not _LETTER.search(_OF_NUMBERS.sub("", sides[first - 1])):
        first -= 1
    return "=".join(sides[first:]).strip() if first < len(sides) else formula

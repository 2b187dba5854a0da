"""Chinese numerals: integers below 10^12, and fractions of them (`三分之二`, `百分之五`).

Only what is spelled as the book says is read, because the shortened spellings mean something else than they
seem to: `三百五` is 350, not 305.
"""

import re
from fractions import Fraction

_DIGITS = "零一二三四五六七八九"
_POWERS = {"千": 1000, "百": 100, "十": 10, "": 1}
_SECTIONS = {"亿": 10**8, "万": 10**4, "": 1}
_MAX_CHARS = 60

_NUMERAL = re.compile("[零一二三四五六七八九十百千万亿]+")
_PLACE = re.compile("([一二三四五六七八九])([千百十]?)")
_ONE_SPELLING = str.maketrans("〇萬億兩負", "零万亿两负")
_TWO = re.compile("两(?=[百千万亿])|^两$")
_BARE = {"百": 100, "千": 1000, "万": 10_000}
"""Denominators that need no `一` before them."""


def read_chinese(text: str) -> Fraction | None:
    """The value of a text that is one Chinese numeral, or None if it is anything else."""
    if len(text) > _MAX_CHARS:
        return None
    numeral = text.translate(_ONE_SPELLING)
    sign = -1 if numeral.startswith("负") else 1
    below, part_of, above = numeral.removeprefix("负").rpartition("分之")
    if not part_of:
        value = _integer(above)
        return Fraction(sign * value) if value is not None else None
    denominator = _BARE.get(below) or _integer(below)
    numerator = denominator if above == below == "百" else _integer(above)
    return Fraction(sign * numerator, denominator) if numerator is not None and denominator else None


def _integer(numeral: str) -> int | None:
    """The integer whose one proper spelling this is."""
    plain = re.sub("^十", "一十", _TWO.sub("二", numeral))
    if _NUMERAL.fullmatch(plain) is None:
        return None
    value, rest = 0, plain
    for name, scale in list(_SECTIONS.items())[:-1]:
        before, found, after = rest.partition(name)
        if found:
            value, rest = value + scale * _places(before), after
    value += _places(rest)
    return value if _spelled(value) == plain else None


def _places(section: str) -> int:
    return sum(_DIGITS.index(place[1]) * _POWERS[place[2]] for place in _PLACE.finditer(section))


def _spelled(value: int) -> str:
    """A number below 10^12 in Chinese; what is spelled otherwise is not a number here."""
    spelled, gap = "", False
    for name, scale in _SECTIONS.items():
        section = value // scale % 10_000
        for sign, power in _POWERS.items():
            digit = section // power % 10
            if digit:
                spelled += "零" * (gap and bool(spelled)) + _DIGITS[digit] + sign
            gap = not digit
        spelled += name * bool(section)
        gap = not section  # the zeros that end a section are silent
    return spelled or _DIGITS[0]

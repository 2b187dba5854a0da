"""Units and currencies that follow or precede a value.

A unit is set aside so that the value can be read; two answers that both carry one must carry the same.
"""

import re

_CURRENCY = re.compile(r"^([-+]?) ?(€|£|¥|₹|US\$|USD|EUR|GBP|Rs\.?) ?(?=[-+\d.])")

_KNOWN = (
    "mm|cm|dm|km|mg|kg|ml|min|hrs?|ft|inch|inches|yd|lbs?|oz|mph|kmh|Hz|st|nd|rd|th|am|pm|men|days?|cents?|dollars?|"
    "euros?|hours?|minutes?|seconds?|weeks?|months?|years?|units?|degrees?|meters?|metres?|feet|foot|miles?|pounds?|"
    "grams?|people|square|cubic|sq|USD|EUR|€|£|¥"
)
"""May touch the number. No single letters: in `2m` the `m` is a variable as often as a metre."""
_RAISED = r"(?: ?\^\{?[23]\}?)?"
_WORD = rf"(?:{_KNOWN})(?![A-Za-z]){_RAISED}"
_OTHER_WORD = rf"[A-Za-z]{{4,24}}{_RAISED}"
_NEXT_WORD = rf"(?: | ?/ ?| per )(?:{_WORD}|[A-Za-z]{{1,24}}{_RAISED})"
_TRAIL = re.compile(
    rf"(?P<unit>(?: ?\^\{{ ?(?:st|nd|rd|th) ?\}}| ?{_WORD}| {_OTHER_WORD})(?:{_NEXT_WORD}){{0,3}}"
    r"| ?\\degree) ?$"
)
_LETTER = r"(?:k?m|[cm]m|k?g|mol|Pa|kW|[shLNJWVAKCF])"
_EXPONENT = r"(?: ?\^ ?(?:\{ ?-?[1-4] ?\}|-?[1-4]))"
_LETTER_TRAIL = re.compile(
    rf"(?: {_LETTER}|(?<=[\d )]){_LETTER}(?:{_EXPONENT}|(?= ?/)))(?: ?{_EXPONENT})?"
    rf"(?:(?: ?/ ?| ?\\cdot ?| ){_LETTER}{_EXPONENT}?){{0,3}} ?$"
    r"| ?[\u0400-\u052f\u0600-\u06ff\u0900-\u097f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]{1,16} ?$"
)
_TRAIL_CHARS = 80
_ENDS_A_VALUE = re.compile(r"[\d)}.]$")

_VALUE_WORDS = """
and or not minus plus times over than less more fewer about below above under half halves third thirds
quarter quarters fourth fourths fifth fifths sixth sixths seventh sevenths eighth eighths ninth ninths
eleventh elevenths twelfth twelfths tenth tenths hundredth hundredths
squared cubed factorial mod percent pct percentage hundred hundreds thousand thousands million millions
billion billions trillion trillions dozen dozens sin cos tan cot sec csc log exp sqrt arcsin arccos arctan
sinh cosh tanh max min gcd lcm lim base choose pi infinity inf nan theta alpha beta gamma lambda power mid
div negative remainder
"""
_CHANGE_THE_VALUE = frozenset(_VALUE_WORDS.split())
_SAME = {
    "degrees": "degree",
    "feet": "foot",
    "ft": "foot",
    "inches": "inch",
    "in": "inch",
    "hrs": "hour",
    "hr": "hour",
    **{short: f"{prefix}meter" for short, prefix in (("mm", "milli"), ("cm", "centi"), ("dm", "deci"), ("km", "kilo"))},
    **{f"{prefix}metre": f"{prefix}meter" for prefix in ("", "milli", "centi", "deci", "kilo")},
    **{f"{prefix}metres": f"{prefix}meter" for prefix in ("", "milli", "centi", "deci", "kilo")},
    **{
        "m": "meter",
        "kg": "kilogram",
        "g": "gram",
        "mg": "milligram",
        "l": "liter",
        "litre": "liter",
        "litres": "liter",
    },
    **{"min": "minute", "s": "second", "sec": "second", "h": "hour", "usd": "dollar", "eur": "euro", "€": "euro"},
}
DEGREE = "degree"
"""An angle: the one unit that is also a number, so that 120 degrees are two thirds of pi."""

_DROPPED = re.compile(r"[\s\\{}]+")


def split_unit(text: str) -> tuple[str, str]:
    """Split a normalised answer into its value and its unit; the unit is empty where there is none.

    Words that change the value ("million", "thirds", "percent", "or") are never taken for a unit.
    """
    unit = ""
    if leading := _CURRENCY.match(text):
        text, unit = leading[1] + text[leading.end() :], leading[2]
    start = max(0, len(text) - _TRAIL_CHARS)
    trailing = _TRAIL.search(text, start)
    if trailing is None or not _ENDS_A_VALUE.search(text[: trailing.start()].rstrip()):
        return text, unit
    if any(word.lower() in _CHANGE_THE_VALUE for word in re.findall(r"[A-Za-z]+", trailing["unit"])):
        return text, unit
    return text[: trailing.start()].rstrip(), unit + _one_name(trailing["unit"])


def split_letter_unit(text: str) -> tuple[str, str]:
    """Split off what is a unit only if a plain number is expected: `5 m`, `9.8 m/s^2`, `3m^2`, `99 рублей`."""
    start = max(0, len(text) - _TRAIL_CHARS)
    trailing = _LETTER_TRAIL.search(text, start)
    if trailing is None or not _ENDS_A_VALUE.search(text[: trailing.start()].rstrip()):
        return text, ""
    return text[: trailing.start()].rstrip(), _one_name(trailing[0])


def compatible(first: str, second: str) -> bool:
    """Whether two units can be of one answer: either is silent, or both say the same."""
    return not first or not second or first == second


def _one_name(unit: str) -> str:
    name = _DROPPED.sub("", unit).replace("^", "").lower()
    name = _SAME.get(name, name)
    return name[:-1] if len(name) > 3 and name.endswith("s") and not name.endswith("ss") else name

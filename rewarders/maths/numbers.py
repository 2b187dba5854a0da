r"""Plain numbers, read exactly: integers, decimals, fractions, percents, thousands separators, powers of ten.

Everything is a `Fraction`. There is no tolerance: 0.333 is not a third.
"""

import re
from fractions import Fraction

MAX_DIGITS = 4_000
"""Longest integer worth converting; CPython's own conversion is quadratic in it."""

MAX_TEN_EXPONENT = 4_000

_INTEGER = r"(?:[1-9]\d{0,2}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d+)"
_DECIMAL = rf"(?:{_INTEGER}(?:\.\d*)?|\.\d+)"
_TIMES_TEN = r"(?: ?(?:\\times|\\cdot|\*|x) ?10 ?\^ ?(?:\{ ?([-+]?\d+) ?\}|\(([-+]?\d+)\)|([-+]?\d+))|[eE]([-+]?\d+))"
_NUMBER = re.compile(rf"([-+]?) ?({_DECIMAL}){_TIMES_TEN}? ?$")
_SLASHED = re.compile(rf"([-+]?) ?(?:(\d+) )?({_DECIMAL}) ?/ ?({_DECIMAL})$")
_STACKED = re.compile(
    rf"([-+]?) ?(?:(\d+) ?)?\\frac ?(?:\{{ ?([-+]?{_DECIMAL}) ?\}} ?\{{ ?([-+]?{_DECIMAL}) ?\}}|(\d) ?(\d))$"
)
_FACTORS = {
    **dict.fromkeys(("%", "percent", "pct", "per cent"), Fraction(1, 100)),
    **{"hundred": Fraction(100), "thousand": Fraction(10**3), "million": Fraction(10**6)},
    **{"billion": Fraction(10**9), "trillion": Fraction(10**12), "dozen": Fraction(12)},
}
_HAS_THOUSANDS = re.compile(r"[1-9]\d{0,2},\d{3}")
_DECIMAL_COMMA = re.compile(r"([-+]? ?)(\d{1,3}(?:\.\d{3})+|\d{1,3}(?: \d{3})+|\d{1,40}),(\d{1,40})( ?%?)")
_FACTOR = re.compile(rf" ?({'|'.join(_FACTORS)})$")
_LONGEST_FACTOR = 12


def read_number(text: str) -> Fraction | None:
    """The value of a normalised text without a unit, or None if it is anything else than one plain number."""
    factor = _FACTOR.search(text, max(0, len(text) - _LONGEST_FACTOR))
    value = _plain(text[: factor.start()] if factor else text)
    return value * _FACTORS[factor[1]] if factor and value is not None else value


def with_decimal_point(text: str) -> str:
    """A number with a decimal comma, as in `1.000,99` and `3,14`, written with a point; empty for anything else.

    `1,234` has a thousands separator, and `12,0` is two numbers. To be used only where one is expected, since `1,22`
    may be two as well.
    """
    match = _DECIMAL_COMMA.fullmatch(text)
    if match and (not match[3].strip("0") or _HAS_THOUSANDS.fullmatch(match[2] + "," + match[3])):
        return ""
    return f"{match[1]}{match[2].replace('.', '').replace(' ', '')}.{match[3]}{match[4]}" if match else ""


def _plain(text: str) -> Fraction | None:
    if match := _NUMBER.match(text):
        return _scientific(match)
    if match := _SLASHED.match(text):
        sign, whole, above, below = match.groups()
        return _mixed(sign, whole, above, below)
    if match := _STACKED.match(text):
        sign, whole, above, below, digit_above, digit_below = match.groups()
        return _mixed(sign, whole, above or digit_above, below or digit_below)
    return None


def _scientific(match: re.Match[str]) -> Fraction | None:
    value = _read_digits(match[2])
    written = match[3] or match[4] or match[5] or match[6] or "0"
    if value is None or len(written) > 8 or abs(exponent := int(written)) > MAX_TEN_EXPONENT:
        return None
    return _signed(match[1], value * Fraction(10) ** exponent)


def _mixed(sign: str, whole: str | None, above: str, below: str) -> Fraction | None:
    """A fraction, with or without an integer in front of it."""
    integer, numerator, denominator = (_read_digits(part) for part in (whole or "0", above, below))
    if integer is None or numerator is None or not denominator:
        return None
    if whole and not 0 <= numerator < denominator:
        return None  # 1 7/2 is no mixed number, and what it is instead we do not guess
    return _signed(sign, integer + numerator / denominator)


def _read_digits(text: str) -> Fraction | None:
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text.lstrip("+"))
    integer, _, decimals = digits.replace(",", "").replace(" ", "").partition(".")
    integer, decimals = integer.lstrip("0"), decimals.rstrip("0")
    if len(integer) + len(decimals) > MAX_DIGITS:
        return None
    return _signed(sign, Fraction(int(integer + decimals or "0"), 10 ** len(decimals)))


def _signed(sign: str, value: Fraction) -> Fraction:
    return -value if sign == "-" else value

"""Numbers written out in English or Chinese words: `twenty-one`, `two and a half`, `three quarters`, `十二`.

The grammar is strict, and what can be understood in two ways is not read: `two hundred thousandths` is 2/100000
to some and 200/1000 to others. A comma makes a list, so `one thousand, five` is no number either.
"""

import re
from collections.abc import Iterator
from fractions import Fraction

from rewarders.maths.chinese import read_chinese

MAX_WORD_CHARS = 300
"""Longer than any number below 10^15 in words; what is longer is not looked at."""

_ONE_TO_NINE = "one two three four five six seven eight nine"
_TEN_TO_NINETEEN = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_ROUND_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_FIRST_TO_NINTH = "first second third fourth fifth sixth seventh eighth ninth"

_ONES = {name: value for value, name in enumerate(_ONE_TO_NINE.split(), 1)}
_TEENS = {name: value for value, name in enumerate(_TEN_TO_NINETEEN.split(), 10)}
_TENS = {name: 10 * value for value, name in enumerate(_ROUND_TENS.split(), 2)}
_DIGITS = {"zero": 0, **_ONES}
_BELOW_HUNDRED = _ONES | _TEENS | _TENS
_SCALES = {"trillion": 10**12, "billion": 10**9, "million": 10**6, "thousand": 10**3}
"""Largest first, the order in which they are spoken."""
_MULTIPLES = {**_SCALES, "hundred": 100, "dozen": 12}

_ORDINALS_OF_ONES = {name: value for value, name in enumerate(_FIRST_TO_NINTH.split(), 1)}
_ORDINALS_OF_SCALES = {f"{name}th": value for name, value in _SCALES.items()}
_SIMPLE_PARTS = {
    **{"half": 2, "quarter": 4, "twelfth": 12, "hundredth": 100},
    **{name: value for name, value in _ORDINALS_OF_ONES.items() if value > 2},
    **{f"{name}th": value for name, value in _TEENS.items() if value != 12},
    **{name.removesuffix("y") + "ieth": value for name, value in _TENS.items()},
    **_ORDINALS_OF_SCALES,
}
_COMPOUND_PARTS = {
    **{f"{ten}-{one}": tens + ones for ten, tens in _TENS.items() for one, ones in _ORDINALS_OF_ONES.items()},
    **{f"ten-{name}": 10 * value for name, value in _ORDINALS_OF_SCALES.items()},
    **{f"hundred-{name}": 100 * value for name, value in _ORDINALS_OF_SCALES.items()},
}
_ONE_PART = _SIMPLE_PARTS | _COMPOUND_PARTS
_MANY_PARTS = {"halves": 2, **{f"{name}s": value for name, value in _ONE_PART.items() if name != "half"}}

_PHRASE = re.compile(r"(?:[a-z]+[ -]|[0-9]{1,15} )*[a-z]+")
"""Words joined by one space or one hyphen; a hyphen after digits would be a minus sign."""
_SIGN = re.compile(r"(?:minus|negative) ")
_PERCENT = re.compile(r" ?%$| per ?cent$")
_HALF_OF = re.compile("half|half a|a half")
_GAP = re.compile(r"[ -]")


def read_words(text: str) -> Fraction | None:
    """The value of a normalised text that is one number in words, or None if it is anything else.

    Digits may take the place of the first word (`2 and a half`, `3 quarters`); digits alone are for
    `read_number`.
    """
    if len(text) > MAX_WORD_CHARS:
        return None
    spoken = text.strip().casefold()
    if not spoken.isascii():
        return read_chinese(spoken)
    sign = _SIGN.match(spoken)
    percent = _PERCENT.search(spoken)
    value = _unsigned(spoken[sign.end() if sign else 0 : percent.start() if percent else None])
    if value is None:
        return None
    return (-value if sign else value) / (100 if percent else 1)


def _unsigned(text: str) -> Fraction | None:
    if _PHRASE.fullmatch(text) is None:
        return None
    for read in (_whole, _fraction, _mixed, _decimal, _multiple):
        if (value := read(text)) is not None:
            return value
    return None


def _multiple(text: str) -> Fraction | None:
    """`three dozen`, `half a million`, `two and a half thousand`."""
    amount, _, name = text.rpartition(" ")
    if name not in _MULTIPLES:
        return None
    if _HALF_OF.fullmatch(amount):
        return Fraction(_MULTIPLES[name], 2)
    if name == "dozen" and amount == "a":
        return Fraction(12)
    readers = (_mixed, _decimal, _whole) if name == "dozen" else (_mixed, _decimal)
    count = next((value for read in readers if (value := read(amount)) is not None), None)
    return count * _MULTIPLES[name] if count is not None else None


def _mixed(text: str) -> Fraction | None:
    """`two and a half`. After `hundred` or `million` the fraction could be of it, and is not read."""
    before, _, after = text.rpartition(" and ")
    if _GAP.split(before)[-1] in _MULTIPLES:
        return None
    whole, part = _whole(before), _fraction(after)
    return whole + part if whole is not None and part is not None and part < 1 else None


def _decimal(text: str) -> Fraction | None:
    """`three point one four`: after the point, digit by digit."""
    before, point, after = text.partition(" point ")
    whole, decimals = _whole(before), [_DIGITS.get(word) for word in after.split(" ")]
    if not point or whole is None or None in decimals:
        return None
    return whole + Fraction(int("".join(map(str, decimals))), 10 ** len(decimals))


def _fraction(text: str) -> Fraction | None:
    """`half`, `three quarters`, `two-thirds`, `one twenty-fifth`, `five hundredths`."""
    if text == "half":
        return Fraction(1, 2)
    hyphened = text.replace(" ", "-")
    if hyphened in _ONE_PART or hyphened in _MANY_PARTS:
        return None  # an ordinal, or a unit without its number
    readings = list(_divided(text))
    return readings[0] if len(readings) == 1 else None


def _divided(text: str) -> Iterator[Fraction]:
    """What every way to cut the text into a count and a denominator of one or two words gives."""
    for gap in list(_GAP.finditer(text))[-2:]:
        above, below = text[: gap.start()], text[gap.end() :]
        if gap[0] == "-" and " " in above:
            continue  # in `thirty two-fifths` the hyphen says that it is not 32 fifths
        count = Fraction(1) if above in ("a", "an") else _whole(above)
        names = _ONE_PART if count == 1 else _MANY_PARTS
        denominator = names.get(below.replace(" ", "-"))
        if count is None or denominator is None or not _countable(above, count, denominator):
            continue
        yield count / denominator
        if " " in below:  # a compound without its hyphen is a guess: a second reading, to make it ambiguous
            yield count / denominator


def _countable(above: str, count: Fraction, denominator: int) -> bool:
    """Whether a count is one number for sure: `one hundred two thirds` may also be a hundred and two thirds.

    From a hundred on, only the digits of a decimal are: `two hundred fifty-six thousandths`.
    """
    if " and " in above:
        return False
    return count < 100 or (count < denominator and set(str(denominator)) == {"1", "0"})


def _whole(text: str) -> Fraction | None:
    """An integer, in words or in digits."""
    if text.isdigit():
        return Fraction(int(text)) if len(text) <= 15 else None
    if text == "zero":
        return Fraction(0)
    words = _GAP.split(text)
    if words[0] == "a" and words[1:2] and words[1] in _MULTIPLES:
        words[0] = "one"
    value = _cardinal(words) or _counted_in_hundreds(words)
    return Fraction(value) if value else None


def _cardinal(words: list[str]) -> int:
    """A positive integer, or 0 where the words are none."""
    total = 0
    for name, scale in _SCALES.items():
        if name in words:
            at = words.index(name)
            group, words = _below_thousand(words[:at]), words[at + 1 :]
            if not group:
                return 0
            total += group * scale
    if not words:
        return total
    last = _below_hundred(words[1:]) if total and words[0] == "and" else _below_thousand(words)
    return total + last if last else 0


def _counted_in_hundreds(words: list[str]) -> int:
    """`fifteen hundred`."""
    count, last = _around_hundred(words)
    hundreds = _below_hundred(count)
    if hundreds < 10 or not hundreds % 10 or last is None:
        return 0
    return 100 * hundreds + last


def _below_thousand(words: list[str]) -> int:
    if "hundred" not in words:
        return _below_hundred(words)
    count, last = _around_hundred(words)
    hundreds = _ONES.get(count[0], 0) if len(count) == 1 else 0
    return 100 * hundreds + last if hundreds and last is not None else 0


def _around_hundred(words: list[str]) -> tuple[list[str], int | None]:
    """The words before `hundred`, and the number after it: 0 where it is round, None where it is none."""
    if "hundred" not in words:
        return [], None
    at = words.index("hundred")
    rest = words[at + 1 :]
    if not rest:
        return words[:at], 0
    return words[:at], _below_hundred(rest[1:] if rest[0] == "and" else rest) or None


def _below_hundred(words: list[str]) -> int:
    if len(words) == 1:
        return _BELOW_HUNDRED.get(words[0], 0)
    if len(words) == 2 and words[0] in _TENS and words[1] in _ONES:
        return _TENS[words[0]] + _ONES[words[1]]
    return 0

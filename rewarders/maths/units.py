"""Units and currencies that follow or precede a value.

A unit is set aside so that the value can be read; two answers that both carry one must carry the same.
"""

import re

from rewarders.extraction.languages import MEASURES

_CURRENCY = re.compile(r"^([-+]?) ?(€|£|¥|₹|US\$|USD|EUR|GBP|Rs\.?) ?(?=[-+\d.])")

_KNOWN = (
    "mm|cm|dm|km|mg|kg|ml|min|hrs?|ft|inch|inches|yd|lbs?|oz|mph|kmh|Hz|st|nd|rd|th|men|days?|cents?|dollars?|"
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
_COUNTERS = (
    "页|颗|个|人|岁|天|年|月|周|日|分|枚|本|台|只|件|次|条|张|头|棵|辆|支|块|盒|箱|袋|瓶|杯|名|位|层|间|题|道|个月|小时|回|匹|歳|個|枚|개|명|시간|분"
    "|руб(?:лей|ля|ль|\\.)?|метр(?:ов|а)?|километр(?:ов|а)?|[кс]?м|кг|г|л|час(?:ов|а)?|минут[аы]?|секунд[аы]?|дн(?:ей|я)"
    "|день|лет|год(?:а)?|человека?|штук[аи]?|яблок[оа]?|градус(?:ов|а)?|متر|كيلومتر|كجم|كغ|دولار|ساعة|دقيقة|يوم|سنة|मीटर|किलो|रुपये|घंटे|दिन|साल"
)
"""What is counted or measured in other scripts. Any other word may change the value, as scales do."""
_LETTER = r"(?:k?m|[cm]m|k?g|mol|Pa|kW|[shLNJWVAKCF])"
_EXPONENT = r"(?: ?\^ ?(?:\{ ?-?[1-4] ?\}|-?[1-4]))"
_LETTER_TRAIL = re.compile(
    rf"(?: {_LETTER}|(?<=[\d )]){_LETTER}(?:{_EXPONENT}|(?= ?/)))(?: ?{_EXPONENT})?"
    rf"(?:(?: ?/ ?| ?\\cdot ?| ){_LETTER}{_EXPONENT}?){{0,3}} ?$"
    rf"| ?(?:{MEASURES}|{_COUNTERS}) ?$"
)
_TRAIL_CHARS = 80
_ENDS_A_VALUE = re.compile(r"(?:[\d)}.]|\\pi)$")

_VALUE_WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
maybe possibly perhaps probably versus alternatively unless through short raised wrong incorrect false either except
nearly almost hardly roughly approximately around without instead rather than plus
lakh lakhs crore crores quadrillion quintillion sextillion googol score pair pairs permille basis points point
thousandth thousandths millionth millionths kilo mega giga halved doubled tripled double triple twice inverse
reciprocal negated opposite factorials root roots modulo base bases remainder squares cubes powers
and or not minus plus times over than less more fewer about below above under half halves third thirds
quarter quarters fourth fourths fifth fifths sixth sixths seventh sevenths eighth eighths ninth ninths
eleventh elevenths twelfth twelfths tenth tenths hundredth hundredths
squared cubed factorial mod percent pct percentage hundred hundreds thousand thousands million millions
billion billions trillion trillions dozen dozens sin cos tan cot sec csc log exp sqrt arcsin arccos arctan
sinh cosh tanh max min gcd lcm lim base choose pi infinity inf nan theta alpha beta gamma lambda power mid
div negative remainder
"""
_CHANGE_THE_VALUE = frozenset(_VALUE_WORDS.split())
_NAMES = {
    "degree": "degrees", "foot": "feet ft", "inch": "inches in", "hour": "hrs hr h", "minute": "min", "second": "s sec",
    "meter": "m metre metres", "millimeter": "mm millimetre millimetres", "decimeter": "dm decimetre decimetres",
    "centimeter": "cm centimetre centimetres", "kilometer": "km kilometre kilometres", "gram": "g", "kilogram": "kg",
    "milligram": "mg", "liter": "l litre litres", "dollar": "usd us$", "euro": "eur €", "pound": "gbp £",
}  # fmt: skip
_SAME = {other: name for name, others in _NAMES.items() for other in others.split()}
DEGREE = "degree"
"""An angle: the one unit that is also a number, so that 120 degrees are two thirds of pi."""

_DROPPED = re.compile(r"[\s\\{}]+")


def split_unit(text: str) -> tuple[str, str]:
    """Split a normalised answer into its value and its unit; the unit is empty where there is none.

    Words that change the value ("million", "thirds", "percent", "or") are never taken for a unit.
    """
    unit = ""
    if leading := _CURRENCY.match(text):
        text, unit = leading[1] + text[leading.end() :], _one_name(leading[2])
    start = max(0, len(text) - _TRAIL_CHARS)
    trailing = _TRAIL.search(text, start)
    if trailing is None or not _ENDS_A_VALUE.search(text[: trailing.start()].rstrip()):
        return text, unit
    words = re.findall(r"[a-z]+", trailing["unit"].lower())
    if any(word in _CHANGE_THE_VALUE or word.startswith("base") for word in words):
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

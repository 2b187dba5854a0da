"""Answers that are wrong by a hair, made from one that is right: off by one, sign, operands, operators, units."""

import re
from collections.abc import Iterator

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_OPERANDS = re.compile(r"(?<![\w.])(\w+)( ?[-/^] ?)(\w+)(?![\w.])")
_PAIR = re.compile(r"\(([^(),]+), ?([^(),]+)\)")
_SIGNED = re.compile(r"-\s*")
_EXCHANGES = (
    ("+", "-"), (" - ", " + "), ("*", "+"), ("<=", "<"), (">=", ">"), ("==", "!="), (" < ", " <= "), (" > ", " >= "),
    (" and ", " or "), (" or ", " and "), ("True", "False"), ("False", "True"), ("yes", "no"), ("no", "yes"),
    ("//", "/"), ("%", "//"), ("min(", "max("), ("max(", "min("),
)  # fmt: skip
_UNITS = (("km", "m"), ("cm", "mm"), ("kg", "g"), ("hours", "minutes"), ("minutes", "seconds"), ("dollars", "cents"))
_CHOICES = "ABCDE"


def mutants(gold: str) -> list[str]:
    """Different texts, none of them `gold`, in a fixed order."""
    return [text for text in dict.fromkeys(_made(gold)) if text != gold]


def _made(gold: str) -> Iterator[str]:
    for match in _NUMBER.finditer(gold):
        for number in _near(match.group()):
            yield gold[: match.start()] + number + gold[match.end() :]
    yield from _with_other_sign(gold)
    for pattern in (_OPERANDS, _PAIR):
        for match in pattern.finditer(gold):
            yield gold[: match.start()] + _swapped(match) + gold[match.end() :]
    for old, new in _EXCHANGES:
        if old in gold:
            yield gold.replace(old, new, 1)
    for old, new in _UNITS:
        if re.search(rf"(?<![a-z]){old}(?![a-z])", gold):
            yield re.sub(rf"(?<![a-z]){old}(?![a-z])", new, gold)
    if len(gold) == 1 and gold in _CHOICES:
        yield from _CHOICES


def _near(number: str) -> Iterator[str]:
    """One more and one less in the last place, and ten times as much."""
    places = len(number.partition(".")[2])
    units = int(number.replace(".", ""))
    for other in (units + 1, units - 1):
        if other >= 0:
            digits = str(other).rjust(places + 1, "0")
            yield f"{digits[:-places]}.{digits[-places:]}" if places else digits
    if units:
        yield f"{number.replace('.', '')}0" if places == 0 else f"1{number}"


def _with_other_sign(gold: str) -> Iterator[str]:
    if _SIGNED.match(gold):
        yield _SIGNED.sub("", gold, count=1)
    elif gold[:1].isdigit() and gold.strip("0.,"):
        yield f"-{gold}"


def _swapped(match: re.Match[str]) -> str:
    whole = match.group()
    if len(match.groups()) == 3:
        return f"{match[3]}{match[2]}{match[1]}"
    return whole if match[1].strip() == match[2].strip() else f"({match[2]}, {match[1]})"

"""Dates, days of the week and times of day: `8:34 p.m.`, `20:34:00`, `March 5, 2021`, `Tuesday at noon`.

Dates in digits alone are read in ISO order only: `3/5/2021` is a day in March to some and in May to others.
"""

import re
from calendar import day_name, month_name
from dataclasses import dataclass, replace
from datetime import date

MAX_MOMENT_CHARS = 80
"""Longer than any date with its time; what is longer is not looked at."""

_LEAP_YEAR = 2000
"""Stands for a year that is not said: its February has every day that a February may have."""

_FULL_MONTHS = {name.lower(): number for number, name in enumerate(month_name) if name}
_MONTHS = {**_FULL_MONTHS, **{name[:3]: number for name, number in _FULL_MONTHS.items()}, "sept": 9}
_WEEKDAYS = {name.lower(): number for number, name in enumerate(day_name)}

_CLOCK = (
    r"(?P<hour>\d{1,2})(?:(?: ?: ?|(?P<dot>\.))(?P<minute>\d\d)(?: ?: ?(?P<second>\d\d))?)?"
    r"(?P<oclock> ?o'?clock)?(?: ?(?P<half>[ap](?:\. ?)?m\.?|in the (?:morning|afternoon|evening)))?"
)
_TIME = rf"(?:(?:12(?::00)? )?(?P<named>noon|midnight)|{_CLOCK})"
_NUMBER = r"\d{1,2}(?: ?\^? ?\{? ?(?:st|nd|rd|th) ?\}?)?"
_MONTH = rf"(?:{'|'.join(_MONTHS)})\b\.?"
_THEN = r"(?: ?, ?| )"
_DATE = (
    r"(?:(?P<iso>\d{4}-\d\d-\d\d)"
    rf"|(?P<month>{_MONTH}) ?(?P<day>{_NUMBER})(?:{_THEN}(?P<year>\d{{4}}))?"
    rf"|(?:the )?(?P<day_first>{_NUMBER}) ?(?:of )?(?P<month_second>{_MONTH})(?:{_THEN}(?P<year_last>\d{{4}}))?)"
)
_WEEKDAY = "|".join(_WEEKDAYS)
_DAY = rf"(?:(?:(?P<weekday>{_WEEKDAY}){_THEN})?{_DATE}|(?P<weekday_alone>{_WEEKDAY}))"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?:at )?{_TIME}",
        rf"(?:on )?{_DAY}(?:(?:{_THEN}(?:at )?|(?<=-\d\d)T){_TIME})?",
        rf"(?:at )?{_TIME}{_THEN}(?:on )?{_DAY}",
    )
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, a weekday, a time of day, or one of the first two with a time. What is not said is None."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    weekday: int | None = None
    """0 is Monday. None where there is a year, because the date says it."""
    second_of_day: int | None = None
    """On the 24-hour clock, so that a bare `8:34` is in the morning."""
    states_half: bool = False
    """Which half of the day is said: am, pm, noon, midnight."""
    leaves_half_open: bool = False
    """It may be in either half: `8:34` and `8 o'clock`, but neither `08:34` nor `20:34`."""
    could_be_ratio: bool = False
    """Numbers and colons alone, as in `2:10`. No number of a ratio is written `00` or `05`."""


def read_moment(text: str) -> Moment | None:
    """The moment that the whole of a normalised text names; None if it names none, or one that never was."""
    named = text.strip()
    if len(named) > MAX_MOMENT_CHARS or not named.isascii():
        return None
    said = next((match.groupdict() for form in _FORMS if (match := form.fullmatch(named))), None)
    return _on_day(said) if said is not None else None


def same_moment(expected: Moment, answer: Moment) -> bool:
    """Whether an answer is the expected moment, said as fully.

    Missing seconds are `:00`. `8:34` is `08:34` and never `20:34`; where the expected time says am or pm the
    answer must say it too, or spell its hour as a 24-hour clock does.
    """
    half_is_missing = expected.states_half and answer.leaves_half_open
    return not half_is_missing and _when(expected) == _when(answer)


def _when(moment: Moment) -> tuple[int | None, ...]:
    return moment.year, moment.month, moment.day, moment.weekday, moment.second_of_day


def _on_day(said: dict[str, str | None]) -> Moment | None:
    weekday = _WEEKDAYS.get((said.get("weekday") or said.get("weekday_alone") or "").lower())
    try:
        year, month, day = _calendar_day(said)
        if year is not None and weekday not in (None, date(year, month or 0, day or 0).weekday()):
            return None
    except ValueError:  # there is no such day
        return None
    on_day = Moment(year, month, day, weekday if year is None else None)
    if said.get("named"):
        return replace(on_day, second_of_day=43_200 if said["named"] == "noon" else 0, states_half=True)
    return _at_time(on_day, said) if said.get("hour") else on_day


def _calendar_day(said: dict[str, str | None]) -> tuple[int | None, int | None, int | None]:
    """Year, month and day, each None where it is not said; ValueError if there is no such day."""
    if iso := said.get("iso"):
        found = date.fromisoformat(iso)
        return found.year, found.month, found.day
    name = said.get("month") or said.get("month_second")
    number = re.match(r"\d+", said.get("day") or said.get("day_first") or "")
    if name is None or number is None:
        return None, None, None
    written_year = said["year"] or said["year_last"]
    year = int(written_year) if written_year else None
    found = date(_LEAP_YEAR if year is None else year, _MONTHS[name.lower().rstrip(".")], int(number[0]))
    return year, found.month, found.day


def _at_time(on_day: Moment, said: dict[str, str | None]) -> Moment | None:
    hour, minute, second = (said[part] or "" for part in ("hour", "minute", "second"))
    half = _half(said["half"] or "", int(hour))
    if not (minute or half or said["oclock"]) or (said["dot"] and not half):
        return None
    on_the_face = 1 <= int(hour) <= 12
    if (half and not on_the_face) or int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 59:
        return None
    hours = int(hour) % 12 + 12 * (half == "p") if half else int(hour)
    has_zero_in_front = any(part.startswith("0") for part in (hour, minute, second))
    return replace(
        on_day,
        second_of_day=3600 * hours + 60 * int(minute or 0) + int(second or 0),
        states_half=bool(half),
        leaves_half_open=not half and on_the_face and not hour.startswith("0"),
        could_be_ratio=on_day == Moment() and not (half or said["oclock"] or has_zero_in_front),
    )


def _half(said: str, hour: int) -> str:
    """`a` or `p`, or nothing where it is not said. Twelve in the evening is not said."""
    if not said.lower().startswith("in the"):
        return said[:1].lower()
    if said.lower().endswith("morning"):
        return "a"
    return "p" if hour != 12 or said.lower().endswith("afternoon") else ""

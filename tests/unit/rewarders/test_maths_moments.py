"""Dates and times of day."""

from datetime import date, datetime, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewarders.maths.moments import Moment, read_moment, same_moment
from rewarders.maths.normalise import normalise

untimed = settings(deadline=None)


def _read(text: str) -> Moment | None:
    return read_moment(normalise(text))


def _same(expected: str, answer: str) -> bool:
    wanted, given_moment = _read(expected), _read(answer)
    assert wanted is not None
    assert given_moment is not None
    return same_moment(wanted, given_moment)


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("20:34:00", "20:34"),
        ("20:34", "8:34 pm"),
        ("20:34", r"8:34 \text{P.M.}"),
        ("20:34", r"8:34\text{ p.m.}"),
        ("8:34 pm", "20:34"),
        ("8:34 am", "08:34"),
        ("8:34", "08:34"),
        ("08:34", "8:34"),
        ("8 pm", "8:00 PM"),
        ("8 pm", "8 o'clock in the evening"),
        ("8:30 pm", "8.30 pm"),
        ("8 o'clock", "8:00"),
        ("8 o’clock", "8 o'clock"),
        ("noon", "12 pm"),
        ("12 noon", "12:00 p.m."),
        ("midnight", "12 am"),
        ("midnight", "00:00"),
        ("at 8 am", "8 in the morning"),
        ("２０：３４", "20:34"),
    ],
)
def test_one_time_of_day_has_many_spellings(expected: str, answer: str) -> None:
    assert _same(expected, answer)


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("20:34", "9:34 P.M."),
        ("20:34", "8:34"),
        ("8:34", "20:34"),
        ("8:34", "8:34 pm"),
        ("8:34 pm", "8:34"),
        ("8:34 am", "8:34"),
        ("8:34 am", "8:34 pm"),
        ("20:34:00", "20:34:01"),
        ("noon", "midnight"),
        ("12 am", "12 pm"),
        ("12:00", "1:00"),
        ("8 pm", "March 5, 8 pm"),
        ("8 pm", "Tuesday"),
    ],
)
def test_other_times_are_not_the_same(expected: str, answer: str) -> None:
    assert not _same(expected, answer)


@pytest.mark.parametrize(
    "answer",
    [
        "March 5, 2021",
        "March 5 2021",
        "MARCH 5th, 2021",
        "Mar. 5, 2021",
        "5 March 2021",
        "5th of March, 2021",
        "the 5th of March 2021",
        r"March 5$^{\text{th}}$, 2021",
        "2021-03-05",
        "on Friday, March 5, 2021",
    ],
)
def test_one_date_has_many_spellings(answer: str) -> None:
    assert _same("March 5, 2021", answer)


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("March 5, 2021", "March 6, 2021"),
        ("March 5, 2021", "May 3, 2021"),
        ("March 5, 2021", "March 5, 2022"),
        ("March 5, 2021", "March 5"),
        ("March 5", "March 5, 2021"),
        ("Tuesday", "Wednesday"),
        ("Tuesday", "Tuesday, March 2, 2021"),
        ("Tuesday at 3 pm", "Tuesday"),
        ("March 5, 2021 at 3 pm", "March 5, 2021 at 3 am"),
    ],
)
def test_other_dates_are_not_the_same(expected: str, answer: str) -> None:
    assert not _same(expected, answer)


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("Tuesday", "TUESDAY"),
        ("Tuesday", "on Tuesday"),
        ("Tuesday at noon", "12 pm on Tuesday"),
        ("Friday, March 5, 2021, 8:34 pm", "2021-03-05T20:34"),
        ("March 5, 2021 at 8:34 pm", "8:34 p.m., 5 March 2021"),
    ],
)
def test_days_may_carry_a_time(expected: str, answer: str) -> None:
    assert _same(expected, answer)


NO_MOMENTS = (
    "8 | 20 | 8.30 | 2:75 | 24:00 | 25:00 | 8:34:60 | 1:2 | 1:2:3 | 13 pm | 0 am | 20:34 pm | 3 p | 3 m | "
    "12 in the evening | 8:34, 8:35 | 8:34 or 8:35 | 8 pm or 9 pm | not 8 pm | 8 pm EST | 3/5/2021 | 5.3.2021 | "
    "2021-3-5 | 2021-02-29 | 2021-13-01 | 0000-01-01 | February 30 | Feb 29, 2021 | June 31 | March 0 | March 32 | "
    "March 5, 20215 | March | 2021 | Thursday, March 5, 2021 | Tuesdays | Tue | Sun | may | second | "
    "Tuesday or Wednesday | Tuesday, Tuesday"
)


@pytest.mark.parametrize("text", ["", *NO_MOMENTS.split(" | ")])
def test_what_names_no_moment_is_left_to_others(text: str) -> None:
    assert _read(text) is None


@pytest.mark.parametrize("text", ["2:10", "20:34", "2 : 10", "10:20:30"])
def test_numbers_and_colons_alone_could_be_a_ratio(text: str) -> None:
    moment = _read(text)
    assert moment is not None
    assert moment.could_be_ratio


@pytest.mark.parametrize("text", ["2:10 pm", "12:00", "2:05", "02:10", "20:34:00", "Tuesday, 2:10", "2:10 o'clock"])
def test_what_says_more_or_has_a_leading_zero_is_no_ratio(text: str) -> None:
    moment = _read(text)
    assert moment is not None
    assert not moment.could_be_ratio


def test_a_year_that_is_not_said_may_be_a_leap_year() -> None:
    assert _same("Feb 29", "29 February")


@untimed
@given(st.times())
def test_every_time_is_read_back_from_both_clocks(moment: time) -> None:
    second_of_day = 3600 * moment.hour + 60 * moment.minute + moment.second
    for spelling in ("%H:%M:%S", "%I:%M:%S %p"):
        read = _read(moment.strftime(spelling))
        assert read is not None
        assert read.second_of_day == second_of_day


@untimed
@given(st.dates(min_value=date(1000, 1, 1)))
def test_every_date_is_read_back(day: date) -> None:
    for spelling in ("%Y-%m-%d", "%B %d, %Y", "%d %b %Y", "%A, %d %B %Y"):
        read = _read(day.strftime(spelling))
        assert read is not None
        assert (read.year, read.month, read.day) == (day.year, day.month, day.day)


@untimed
@given(st.datetimes(min_value=datetime(1000, 1, 1)), st.sampled_from(["%B %d, %Y at %H:%M", "%I:%M %p on %d %B %Y"]))
def test_every_date_with_a_time_equals_its_iso_spelling(moment: datetime, spelling: str) -> None:
    assert _same(moment.strftime("%Y-%m-%dT%H:%M:00"), moment.strftime(spelling))


@pytest.mark.parametrize("piece", ["1", "1:", "March ", " ", "^{", "12:00", "th", "Tuesday, "])
def test_a_text_longer_than_any_date_is_not_looked_at(piece: str) -> None:
    assert read_moment("8:34" + piece * (200_000 // len(piece)) + "x") is None

"""Numbers written in words."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewarders.maths.normalise import normalise
from rewarders.maths.words import read_words

untimed = settings(deadline=None)

BELOW_TWENTY = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
ONES = BELOW_TWENTY.split()
ROUND_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
TENS = ROUND_TENS.split()
SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
SECTIONS = ((10**8, "亿"), (10**4, "万"), (1000, "千"), (100, "百"), (10, "十"))


def _read(text: str) -> Fraction | None:
    return read_words(normalise(text))


def _spell(value: int, joined: str = "-", last: str = " ") -> str:
    """In English: `joined` stands between tens and ones, `last` before what follows a hundred or a thousand."""
    if value < 20:
        return ONES[value - 1] if value else "zero"
    if value < 100:
        return TENS[value // 10 - 2] + (joined + ONES[value % 10 - 1] if value % 10 else "")
    scale, name = next(each for each in SCALES if each[0] <= value)
    count, rest = divmod(value, scale)
    before_rest = last if rest < 100 else " "
    return f"{_spell(count, joined, last)} {name}" + (before_rest + _spell(rest, joined, last) if rest else "")


def _spell_in_chinese(value: int) -> str:
    if value < 10:
        return "零一二三四五六七八九"[value]
    scale, sign = next(each for each in SECTIONS if each[0] <= value)
    count, rest = divmod(value, scale)
    skips_a_place = rest and rest < scale // 10
    return _spell_in_chinese(count) + sign + "零" * bool(skips_a_place) + (_spell_in_chinese(rest) if rest else "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("twelve", 12),
        ("Twelve.", 12),
        (r"\text{twelve}", 12),
        ("TWENTY-ONE", 21),
        ("twenty one", 21),
        ("twenty–one", 21),
        ("zero", 0),
        ("a hundred", 100),
        ("one-hundred-and-five", 105),
        ("one hundred five", 105),
        ("two million three hundred thousand", 2_300_000),
        ("one thousand and one", 1001),
        ("fifteen hundred and two", 1502),
        ("twenty-one hundred", 2100),
        ("nine hundred ninety-nine trillion", 999 * 10**12),
        ("minus five", -5),
        ("negative two", -2),
        ("negative two thirds", Fraction(-2, 3)),
    ],
)
def test_integers_are_read(text: str, value: Fraction | int) -> None:
    assert _read(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("half", Fraction(1, 2)),
        ("a half", Fraction(1, 2)),
        ("one-half", Fraction(1, 2)),
        ("three halves", Fraction(3, 2)),
        ("an eighth", Fraction(1, 8)),
        ("three quarters", Fraction(3, 4)),
        ("two-thirds", Fraction(2, 3)),
        ("seven eighths", Fraction(7, 8)),
        ("five twelfths", Fraction(5, 12)),
        ("five hundredths", Fraction(5, 100)),
        ("one twenty-fifth", Fraction(1, 25)),
        ("three thirty-seconds", Fraction(3, 32)),
        ("twenty-five hundredths", Fraction(25, 100)),
        ("three ten-thousandths", Fraction(3, 10_000)),
        ("two hundred-thousandths", Fraction(2, 100_000)),
        ("two hundred fifty-six thousandths", Fraction(256, 1000)),
        ("two and a half", Fraction(5, 2)),
        ("one and three quarters", Fraction(7, 4)),
        ("one hundred and five and two thirds", 105 + Fraction(2, 3)),
        ("minus two and a half", Fraction(-5, 2)),
        ("2 and a half", Fraction(5, 2)),
        ("3 sevenths", Fraction(3, 7)),
        ("three point one four", Fraction(314, 100)),
        ("zero point zero five", Fraction(1, 20)),
    ],
)
def test_parts_of_one_are_read(text: str, value: Fraction) -> None:
    assert _read(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a dozen", 12),
        ("half a dozen", 6),
        ("three dozen", 36),
        ("one and a half dozen", 18),
        ("half a million", 500_000),
        ("two and a half thousand", 2500),
        ("two point five million", 2_500_000),
        ("fifty percent", Fraction(1, 2)),
        ("two and a half per cent", Fraction(1, 40)),
    ],
)
def test_multiples_and_percents_are_read(text: str, value: Fraction | int) -> None:
    assert _read(text) == value


NO_WORDS = (
    "a | and | hundred | dozen | third | one two | twenty thirteen | thirteen one | hundred hundred | "
    "two thousand three million | two thousand five thousand | one hundred and | twenty and five | and five | "
    "one thousand and one hundred | zero five | two million zero | twenty - one | one thousand, five | "
    "two  or three | two third | one halves | two seconds | thirty seconds | 1-half | 2 3 quarters | "
    "three point fourteen | two point | four or five | twelve apples | not twelve | one-to-one | minus minus one | "
    "minus | 42 | 1/2"
)


@pytest.mark.parametrize("text", ["", *NO_WORDS.split(" | "), "9" * 5000, "9" * 200 + " thirds"])
def test_what_is_not_one_number_in_words_is_left_to_others(text: str) -> None:
    assert _read(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "two hundred thousandths",  # 200/1000 or 2/100000
        "ten thousandths",
        "one twenty fifth",
        "thirty two-fifths",  # 32/5 or 30 times 2/5
        "one hundred and two thirds",  # 102/3 or 100 2/3
        "one hundred two thirds",
        "one hundred two tenths",
        "two-hundred and a half",  # 200.5 or 250
        "two million and a half",  # 2500000 or 2000000.5
        "two and five halves",
    ],
)
def test_what_can_be_heard_in_two_ways_is_not_read(text: str) -> None:
    assert _read(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("十二", 12),
        ("一十二", 12),
        ("三百零五", 305),
        ("两百", 200),
        ("〇", 0),
        ("三百五十", 350),
        ("二十万五千", 205_000),
        ("一亿零三万", 100_030_000),
        ("兩萬", 20_000),
        ("负五", -5),
        ("二分之一", Fraction(1, 2)),
        ("负三分之二", Fraction(-2, 3)),
        ("百分之五", Fraction(5, 100)),
        ("百分之百。", 1),
    ],
)
def test_chinese_numerals_are_read(text: str, value: Fraction | int) -> None:
    assert _read(text) == value


NO_CHINESE_NUMERALS = (
    "百 | 一二 | 二〇二一 | 十十 | 两十 | 二十两 | 三百五 | 一万二 | 三千五十 | 零五 | 三百零 | 十二个 | "
    "二分之 | 分之一 | 零分之一 | 二分之一分之一 | 一万亿 | 一百万万 | -十二 | 十二十二 | ー | é"
)


@pytest.mark.parametrize("text", NO_CHINESE_NUMERALS.split(" | "))
def test_what_is_not_one_proper_chinese_numeral_is_left_to_others(text: str) -> None:
    assert _read(text) is None


@untimed
@given(st.integers(0, 10**9), st.sampled_from("- "), st.sampled_from([" ", " and "]))
def test_every_integer_is_read_back_from_its_words(value: int, joined: str, last: str) -> None:
    assert read_words(_spell(value, joined, last)) == value
    assert read_words("minus " + _spell(value, joined, last)) == -value


@untimed
@given(st.integers(0, 10**9))
def test_every_integer_is_read_back_from_its_chinese_words(value: int) -> None:
    assert read_words(_spell_in_chinese(value)) == value


@untimed
@given(st.lists(st.sampled_from(["zero", *ONES, *TENS, *(name for _, name in SCALES)]), max_size=6))
def test_words_that_are_read_are_the_proper_words_of_their_value(words: list[str]) -> None:
    value = read_words(" ".join(words))
    if value is not None and "hundred" not in words[1:2]:  # `fifteen hundred` is proper enough
        assert _spell(int(value), " ").split() == words


@untimed
@given(st.lists(st.sampled_from("零一二三四五六七八九十百千万亿"), max_size=7).map("".join))
def test_chinese_numerals_that_are_read_are_the_proper_ones(numeral: str) -> None:
    value = read_words(numeral)
    if value is not None:
        assert _spell_in_chinese(int(value)) in (numeral, "一" + numeral)


@pytest.mark.parametrize("piece", ["one ", "and ", "one-", "half ", "hundred ", "一", "分之", " "])
def test_a_text_longer_than_any_number_is_not_looked_at(piece: str) -> None:
    assert read_words(piece * (200_000 // len(piece))) is None

"""Answers that once were taken for right, and the ones beside them that are: found by attacking the verifier."""

import pytest

from rewarders.maths import verify

NO_FIVE = """
5万|5百|5만|5천|5십|5半|5分之一|5倍|5割|5 тысяч|5 миллионов|5 lakh|5 crore|5 quadrillion|5 googol|5 score|5 pairs
5 permille|5 basis points|5 thousandth|5 kilo|5 mega|5 halved|5 doubled|5 double|5 inverse|5 reciprocal|5 negated
5 factorials|5 roots|5 modulo|5 baseseven|5 maybe six|5 possibly seven|5 versus six|5 alternatively six|5 unless six
5 through eight|5 short of seven
5 raised to seven|5 wrong|5 incorrect|5 either|5 except|5 nearly|5不是|5以上|5 или|wrong: 5|false: 5
incorrect = 5|Wrong=5|maybe = 5|5 pm|5 am|5"|3 sevenths|4 \\approx 5|x = 4 ≈ 5|i = 5|x\\in 5|x \\equiv 5
"""

NEAR_MISSES = {
    "a power of one letter": [
        ("ab^2", "a^2b^2"), ("2xy^2", "2x^2y^2"), ("xyz^2", "x^2y^2z^2"), ("xe^x", "(xe)^x"), ("(xy)!", "xy!"),
    ],
    "a thousands separator and a list": [
        (r"\{0,1\}", "1,000"), ("(1,2)", "(1,002)"), ("(1,0)", "(1,000)"), (r"10,000\pi", "10, 0"), ("1,000", "1, 0"),
        ("1,000,000", "1,0,0"), ("1,002", "2, 1"), ("1,234 km", "1, 234"), ("(1,000, 2)", "(1, 0, 2)"),
        ("5, 7", "5,007"), ("2,500", "2, 500"), ("(1,234)", "1234"), ("12", "12,0"),
    ],
    "primes and seconds": [("f", "f'"), ("y''", "y"), ("x'", "x"), ("AB'", "AB"), ("5'", '5"'), ("30°", "30'")],
    "currencies": [(r"\$5", "5 cents"), (r"\$5", "€5"), ("$10", "10 euros")],
    "values by their names": [
        ("(1,2)", "y=1,x=2"), ("(1,2)", "x=1,x=2"), ("x=1,x=2", "(1,2)"), ("(1,2)", "(y,x)=(1,2)"), ("x=1,y=2", "2,1"),
        ("(1,2,3)", "(a,c,b)=(1,2,3)"), ("(1,2)", "(x,x)=(1,2)"), ("A=3,B=1", "1,3"), ("0", "x+y=0"),
        ("100", r"\pi = 100"), ("7", "e = 7"), ("3.14", r"\pi = 3.14"),
    ],
    "inverse functions": [("f^{-1}(2)", "2/f"), ("f^{-1}(x)", "1/f(x)")],
    "and for or": [("x<-2 or x>3", "x<-2 and x>3")],
    "values beside a set": [("x > 3", "x > 3, 5"), ("(0,3]", "(0,3], 2"), (r"x \ne 0", r"x\ne 0, 1")],
    "boundaries that nearly meet": [("[0,2]", r"[0,1]\cup[1.00000000000000000001,2]")],
    "approximations": [("2", r"1 \approx 2"), ("0", r"\frac12 \approx 0"), ("100", "99 ≈ 100"), ("3", r"\pi ≈ 3")],
    "a choice and its text": [
        (r"\textbf{(B) } 12", "C"), (r"\textbf{(B) } 12", "13"), ("15", "(C) 16"), ("B", "B. wrong"),
    ],
    "values that nearly agree": [("1/2", "1/2 or 0.51"), ("4", "4, 5, 4")],
    "dots": [("0.142", "0.142..."), ("5 pm", "5"), ("8 pm", "8")],
}  # fmt: skip

RIGHT = {
    "a power of one letter": [("ab^2", "a b^2"), ("xe^x", "x e^x"), ("y=Ce^x", "y=ke^x"), ("ae^{bx}", "a e^{bx}")],
    "thousands separators": [
        ("2^{10}", "1,024"), ("10!", "3,628,800"), ("1000", "x = 1,000"), (r"1000\pi", r"1,000\pi"),
        ("x<1000", "x<1,000"), ("(1000, 2000)", "(1,000, 2,000)"), ("1,000 and 2,000", "1000 and 2000"),
        (r"\{1,000, 2,000\}", r"\{1000,2000\}"), ("2^{20}", "1 048 576"),
    ],
    "units behind more than a number": [
        (r"10\pi", r"10\pi \text{ cm}^2"), (r"10\pi", r"A = 10\pi cm^2"), (r"4\sqrt3", r"4\sqrt3 \text{ m}"),
        ("5", "t = 5 s"), ("5", "v = 5 m/s"), ("9.8 m/s^2", "9.8"),
    ],
    "names": [
        ("113", "m+n = 113"), ("5", "m + n = 2 + 3 = 5"), ("60", r"\angle ABC = 60^\circ"), ("5", "|AB|=5"),
        ("5", r"\overline{AB}=5"), (r"\frac12", r"\cos\theta=\frac12"), (r"\frac12", r"P(A \cap B)=\frac12"),
        ("x=3,y=4", "(3,4)"), ("(3,4)", "x=3, y=4"), ("x=3 or x=5", "5, 3"), ("16,3,1,1", "w=16, d=3, a=1, b=1"),
    ],
    "whole numbers as parameters": [
        (r"x=\frac\pi4+k\pi", r"\frac\pi4+n\pi, n\in\mathbb{Z}"),
        (r"k\pi, k\in\mathbb{Z}", r"n\pi, n\in\mathbb{Z}"),
    ],
    "signs before a value": [("17", "≈17"), ("17", "=17"), ("$20", "20 dollars"), ("'yes'", "yes"), ("5'", "5'")],
    "a choice and its text": [
        (r"\textbf{(B) } 12", "B"), (r"\textbf{(B) } 12", "12"), ("15", r"\boxed{\textbf{(C) } 15}"), ("B", "(B) 12"),
    ],
    "one value in several forms": [("1/2", r"\frac{1}{2} \text{ or } 0.5"), ("3", "x=3, x=3")],
    "French intervals": [("(1,2)", "]1,2["), ("[1,2)", "[1;2["), (r"[1,2)\cup(3,4)", r"[1,2[ \cup ]3,4[")],
}  # fmt: skip

NO_CRASH = [
    "x" + "!%" * 400, r"\setminus".join(["(1,2)"] * 1500), r"\cap".join(["5"] * 2000), r"\log_2e5", r"\frac1e5",
    r"\sqrt2e5", r"\max\{\}", r"i\max\emptyset",
]  # fmt: skip


def pairs(table: dict[str, list[tuple[str, str]]]) -> list[object]:
    return [pytest.param(*pair, id=f"{name}: {' | '.join(pair)}") for name, rows in table.items() for pair in rows]


@pytest.mark.parametrize("answer", [answer for line in NO_FIVE.strip().splitlines() for answer in line.split("|")])
def test_five_with_something_that_changes_it_is_not_five(answer: str) -> None:
    assert verify("5", answer.replace("\\\\", "\\")).score == 0


@pytest.mark.parametrize(("expected", "answer"), pairs(NEAR_MISSES))
def test_a_near_miss_is_a_miss(expected: str, answer: str) -> None:
    assert verify(expected, answer).score == 0


@pytest.mark.parametrize(("expected", "answer"), pairs(RIGHT))
def test_what_stands_beside_the_near_misses_is_right(expected: str, answer: str) -> None:
    assert verify(expected, answer).score == 1


@pytest.mark.parametrize("text", NO_CRASH, ids=lambda text: text[:20])
def test_odd_chains_of_signs_get_a_verdict_on_either_side(text: str) -> None:
    assert verify("5", text).score == 0
    assert verify(text, "5").score == 0

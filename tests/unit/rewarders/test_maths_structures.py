"""What answers are made of: for each feature, references with the answers that are right and some that are not."""

from collections.abc import Sequence

import pytest

from rewarders.maths import verify

Row = tuple[str, Sequence[str], Sequence[str]]
"""A reference, right answers, wrong answers."""

FEATURES: dict[str, list[Row]] = {
    "matrices and vectors": [
        (
            r"\begin{pmatrix}1&2\\3&4\end{pmatrix}",
            [
                r"\begin{bmatrix}1&2\\3&4\end{bmatrix}",
                r"A = \begin{pmatrix}1&2\\3&2^2\end{pmatrix}",
                r"\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}",
            ],
            [
                r"\begin{pmatrix}1&3\\2&4\end{pmatrix}",
                r"\begin{pmatrix}1&2\\3&5\end{pmatrix}",
                "(1,2,3,4)",
                r"\begin{pmatrix}1&2&3&4\end{pmatrix}",
                r"\begin{pmatrix}1&2\end{pmatrix}",
                r"\begin{vmatrix}1&2\\3&4\end{vmatrix}",
                r"2\begin{pmatrix}1&2\\3&4\end{pmatrix}",
            ],
        ),
        (r"\begin{pmatrix} \frac12 \\ 3 \end{pmatrix}", [r"\begin{array}{c}0.5\\3\end{array}"], []),
        (r"\begin{pmatrix}1\\2\\3\end{pmatrix}", ["(1, 2, 3)"], []),
        (r"\begin{pmatrix}1&2&3\end{pmatrix}", [r"\langle 1,2,3\rangle"], []),
        (r"\begin{pmatrix}2&4\\6&8\end{pmatrix}", [r"2\begin{pmatrix}1&2\\3&4\end{pmatrix}"], []),
        (
            r"\begin{pmatrix}1&0\\0&1\end{pmatrix}",
            [r"\begin{pmatrix}1&1\\0&1\end{pmatrix}\begin{pmatrix}1&-1\\0&1\end{pmatrix}"],
            ["1"],
        ),
        (r"\begin{pmatrix}\frac12&1\\\frac32&2\end{pmatrix}", [r"\frac{1}{2}\begin{pmatrix}1&2\\3&4\end{pmatrix}"], []),
        ("-2", [r"\begin{vmatrix}1&2\\3&4\end{vmatrix}"], []),
        (r"\begin{pmatrix}x^2-1\\0\end{pmatrix}", [r"\begin{pmatrix}(x-1)(x+1)\\0\end{pmatrix}"], []),
        (
            r"\begin{pmatrix}1\\2\end{pmatrix}",
            [r"\begin{pmatrix}1\\[2pt]2\end{pmatrix}"],
            ["(2, 1)", r"\{1, 2\}", r"\begin{pmatrix}1&2\end{pmatrix}", "1, 2"],
        ),
        (
            r"\begin{pmatrix}4\\6\end{pmatrix}",
            [r"\begin{pmatrix}1\\2\end{pmatrix}+\begin{pmatrix}3\\4\end{pmatrix}"],
            [],
        ),
        ("2", [], [r"\begin{vmatrix}1&2\\3&4\end{vmatrix}"]),
        ("10", [], [r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"]),
    ],
    "sets, unions, set-builders and inequalities": [
        (r"\{1,2\}", [r"\{2,1\}", "{1, 2}", "1, 2", "1 and 2"], [r"\{1,2,3\}", "(1,2)", r"\{1\}", r"\{1,1,2\}"]),
        (r"\emptyset", [r"\{\}", r"\varnothing", "∅", "no solution"], ["0", r"\{0\}"]),
        (
            r"(-\infty,2)\cup(2,\infty)",
            [
                r"\mathbb{R}\setminus\{2\}",
                r"x \ne 2",
                r"\mathbb{R}\backslash\{2\}",
                r"\{x : x \ne 2\}",
                r"\{x \in \mathbb{R} \mid x < 2 \text{ or } x > 2\}",
            ],
            [r"\mathbb{R}", r"\mathbb{R}\setminus\{3\}", "x = 2"],
        ),
        ("[1,3]", [r"[0,3]\cap[1,5]"], [r"[0,3]\cup[1,5]", "(1,3)"]),
        (
            "[1,3)",
            [r"\{x \mid 1 \le x < 3\}", r"1 \le x < 3", r"x \ge 1 \text{ and } x < 3", r"x \in [1, 3)"],
            ["1 < x < 3", r"x \ge 1 \text{ or } x < 3"],
        ),
        (r"(-\infty,1]\cup[3,\infty)", [r"x \le 1 \text{ or } x \ge 3", r"x \le 1 \lor x \ge 3"], [r"3 \le x \le 1"]),
        ("(0,2)", [r"(0,1]\cup(1,2)"], [r"(0,1)\cup(1,2)", "[0,2]"]),
        ("(0,2]", [r"(0,2)\cup\{2\}"], []),
        (r"\mathbb{R}", [r"(-\infty,\infty)", "all real numbers"], [r"\mathbb{Z}", r"[0,\infty)"]),
        ("(-∞, ∞)", ["ℝ"], []),
        ("x > 3", ["3 < x", "x ∈ (3, ∞)", "2x > 6"], ["x < 3", r"x \ge 3", "y > 3", "3", "x = 4"]),
        (r"x \ge \frac12", ["x ≥ 0.5"], []),
        ("1 < x < 2", ["2 > x > 1"], []),
        ("-2x > 6", [], ["x > -3"]),
        ("(1, 2)", [], [r"\{1, 2\}"]),
        ("[1,2]", [], [r"\{1,2\}"]),
        ("(1, 3)", [], ["2"]),
    ],
    "intervals with outward brackets": [
        ("(1,2]", ["]1,2]"], []),
        ("(1,2)", [], ["]1,2]", "]2,1["]),
        ("[1,2]", [], ["]1,2["]),
        ("[1,2)", [], ["[1,3["]),
    ],
    "sums, products, limits, integrals and derivatives": [
        ("55", [r"\sum_{k=1}^{10} k"], [r"\sum_{k=1}^{9} k"]),
        ("385", [r"\sum_{k=1}^{10} k^2"], []),
        ("24", [r"\prod_{j=1}^{4} j"], []),
        (r"\frac{n(n+1)}{2}", [r"\sum_{k=1}^{n} k"], []),
        ("2", [r"\sum_{k=0}^{\infty} \frac{1}{2^k}", r"\int_0^{\pi} \sin x \, dx"], []),
        ("1", [r"\lim_{x\to 0} \frac{\sin x}{x}"], [r"\lim_{x\to 0} \frac{\sin 2x}{x}", r"\lim_{x\to 0}\frac{|x|}{x}"]),
        ("e", [r"\lim_{n\to\infty} (1+\frac1n)^n"], []),
        (r"\frac13", [r"\int_0^1 x^2 dx"], [r"\int_0^2 x^2 dx"]),
        (r"\frac{x^3}{3}+C", [r"\int x^2 dx + C"], []),
        ("2x", [r"\frac{d}{dx} x^2", r"\frac{d}{dx}(x^2)"], [r"\frac{d}{dx} x^3"]),
        (r"\cos x", [r"\frac{d}{dx}\sin x"], []),
        ("6", [r"\sum_{i=1}^{3} i"], []),
        (r"\sum_{k=1}^n k^2", [r"\sum_{j=1}^n j^2"], [r"\sum_{j=1}^n j^3"]),
        ("54", [], [r"\sum_{k=1}^{10} k"]),
        (r"\frac{x^3}{3}", [], [r"\int x^3 dx"]),
        ("x^2", [], [r"\frac{d}{dx} x^2"]),
        ("25", [], [r"\prod_{j=1}^4 j"]),
        (r"\frac{n(n-1)}{2}", [], [r"\sum_{k=1}^{n} k"]),
        (r"\infty", [], [r"\sum_{k=0}^{\infty} \frac{1}{2^k}"]),
        ("0", [], [r"\lim_{x\to 0} \frac1x", r"\int_{-1}^{1}\frac1x dx"]),
        ("-2", [], [r"\int_{-1}^{1} \frac{1}{x^2} dx"]),
    ],
    "floor, ceiling, divisors, extremes, remainders": [
        (
            "3",
            [r"\lfloor 3.7 \rfloor", "⌊π⌋", r"\lfloor \pi \rfloor", r"\min\{3, 7, 5\}", "floor(3.7)"],
            [r"\lceil 3.2 \rceil", r"\max(3,7,5)", "17 mod 5"],
        ),
        ("4", [r"\lceil 3.2 \rceil", "ceil(3.2)"], [r"\lfloor 3.7 \rfloor"]),
        ("-4", [r"\left\lfloor -3.2 \right\rfloor"], []),
        ("6", [r"\gcd(12, 18)"], [r"\gcd(12, 19)"]),
        ("36", [r"\text{lcm}(12, 18)", r"\operatorname{lcm}(12,18)"], []),
        ("7", [r"\max(3, 7, 5)"], [r"\min(3,7,5)"]),
        ("2", [r"17 \bmod 5", "17 mod 5"], []),
        ("120", ["5!"], []),
        ("-3", [], [r"\lfloor -3.2 \rfloor"]),
        ("18", [], [r"\text{lcm}(12, 18)"]),
        ("-2", [], [r"-17 \bmod 5"]),
    ],
    "residues": [
        (
            r"3 \pmod 7",
            [r"10 \pmod{7}", "3 (mod 7)", r"x \equiv 3 \pmod 7"],
            [r"4 \pmod 7", r"3 \pmod 8", r"x \equiv 4 \pmod 7", "10"],
        ),
        (r"x \equiv 3 \pmod 7", [r"x \equiv 10 \pmod 7"], []),
        (r"3 \pmod{7}", [r"-4 \pmod{7}"], []),
        ("10", [], [r"3 \pmod 7"]),
    ],
    "bases": [
        ("204_5", ["54", "204_{5}"], ["204", "204_6", "55"]),
        ("1010_2", ["10"], ["1010"]),
        ("1010_{2}", ["10"], []),
        ("54", ["204_5"], []),
        ("12_{10}", ["12"], []),
        ("204₅", ["54"], []),
        ("204", [], ["204_5"]),
        ("8_5", [], ["8"]),
        ("7", [], ["12_6"]),
    ],
    "binomials": [
        (r"\binom{5}{2}", ["10", r"\frac{5!}{2!3!}"], ["20"]),
        ("10", [r"\dbinom52", r"{5 \choose 2}"], [r"\binom{2}{5}"]),
        ("C(5,2)", ["10"], []),
        (r"\binom{10}{3}", [r"\binom{10}{7}"], [r"\binom{10}{6}"]),
        (r"\binom52", [], [r"\frac52", "(5,2)"]),
    ],
    "repeating decimals": [
        (
            r"\frac13",
            [r"0.\overline{3}", "0.333...", r"0.3333\ldots", r"0.\dot{3}"],
            ["0.333", r"0.\overline{34}", r"0.3\overline{4}"],
        ),
        (r"\frac{3}{22}", [r"0.1\overline{36}"], []),
        ("1", [r"0.\overline{9}"], []),
        (r"\frac16", [r"0.1\bar{6}"], []),
        (r"0.\overline{142857}", ["1/7"], []),
        ("-1/3", [r"-0.\overline{3}"], []),
        ("0.3", [], [r"0.\overline{3}"]),
        ("0.9", [], [r"0.\overline{9}"]),
        ("1/7", [], [r"0.\overline{142856}"]),
    ],
    "decimal commas": [
        ("3.14", ["3,14"], ["3,15", "(3,14)"]),
        ("1000.99", ["1.000,99"], []),
        ("1234.5", ["1 234,5"], []),
        ("0.5", ["0,5"], []),
        ("12.5%", ["12,5 %"], []),
        ("3,14", ["3.14"], []),
        ("1234", [], ["1,234.5", "1,23,4"]),
        ("1.234", [], ["1,234"]),
        ("1,2,3", [], ["1.23"]),
    ],
    "free names": [
        (r"\frac{\pi}{4}+\pi k", [r"\frac{\pi}{4}+\pi n"], [r"\frac{\pi}{4}+2\pi n", r"\frac{\pi}{4}+\pi x"]),
        (r"x = 2\pi k", [r"x = 2\pi n"], []),
        ("x^2+C", ["x^2+c", "x^2+K"], ["x^2", "x^2+2", "x^2+x", "C x^2"]),
        ("f(x)=x^2", ["f(t)=t^2"], ["g(x)=x^2", "f(t)=x^2"]),
        ("f(x)=2x", ["y=2x"], ["y=3x"]),
        ("90+180k", ["90+180k"], []),
        (r"\frac{\pi}{6}+2k\pi, \frac{5\pi}{6}+2k\pi", [r"\frac{\pi}{6}+2n\pi, \frac{5\pi}{6}+2n\pi"], []),
        ("2k", [], ["2n"]),
        ("x^2", [], ["x^2+C"]),
        ("x+1", [], ["y+1"]),
    ],
    "labels": [
        (
            "5",
            ["x = 5", "AB = 5", "f(2) = 5", "S_5 = 5", r"x \in \{5\}", "x := 5"],
            ["2x = 5", "x = 6", "x = 5 = 6", "3+4=5", "x > 5", r"x \ne 5", "x^2 = 5", "5 = 6"],
        ),
        ("12", ["Area = 12", "P(X=2) = 12"], ["Area = 13"]),
        ("(1,2)", ["(x, y) = (1, 2)"], ["(x,y)=(2,1)"]),
        ("7", ["3+4=7"], []),
        ("x=5", ["5"], []),
        ("y = 2x+1", ["2x+1"], ["y = 2x+2"]),
        ("(3,4)", ["x=3, y=4"], []),
        ("x=3, y=4", ["(3,4)"], ["x=4, y=3", "(4,3)"]),
        ("3, 4", ["x = 3 or x = 4"], []),
        ("1", ["Minimum: 1"], []),
        ("y=2x+1", ["2x-y+1=0"], []),
        ("x = 5", [], ["y = 5"]),
        ("7 = 11a + c", [], ["11a + c"]),
        ("42", [], ["1 = 2 = 42"]),
        ("a=1", [], ["A=1"]),
    ],
    "approximations": [
        (r"2\pi", [r"2\pi ≈ 6.28"], []),
        ("6.28", [r"2\pi \approx 6.28"], [r"2\pi \approx 6.3"]),
        (r"\sqrt2", [r"x = \sqrt2 \approx 1.414"], [r"\frac{7}{5}\approx 1.41", r"x \approx 1.41"]),
        ("1.414", [r"\sqrt{2}\approx 1.414"], []),
        ("3.14", [r"x \approx 3.14"], [r"\frac{22}{7}"]),
        (r"\frac{1}{3}", [r"\frac13 \approx 0.33"], []),
        (r"\pi", [], ["3.14", r"\approx 3.14", r"\pi \approx 3.4"]),
        ("6.2", [], [r"2\pi \approx 6.28"]),
    ],
    "ratios": [
        ("2:1", ["2 : 1"], ["1:2"]),
        (r"\frac{2}{3}", ["2:3"], []),
        ("2:3", [r"\frac23", "AB:BC = 2:3"], ["2:3:4", r"\frac32", "(2,3)", "2, 3", "23"]),
        ("3:4:5", ["3 : 4 : 5"], ["3:4", "3:5:4"]),
        ("1:20", [], ["2:40"]),
    ],
    "plus and minus": [
        (r"\pm 3", ["3, -3"], ["3"]),
        (r"x = 2 \pm \sqrt{5}", [r"2+\sqrt5, 2-\sqrt5"], []),
        (r"(\pm 1, 2)", ["(1,2), (-1,2)"], [r"(1, \pm 2)"]),
        (r"(\pm 1, \pm 2)", ["(1,2),(1,-2),(-1,2),(-1,-2)"], ["(1,2),(-1,-2)"]),
        (r"(\pm 1, \mp 2)", ["(1,-2),(-1,2)"], []),
        (r"\{3,-3\}", [r"\{\pm 3\}"], []),
        ("±3", ["-3, 3"], []),
        (r"1 \pm 2i", ["1+2i, 1-2i"], []),
        (r"\pm 1, \pm 2", ["1, -1, 2, -2"], ["1, -1, 2"]),
        ("3", [], [r"\pm 3"]),
        (r"(\pm 1,\mp 2)", [], ["(1,2),(-1,-2)"]),
        (r"1\pm\sqrt2", [], [r"1+\sqrt2", r"1\pm\sqrt3"]),
    ],
    "phrases": [
        (r"\mathbb{R}", ["all reals"], ["no solution"]),
        (r"\emptyset", ["no real solutions", "None"], ["all real numbers"]),
        (r"\infty", ["infinity"], ["negative infinity", "undefined"]),
        (r"-\infty", ["negative infinity"], []),
        ("undefined", ["does not exist", "DNE"], []),
        ("5", ["only 5"], ["not 5", "at least 5"]),
        ("no solution", [r"\text{No solutions}"], []),
        ("0", [], ["no solution", "does not exist", "none"]),
        ("1", [], ["all real numbers"]),
    ],
    "units": [
        ("5", ["5 m", "€5", r"\$5", "5 N", r"5\,\mathrm{kg}"], ["5m+1", "5 million", "5%", "5x", "6 m"]),
        ("9.8", ["9.8 m/s^2"], []),
        ("12", [r"12\text{ cm}^2"], []),
        ("99", ["99 рублей", "99颗", "99 元", "99명"], ["98 рублей"]),
        ("120", ["120°"], []),
        (r"120^\circ", ["120"], []),
        ("5 km", ["5 km"], ["5 m"]),
        ("5 feet", ["5 ft"], []),
        ("30 degrees", [r"30^{\circ}"], ["30 minutes"]),
        ("10 square feet", [r"10\text{ square feet}"], []),
        ("864", ["864 inches^2"], []),
        ("15", ["15th"], []),
        ("3m^2", ["3m^2"], []),
        ("60", ["60 mph"], []),
        ("3", ["3 किलो"], ["3i"]),
        ("5 cm", [], ["5 inches"]),
        ("2m", [], ["2"]),
        ("5x", [], ["5"]),
        ("5 euros", [], ["5 dollars"]),
        ("5 kg", [], ["5 km"]),
        ("9.8 m/s^2", [], ["9.8 m/s"]),
        ("3 km", [], ["3000 m"]),
        ("m", [], ["5 m"]),
        ("2", [], ["2e"]),
    ],
    "choices": [
        (
            "B",
            ["(B)", r"\text{(B)}", "B.", "B)", "(b)", "Option B", "B. 12 apples", "[B]", "The answer is B"],
            ["C", "A and B", "A, B", "b", "not B", "B or C", "(B) or (C)", "2", "D. B is wrong", r"\boxed{B}\boxed{C}"],
        ),
        ("(B)", ["B"], ["(C) 12"]),
        ("(C)", ["choice (C)"], []),
        ("(B) 12", [], ["(B) 13"]),
    ],
    "moments": [
        ("8:34 pm", ["20:34"], ["8:34 am", "8:34"]),
        ("20:34", ["8:34 p.m."], []),
        ("8:00 am", ["8 am"], ["9:00 am"]),
        ("noon", ["12:00 pm"], ["midnight"]),
        ("March 5, 2021", ["2021-03-05", "Mar. 5th, 2021"], ["March 6, 2021", "March 5", "3/5/2021"]),
        ("March 5", ["5 March"], []),
        ("Tuesday", ["tuesday", r"\text{Tuesday}"], ["Wednesday", "Tues day"]),
        ("midnight", ["12 am"], []),
        ("08:34", ["8:34:00"], []),
        ("10:30 am", ["10:30 AM"], []),
        ("8:34", [], ["20:34"]),
        ("2021-03-05", [], ["2021-05-03"]),
        ("February 30", [], ["March 2"]),
    ],
    "words": [
        (
            "12",
            ["twelve", "十二", "a dozen"],
            ["thirteen", "twenty", "one two", "十三", "twelve or thirteen", "about twelve", "not twelve"],
        ),
        ("3/4", ["three quarters"], ["three fourths of nothing"]),
        ("105", ["one hundred and five"], ["one hundred fifty"]),
        ("2500000", ["2.5 million"], []),
        ("1/2", ["二分之一", "one half"], ["二分之三"]),
        ("5/2", ["two and a half"], []),
        ("-5", ["minus five"], []),
        ("21", ["Twenty-one"], []),
        ("twelve", ["12"], []),
        ("2", [], ["half"]),
        ("100", [], ["hundred hundred"]),
    ],
}


def _pairs(column: int) -> list[object]:
    return [
        pytest.param(row[0], answer, id=f"{feature}: {row[0]} | {answer}")
        for feature, rows in FEATURES.items()
        for row in rows
        for answer in row[column]
    ]


@pytest.mark.parametrize(("reference", "answer"), _pairs(1))
def test_a_right_answer_is_accepted(reference: str, answer: str) -> None:
    assert verify(reference, answer).score == 1
    assert verify(reference, rf"So the answer is \boxed{{{answer}}}.").score == 1


@pytest.mark.parametrize(("reference", "answer"), _pairs(2))
def test_a_wrong_answer_is_rejected(reference: str, answer: str) -> None:
    assert verify(reference, answer).score == 0
    assert verify(reference, rf"So the answer is \boxed{{{answer}}}.").score == 0


def test_every_feature_is_shown_to_accept_and_to_reject() -> None:
    for rows in FEATURES.values():
        assert all(any(row[column] for row in rows) for column in (1, 2))

"""Short answers that SymPy, or arithmetic written out, would take seconds to hours for. Each ends in its verdict.

They run in a process of its own under a limit of processor time: one that hangs is killed and fails its test.
"""

import json
import resource
import subprocess
import sys
from itertools import combinations

import pytest

from rewarders.maths import Reason

CPU_SECONDS = 20
"""For the start of SymPy and one answer: many times what is needed, and far less than a hang."""

PROGRAM = """
import json, sys
from rewarders.maths import verify
print(verify(*json.load(sys.stdin)).reason)
"""
NEVER_PAID = {Reason.TOO_COSTLY, Reason.WRONG}

FIBONACCI = r"\begin{pmatrix}1&1\\1&0\end{pmatrix}"
SYMBOLIC = r"\begin{pmatrix}x&1\\1&0\end{pmatrix}"
LARGE = r"\begin{pmatrix}" + r"\\".join("&".join(str(i * j % 7) for j in range(20)) for i in range(20))
LARGE += r"\end{pmatrix}"


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))


def _reason(expected: str, answer: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([expected, answer]),
        capture_output=True,
        text=True,
        preexec_fn=_limit,
        check=False,
    )
    assert run.returncode == 0, f"killed or broken: {run.returncode} {run.stderr[-500:]}"
    return run.stdout.strip()


def _square_under_a_root(*numbers: int) -> tuple[str, str]:
    roots = "+".join(rf"\sqrt{{{number}}}" for number in numbers)
    mixed = "+".join(rf"2\sqrt{{{a * b}}}" for a, b in combinations(numbers, 2))
    return roots, rf"\sqrt{{{sum(numbers)}+{mixed}}}"


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("1", r"\frac{(x+1)^{2900}}{(x^2+2x+1)^{1450}}"),
        ("(x+1)^{2900}", r"(x^2+2x+1)^{1450}"),
        ("1", r"\frac{(\pi+1)^{2900}}{(\pi^2+2\pi+1)^{1450}}"),
        ("1", r"\frac{(x+y+z+w)^{30}}{(x^2+y^2+z^2+w^2+2xy+2xz+2xw+2yz+2yw+2zw)^{15}}"),
        (r"\infty", r"\prod_{k=1}^\infty k"),
        ("1", r"\prod_{k=1}^\infty \frac k2"),
        ("1", r"\lim_{n\to\infty}\binom{2n}{n}/4^n"),
        ("1", r"\lim_{x\to\infty}\frac{x^x}{e^x x!}"),
        ("1", r"\int_a^b \sin(cx+d)+\cos(fx+g)+e^{hx+k} dx"),
        ("1/2", r"\sum_{n=0}^\infty (-1)^n"),
        ("1/2", r"\sum_{n=0}^\infty (1+i)^n"),
        ("1", r"\sum_{n=0}^\infty x^n"),
        ("1", r"\sum_{k=1}^n (k+a)^{12}(k+b)^{12}(k+c)^{12}"),
        (r"\frac{1}{256}", r"\cdot ".join(rf"\cos({k}\pi/17)" for k in range(1, 9))),
        ("1", r"\frac{\sin64x}{64\sin x" + "".join(rf"\cos {2**k}x" for k in range(6)) + "}"),
        (r"-\frac12", "+".join(rf"\cos({2 * k}\pi/47)" for k in range(1, 24))),
        (r"\frac{\sqrt{11}}{32}", r"\cdot ".join(rf"\sin({k}\pi/11)" for k in range(1, 6))),
    ],
)
def test_what_sympy_would_sit_over_is_not_paid(expected: str, answer: str) -> None:
    assert _reason(expected, answer) in NEVER_PAID


@pytest.mark.parametrize(
    ("expected", "answer"), [("1", FIBONACCI * 24), ("0", LARGE * 5), (LARGE, LARGE * 5), (SYMBOLIC * 7, SYMBOLIC * 15)]
)
def test_long_products_of_matrices_are_not_paid(expected: str, answer: str) -> None:
    assert _reason(expected, answer) in NEVER_PAID | {Reason.COSTLY_REFERENCE}


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        (r"\begin{pmatrix}75025&46368\\46368&28657\end{pmatrix}", FIBONACCI * 24),
        (r"\begin{pmatrix}x^2+1&x\\x&1\end{pmatrix}", SYMBOLIC * 2),
        _square_under_a_root(2, 3, 5),
        _square_under_a_root(2, 3, 5, 7, 11),
        (r"\sqrt[3]{2+\sqrt5}+\sqrt[3]{2-\sqrt5}", "1"),
        (r"\frac18", r"\cos(\pi/7)\cos(2\pi/7)\cos(3\pi/7)"),
        ("2", r"\sum_{k=0}^\infty \frac{1}{2^k}"),
        ("e", r"\lim_{n\to\infty}(1+1/n)^n"),
        (r"n!", r"\prod_{k=1}^n k"),
        ("f(2)+1", "1+f(2)"),
        (r"\frac{N^2-N}{2}", "N(N-1)/2"),
        ("x^2+x", "x(x+1)"),
        (r"\frac{2\pi}{3}", r"\frac{\pi(2)}{3}"),
        (r"10^{50}\pi", r"\frac{\pi}{10^{-50}}"),
    ],
)
def test_an_ordinary_proof_is_still_found(expected: str, answer: str) -> None:
    assert _reason(expected, answer) == Reason.EQUAL


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("5", r"5+\frac{1+\sqrt2+\sqrt{3+2\sqrt2}}{10^{40}}"),
        ("10^{40}", r"10^{40}+1+\sqrt2+\sqrt{3+2\sqrt2}"),
        (r"1+\sqrt2", r"-\sqrt{3+2\sqrt2}"),
    ],
)
def test_a_root_with_the_other_sign_is_wrong_however_small_it_is(expected: str, answer: str) -> None:
    assert _reason(expected, answer) == Reason.WRONG


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("5", r"5+\ln 0-\ln 0"),
        ("0", r"\tan(\pi/2)-\tan(\pi/2)"),
        ("0", r"\ln(\sin\pi)-\ln(\sin\pi)"),
        ("1", r"\frac{\sin\pi}{\sin\pi}"),
        ("0", "0^x"),
    ],
)
def test_what_has_no_value_equals_nothing(expected: str, answer: str) -> None:
    assert _reason(expected, answer) == Reason.WRONG


@pytest.mark.parametrize(
    ("expected", "answer"),
    [("p(2)", "2p"), ("P(2)", "2P"), ("u(2)", "2u"), ("u(-2)", "-2u")],
)
def test_a_function_at_a_place_is_no_product(expected: str, answer: str) -> None:
    assert _reason(expected, answer) == Reason.WRONG


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("f", r"\frac{d}{dx} f(x)"),
        ("y", r"\frac{d}{dx} y(x)"),
        ("0", r"\frac{d}{dx} f(y)"),
        ("0", r"\frac{d}{dx} y"),
    ],
)
def test_the_derivative_of_something_unknown_equals_nothing(expected: str, answer: str) -> None:
    assert _reason(expected, answer) == Reason.WRONG

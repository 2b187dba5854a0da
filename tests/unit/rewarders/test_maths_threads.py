"""Answers that are judged at once in many threads.."""

import sys
from concurrent.futures import ThreadPoolExecutor

import mpmath

from rewarders.maths import verify

PAIRS = [
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}"),
    (r"\sin(2x)", r"2\sin x\cos x"),
    (r"\frac{x^2-1}{x-1}", "x+1"),
    (r"\pi", "3.14159265358979"),
    (r"\sqrt2", r"\sqrt2+10^{-20}"),
    (r"(-\infty,\sqrt2)\cup(3,\infty)", r"x<\sqrt{2} \text{ or } x>3"),
] * 100


def test_threads_at_once_come_to_the_same_verdicts() -> None:
    usual, precision, interval = [verify(*pair) for pair in PAIRS], mpmath.mp.dps, sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for _ in range(5):
                assert list(pool.map(lambda pair: verify(*pair), PAIRS)) == usual
    finally:
        sys.setswitchinterval(interval)
    assert mpmath.mp.dps == precision

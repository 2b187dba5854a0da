"""A verdict depends on the reference, the answer and the settings, and on nothing that happened before or elsewhere."""

import json
import subprocess
import sys
import threading

import mpmath
from hypothesis import given, settings
from hypothesis import strategies as st

from rewarders.maths import Params, verify

untimed = settings(deadline=None)

PAIRS = [
    ("4", "4"),
    ("4", "5"),
    ("1/3", "0.333"),
    (r"\pi", "3.14159265358979"),
    (r"\pi", "3.14159265358978"),
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}"),
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}} + 10^{-20}"),
    (r"\sin(2x)", r"2\sin x\cos x"),
    (r"\frac{x^2-1}{x-1}", "x+1"),
    (r"\sqrt{x^2}", "x"),
    (r"\frac{x^3}{3}+C", r"\int x^2 dx + c"),
    (r"\frac{n(n+1)}{2}", r"\sum_{k=1}^{n} k"),
    ("1", r"\lim_{x\to 0} \frac{\sin x}{x}"),
    (r"(-\infty,\sqrt2)\cup(3,\infty)", r"x<\sqrt{2} \text{ or } x>3"),
    (r"(-\infty,\sqrt2)\cup(3,\infty)", r"x\le\sqrt{2} \text{ or } x>3"),
    (r"\{1,2\}", "2, 1"),
    ("4", "4 or 5"),
    ("4", "9^{9^{9}}"),
    ("4", r"\square"),
    ("4", "(" * 200 + "4" + ")" * 200),
    ("x", "x+" * 3000 + "x"),
    ("8:34 pm", "20:34"),
    ("12", "twelve"),
    ("5 km", "5 m"),
]
IN_A_NEW_PROCESS = """
import json, sys
from rewarders.maths import verify
pairs = json.load(sys.stdin)
json.dump([verify(*pair).model_dump(mode="json") for pair in pairs], sys.stdout)
"""


def _judged(pairs: list[tuple[str, str]]) -> list[dict[str, object]]:
    return [verify(expected, answer).model_dump(mode="json") for expected, answer in pairs]


def test_a_new_process_that_starts_at_the_other_end_comes_to_the_same_verdicts() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", IN_A_NEW_PROCESS],
        input=json.dumps(PAIRS[::-1]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ran.stdout)[::-1] == _judged(PAIRS)


@settings(untimed, max_examples=25)
@given(st.permutations(range(len(PAIRS))))
def test_the_order_of_answers_changes_no_verdict(order: list[int]) -> None:
    usual = _judged(PAIRS)
    assert _judged([PAIRS[place] for place in order]) == [usual[place] for place in order]


@settings(untimed, max_examples=100)
@given(st.text("0123456789x+-*/^()=.,{}\\ ", max_size=30), st.sampled_from(PAIRS))
def test_a_strange_answer_before_it_changes_no_verdict(strange: str, pair: tuple[str, str]) -> None:
    usual = verify(*pair)
    verify("x + 1", strange)
    verify(pair[0], strange, Params(relative_tolerance=0.5, form="simplest"))
    assert verify(*pair) == usual


def test_another_thread_comes_to_the_same_verdicts() -> None:
    found: list[dict[str, object]] = []
    thread = threading.Thread(target=lambda: found.extend(_judged(PAIRS)))
    thread.start()
    thread.join()
    assert found == _judged(PAIRS)


def test_the_precision_that_the_caller_works_at_changes_no_verdict() -> None:
    usual = _judged(PAIRS)
    for digits in (5, 15, 100):
        with mpmath.workdps(digits):
            assert _judged(PAIRS) == usual
            assert mpmath.mp.dps == digits, "and it is the caller's still"

"""Tests that stay code: the tests in one sandbox, the candidate in another."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from rewarders.errors import RewarderFault
from rewarders.types import Verdict

Score = Callable[..., Verdict]

STACK = """
class Empty(ValueError):
    pass
class Stack:
    limit = 3
    def __init__(self, *items): self.items = list(items)
    def push(self, item): self.items.append(item); return self
    def pop(self):
        if not self.items: raise Empty("nothing left")
        return self.items.pop()
    def __len__(self): return len(self.items)
    def __iter__(self): return iter(self.items)
    def __getitem__(self, index): return self.items[index]
    def __setitem__(self, index, item): self.items[index] = item
    def __delitem__(self, index): del self.items[index]
    def __enter__(self): return self
    def __exit__(self, kind, error, trace): self.left = kind and kind.__name__; return kind is KeyError
    def __str__(self): return f"Stack of {len(self)}"
    @property
    def top(self): return self.items[-1]
class Tall(Stack): pass
def double(x): return x * 2
def fill(n): return Stack(*range(n))
def count(n): yield from range(n)
def fail(name): raise eval(name)("as told")
def pair(stack): return [stack, len(stack)]
def same(x): return x
def make(name): return {"nan": float("nan"), "big": 10**5000, "red": same}[name]
def undecodable(): return bytes([255]).decode()
"""


def asserts(code: str, entry_point: str = "double") -> dict[str, Any]:
    """Asserts that are not rewritten, whatever they say."""
    return {"kind": "asserts", "entry_point": entry_point, "code": f"for _ in '1':\n    pass\n{code}"}


def pytest_file(body: str) -> dict[str, Any]:
    """One pytest file whose one test has this body."""
    head = "import pytest, unittest, solution\nfrom solution import *\n"
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return {"kind": "pytest", "files": {"test_it.py": f"{head}def test_it():\n{lines}"}}


def one_file(code: str) -> dict[str, Any]:
    return {"kind": "pytest", "files": {"test_it.py": code}}


@pytest.mark.parametrize(
    "body",
    [
        "assert double(2) == 4",
        "assert solution.double([1]) == [1, 1]",
        "s = Stack()\ns.push(1).push(2)\nassert len(s) == 2\nassert s.pop() == 2\nassert s.top == 1",
        "assert list(fill(3)) == [0, 1, 2]\nassert sum(count(4)) == 6",
        "assert [a + b for a, b in zip(fill(2), count(2))] == [0, 2]",
        "assert fill(3)[1] == 1\nassert 2 in fill(3)\nassert 5 not in fill(3)",
        "s = fill(3)\ns[0] = 7\ndel s[1]\nassert list(s) == [7, 2]",
        "s = Stack()\nassert not s\nassert fill(1)",
        "with fill(1) as s:\n    assert s.pop() == 0\nassert s.left is None",
        "with fill(1) as s:\n    raise KeyError\nassert s.left == 'KeyError'",
        "s = Stack()\ns.items = [4]\nassert s.pop() == 4\ndel s.items\nassert not hasattr(s, 'items')",
        "assert str(fill(2)) == 'Stack of 2' == f'{fill(2)}'",
        "assert Stack.limit == 3\nsolution.same.x = 1\nassert same.x == 1",
        "with pytest.raises(ValueError): fail('ValueError')",
        "with pytest.raises(ValueError, match='nothing left'): Stack().pop()",
        "with pytest.raises(Empty): Stack().pop()",
        "with pytest.raises(solution.Empty): fail('Empty')",
        "try:\n    fail('KeyError')\nexcept KeyError as error:\n    assert 'as told' in str(error)",
        "with pytest.raises(KeyError, match='^.as told.$'): fail('KeyError')",
        "with pytest.raises(Empty) as caught: Stack().pop()\nassert caught.value.args == ('nothing left',)",
        "with pytest.raises(UnicodeDecodeError): solution.undecodable()",
        "assert str(same(Empty('x'))) == 'x' == str(same(ValueError('x')))",
        "assert fill(3)[0:2] == [0, 1]\nassert make('red') is make('red')",
        "with pytest.raises(TypeError): double()",
        "with pytest.raises(AttributeError): solution.nothing",
        "with pytest.raises(StopIteration): next(iter(fill(0)))",
        "assert isinstance(Tall(), Stack)\nassert not isinstance(Stack(), Tall)\nassert isinstance(double(1), int)",
        "s = fill(2)\nassert pair(s) == [s, 2]\nassert same(s) == s\nassert same(s) is not None",
        "assert same({1: (2.5, b'x', {3})}) == {1: (2.5, b'x', {3})}",
        "assert make('nan') != make('nan')\nassert make('big') == 10**5000",
        "assert 1 <= double(1) < 3.0 == double(1.5)",
        "assert double(0.1) == pytest.approx(0.2)",
        "assert double.__name__ == 'double'",
        "unittest.TestCase().assertEqual(double(2), 4)\nunittest.TestCase().assertIn(4, [double(2)])",
        "unittest.TestCase().assertCountEqual(fill(2), [1, 0])",
        "assert double(2) == 4.0\nassert double(2) != 4.5",
        "import concurrent.futures as c\nassert list(c.ThreadPoolExecutor(4).map(double, [1] * 50)) == [2] * 50",
    ],
)  # fmt: skip
def test_tests_reach_everything_of_the_candidates_that_data_can_carry(score: Score, body: str):
    assert score(STACK, pytest_file(body)).reason == "passed"


@pytest.mark.parametrize(
    "body",
    [
        "assert double(2) == 5",
        "assert double(2.0) == 4",
        "assert 4 == double(2.0)",
        "assert [4] == [double(2.0)]",
        "assert {4: 1} == {double(2.0): 1}",
        "assert double(2.0) in [4]",
        "assert 3 < 4 == double(2.0)",
        "assert same(True) == 1",
        "assert same({1: True}) == {1: 1}",
        "assert same({True}) == {1}",
        "assert same((1,)) == [1]",
        "assert same(True) in (1, 2)",
        "assert fill(1) == [0]",
        "assert fill(1) == fill(1)",
        "assert abs(fill(1) - 4) < 1",
        "assert fill(1) < 4",
        "with pytest.raises(KeyError): fail('ValueError')",
        "with pytest.raises(Exception): fail('SystemExit')",
        "try:\n    fail('SystemExit')\nexcept Exception: pass",
        "unittest.TestCase().assertEqual(same(True), 1)",
        "unittest.TestCase().assertEqual(double(2.0), 4)",
        "unittest.TestCase().assertCountEqual(same([True]), [1])",
        "unittest.TestCase().assertIn(double(2.0), [4])",
        "import copy\nassert nothing_of_that_name == 1",
        "pytest.skip()",
        "pytest.xfail()",
        "assert same(4 + 0j) == 4",
        "def stop(x): fail('StopIteration')\nassert all(a == b for a, b in zip(map(stop, [1]), [2]))",
        "assert all(a == b for a, b in zip(map(fail, ['StopIteration']), [2]))",
        "assert sum(map(fail, ['StopIteration'])) == 0",
    ],
)  # fmt: skip
def test_nothing_else_passes(score: Score, body: str):
    assert score(STACK, pytest_file(body)).score == 0


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def double(x): return x * 3", "wrong_answer"),
        ("def double(x): raise KeyError", "raised"),
        ("def double(x): raise AssertionError", "wrong_answer"),
        ("def double(x): raise SystemExit", "exited"),
        ("def double(x): raise KeyboardInterrupt", "exited"),
        ("def double(x): raise type('Skipped', (BaseException,), {})", "exited"),
        ("import os\ndef double(x): os._exit(0)", "no_reply"),
        ("import os\nos._exit(0)", "no_reply"),
        ("import os\ndef double(x): os.abort()", "crashed"),
        ("def triple(x): return 4", "no_entry_point"),
        ("def double(x) return 4", "compile_error"),
        ("1 / 0", "raised"),
        ("import sys\nsys.exit()", "exited"),
        ("def double(x):\n    while True: pass", "cpu_limit"),
        ("import time\ndef double(x): time.sleep(60)", "timed_out"),
        ("import time\ntime.sleep(60)", "timed_out"),
        ("x = []\ndef double(y):\n    while True: x.append(bytearray(10**6))", "out_of_memory"),
        ("import os\ndef double(x):\n    while True: os.write(1, b'x' * 10**5)", "output_limit"),
        ("import os\ndef double(x):\n    os.close(3)\n    return 4", "exited|no_reply"),
        ("import os\ndef double(x):\n    os.write(3, b'\\xff\\xff\\xff\\xff' * 9)\n    return 4", "no_reply"),
        ("import os\nos.write(3, b'\\0\\0\\0\\1x')\ndef double(x): return 4", "no_reply"),
        ("def double(x): return 'x' * 20_000_000", "no_reply"),
        ("def double(x):\n    y = 4\n    for _ in range(300): y = [y]\n    return y", "wrong_answer"),
    ],
)
def test_a_candidate_that_fails_its_tests_scores_zero_and_says_why(score: Score, code: str, reason: str):
    for suite in (
        asserts("assert double(2) == 4"),
        one_file("import solution\ndef test_it(): assert solution.double(2) == 4"),
    ):
        verdict = score(code, suite, meeting=reason)
        assert verdict.score == 0
        on_its_own = "raised" if reason == "no_entry_point" and suite["kind"] == "pytest" else reason
        assert verdict.reason in on_its_own.split("|")


def test_asserts_of_any_form_are_run(score: Score):
    code = "import random\ndef check(f):\n    for n in random.sample(range(99), 9):\n        assert f(n) == 2 * n"
    suite = {"kind": "asserts", "entry_point": "double", "code": code}
    assert score(STACK, suite).score == 1
    assert score("def double(x): return 8", suite).score == 0


def test_a_check_that_the_tests_call_themselves_is_not_called_again(score: Score):
    code = "seen = []\ndef check(f):\n    seen.append(f(1))\n    assert len(seen) == 1\ncheck(double)"
    assert score(STACK, {"kind": "asserts", "entry_point": "double", "code": code}).score == 1


def test_names_that_asserts_borrow_from_the_candidate_are_told(score: Score):
    verdict = score(STACK, asserts("assert double(2) == same(4)\nassert len(fill(2)) == 2"))
    assert (verdict.score, verdict.evidence["borrowed"]) == (1.0, ["fill", "same"])
    helped = score(STACK, asserts("def same(x): return x\nassert double(2) == same(4)"))
    assert "borrowed" not in helped.evidence


def test_each_test_of_a_file_is_told_of(score: Score):
    marked = "import pytest, solution\n@pytest.mark.parametrize('n', [1, 2, 3])\n"
    code = f"{marked}def test_it(n): assert solution.double(n) == 4"
    verdict = score(STACK, one_file(code), score="fraction")
    assert (verdict.score, verdict.reason) == (1 / 3, "wrong_answer")
    assert [test["outcome"] for test in verdict.evidence["results"]] == ["wrong_answer", "passed", "wrong_answer"]


def test_evidence_tells_nothing_of_the_tests(score: Score):
    marked = "import pytest, solution\n@pytest.mark.parametrize('secret', [424242])\n"
    code = f"{marked}def test_secret(secret): assert solution.double(1) == secret"
    assert not {"secret", "424242"} & set(json.dumps(score(STACK, one_file(code)).evidence).replace('"', " ").split())


def test_tests_of_unittest_are_collected_and_strict(score: Score):
    head = "import unittest, solution\nclass TestIt(unittest.TestCase):\n"
    code = head + "    def test_it(self): self.assertEqual(solution.double({}), 4)"
    assert score(STACK, one_file(code.format(2))).score == 1
    assert score(STACK, one_file(code.format(2.0))).score == 0


def test_files_beside_the_tests_can_be_imported_and_read(score: Score):
    suite = pytest_file(
        "import cases\nassert double(cases.ONE) == int(open('two.txt').read())\nassert cases.right(True, 1)"
    )
    suite["files"] |= {"cases.py": "ONE = 1\ndef right(a, b): return not a == b", "two.txt": "2", "conftest.py": ""}
    assert score(STACK, suite).score == 1


def test_another_name_for_the_module_is_the_tests_to_choose(score: Score):
    suite = one_file("from calc import double\ndef test_it(): assert double(1) == 2") | {"module": "calc.py"}
    assert score(STACK, suite).score == 1


def test_a_star_import_brings_only_what_the_tests_name(score: Score):
    shadows = "def abs(x): return 0\ndef len(x): return 1\npytestmark = 1\n__all__ = ['abs', 'len', 'pytestmark']"
    suite = one_file("from solution import *\ndef test_it(): assert abs(double(2) - 4) < 0.5 and len([1, 2]) == 2")
    assert score(f"def double(x): return 5\n{shadows}", suite).score == 0
    assert score(f"def double(x): return x * 2\n{shadows}", suite).score == 1


def test_what_the_author_skips_is_no_test(score: Score):
    head = "import pytest, solution\ndef test_a(): assert solution.double(1) == 2\n"
    code = head + "@pytest.mark.{}\ndef test_b(): assert False"
    for mark in ("skip", "xfail", "skip('why')"):
        verdict = score(STACK, one_file(code.format(mark)))
        assert (verdict.score, verdict.evidence["tests"], verdict.evidence["left_out"]) == (1.0, 1, 1)


@pytest.mark.parametrize(
    "code",
    [
        "import pytest, solution\n@pytest.mark.skipif(solution.double(1) == 3, reason='')\ndef test_it(): assert False",
        "import pytest, solution\nif solution.double(1): pytest.skip(allow_module_level=True)\ndef test_it(): assert 0",
        "import pytest, solution\n@pytest.mark.parametrize('n', solution.cases())\ndef test_it(n): assert False",
        "import pytest\nsolution = pytest.importorskip('solution').nothing\ndef test_it(): assert False",
        "import pytest, solution\ndef test_it():\n    if solution.double(1) == 3: pytest.skip()\n    assert False",
    ],
)
def test_a_candidate_cannot_have_its_tests_skipped(score: Score, code: str):
    verdict = score("def double(x): return 3\ndef cases(): return []", one_file(code))
    assert verdict.score == 0


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        (pytest_file("double(lambda: 1)"), "type function to 'call'; only plain data"),
        (pytest_file("double(object())"), "type object to 'call'"),
        (
            pytest_file("try: double(len)\nexcept BaseException: pass\nassert double(1) == 2"),
            "builtin_function_or_method",
        ),
        (pytest_file("class Mine(Stack): pass"), "derive a class"),
        (pytest_file("solution.helper = print"), "to 'set'"),
        (one_file("import solution\ndef test_it(capsys): assert solution.double(1) == 2"), "fixture capsys"),
        (one_file("import solution\ndef test_it(tmp_path): assert solution.double(1) == 2"), "fixture tmp_path"),
        (one_file("import solution\nasync def test_it(): assert solution.double(1) == 2"), "a test is async"),
        (one_file("import numpy_is_not_here, solution\ndef test_it(): pass"), "numpy_is_not_here is not there"),
        (one_file("import solution.part\ndef test_it(): pass"), "solution.part is not there"),
        (one_file("import solution\ndef helper(): pass"), "no test that is run"),
        (one_file("import solution, pytest\n@pytest.mark.skip\ndef test_it(): pass"), "no test that is run"),
        (one_file("def test_it(): pass"), "without asking the candidate anything"),
        (asserts("assert True"), "without asking the candidate anything"),
        (asserts("import os\nos._exit(3)"), "exit code 3 and without a verdict"),
    ],
)
def test_tests_that_can_say_nothing_are_a_fault_with_a_clear_message(score: Score, suite: dict[str, Any], message: str):
    with pytest.raises(RewarderFault, match=message):
        score(STACK, suite)


def test_a_candidate_that_is_at_fault_anyway_never_shows_the_fault_of_its_tests(score: Score):
    assert score("1 / 0", pytest_file("double(lambda: 1)")).score == 0


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("class Account(Exception): pass", "assert double(solution.Account(1)) == 4"),
        ("Account = ValueError", "assert double(solution.Account(1)) == 4"),
        ("class Account(StopIteration): pass", "assert double(solution.Account.value) == 4"),
        ("def build(): return {}", "assert double(solution.build().items) == 4"),
        ("def build(): return 'x'", "assert double(solution.build().title) == 4"),
        ("def build(): return [1]", "assert double(iter(solution.build())) == 4"),
        ("class build:\n    def __getitem__(self, key): return 0", "assert solution.build()[:2] == [0, 0]"),
    ],
)
def test_a_candidate_that_gives_something_else_than_an_object_is_wrong_and_no_fault(score: Score, code: str, body: str):
    assert score(f"def double(x): return 5\n{code}", pytest_file(body)).score == 0


@pytest.mark.parametrize(
    "code",
    [
        "import solution\nraise solution.Missing('x')\ndef test_it(): assert solution.double(1) == 2",
        "import solution\ntry: solution.fail()\nexcept Exception as e: raise type(e)() from None\ndef test_it(): pass",
    ],
)
def test_a_candidate_cannot_pretend_that_a_module_of_the_tests_is_missing(score: Score, code: str):
    pretending = "Missing = ModuleNotFoundError\ndef fail(): raise Missing('x')"
    assert score(pretending, one_file(code)).score == 0


def test_an_entry_point_that_is_no_function_passes_nothing(score: Score):
    assert score("double = ValueError", asserts("assert double(2)")).score == 0


def test_modules_that_the_tests_forgot_to_import_are_not_the_candidates(score: Score):
    lying = "class math:\n    isclose = staticmethod(lambda *given: True)\ndef double(x): return 5"
    body = "assert math.isclose(double(2), 4)"
    starred = one_file(f"from __future__ import annotations\nfrom solution import *\ndef test_it(): {body}")
    for suite in (asserts(body), starred):
        assert score(lying, suite).score == 0
        assert score("def double(x): return 2 * x", suite).score == 1
    assert score("def bisect(x): return x", one_file("from solution import *\ndef test_it(): assert bisect(1)")).score


def test_tests_that_are_led_on_for_ever_end_and_score_zero(score: Score):
    endless = "def count(n):\n    while True: yield 0"
    verdict = score(endless, pytest_file("for _ in count(1): pass"), meeting="timed_out")
    assert verdict.score == 0
    assert verdict.reason in ("cpu_limit", "timed_out", "judge_exhausted")


def test_what_the_candidate_holds_of_the_tests_is_what_it_was_asked(score: Score):
    spying = """
import gc, os, sys
def double(x):
    texts = [o for o in gc.get_objects() if isinstance(o, (list, tuple, dict))]
    seen = sorted(set(os.listdir(".")) - {"__pycache__", "assay_driver.py", "main.py", "solution.py"})
    return [seen, "".join(["43"] * 3) in repr(sys.modules.keys()) + repr([t for t in texts if t is not texts])]
"""
    assert score(spying, asserts("assert double(424242) == [[], False] and 434343")).score == 1

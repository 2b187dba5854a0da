"""`stdio` and `call` through a real sandbox."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from rewarders.errors import RewarderFault
from rewarders.types import Verdict

Score = Callable[..., Verdict]

SWALLOWING = """
def add(a, b):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
"""
NAMELESS = """
class Meta(type):
    @property
    def __name__(self):
        raise ValueError
class Nameless(Exception, metaclass=Meta):
    pass
raise Nameless
"""
COUNTING = """
calls = []
def f(x):
    calls.append(x)
    open("seen", "a").write("x")
    return [len(calls), open("seen").read()]
"""
LISTING = """
import os
def f():
    return sorted(name for name in os.listdir(".") if not name.startswith(("assay_driver", "__py")))
"""

ADD = {
    "kind": "call",
    "entry_point": "add",
    "cases": [{"args": [3, 4], "expected": 7}, {"args": [1, 1], "expected": 2}],
}
SUM = {"kind": "stdio", "cases": [{"stdin": "3 4\n", "stdout": "7\n"}, {"stdin": "1 1\n", "stdout": "2\n"}]}


def call(expected: Any, *args: Any, **more: Any) -> dict[str, Any]:
    return {"kind": "call", "entry_point": "f", "cases": [{"args": args, "expected": expected}], **more}


def stdio(stdout: str, checker: Any, stdin: str = "") -> dict[str, Any]:
    return {"kind": "stdio", "cases": [{"stdin": stdin, "stdout": stdout}], "checker": checker}


def test_a_right_program_scores_one(score: Score):
    verdict = score("print(sum(map(int, input().split())))", SUM)
    assert (verdict.score, verdict.reason, verdict.evidence["passed"]) == (1.0, "passed", 2)


@pytest.mark.parametrize("ending", ["exit()", "quit()", "exit(0)", "import sys\nsys.exit()"])
def test_a_program_may_end_itself_when_it_is_done(score: Score, ending: str):
    assert score(f"print(sum(map(int, input().split())))\n{ending}", SUM).score == 1


def test_the_time_that_checkers_take_counts(score: Score):
    source = "import time\ntime.sleep(0.4)\nraise SystemExit(1)"
    suite = stdio("x", {"kind": "program", "source": source})
    suite["cases"] *= 4
    verdict = score("print(1)", suite, score="fraction", submission_wall_s=0.3)
    assert (verdict.score, verdict.evidence["run"], verdict.evidence["tests"]) == (0, 1, 4)


def test_a_right_function_scores_one(score: Score):
    assert score("def add(a, b):\n    return a + b", ADD).score == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("print(7)", "wrong_answer"),
        ("print(sum(map(int, input().split())), 1)", "wrong_answer"),
        ("", "no_code"),
        ("1 +", "exited"),
        ("raise ValueError", "exited"),
        ("print(sum(map(int, input().split())))\nraise SystemExit(1)", "exited"),
        ("while True:\n    pass", "cpu_limit"),
        ("import time\ntime.sleep(60)", "timed_out"),
        ("x = []\nwhile True:\n    x.append(bytearray(10**6))", "out_of_memory"),
        ("while True:\n    print('7' * 10**6)", "output_limit"),
        ("import os\nos.abort()", "crashed"),
    ],
)
def test_a_wrong_program_scores_zero_and_says_why(score: Score, code: str, reason: str):
    verdict = score(code, SUM, meeting=reason)
    assert (verdict.score, verdict.reason) == (0.0, reason)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def add(a, b):\n    return a - b", "wrong_answer"),
        ("def add(a, b):\n    return float(a + b)", "wrong_answer"),
        ("def add(a, b):\n    return str(a + b)", "wrong_answer"),
        ("def add(a, b):\n    print(a + b)", "wrong_answer"),
        ("def plus(a, b):\n    return a + b", "no_entry_point"),
        ("def add(a, b) return a + b", "compile_error"),
        ("def add(a, b):\n    return a +\0 b", "compile_error"),
        ("def add(a, b):\n    return 1 / 0", "raised"),
        ("import nothing_of_that_name", "raised"),
        ("add = 7", "raised"),
        ("def add(a, b):\n    raise SystemExit", "exited"),
        ("import sys\nsys.exit(0)", "exited"),
        ("def add(a, b):\n    raise MemoryError", "out_of_memory"),
        ("def add(a, b):\n    return [0] * 10**12", "out_of_memory"),
        ("import os\nos._exit(0)", "no_reply"),
        ("def add(a, b):\n    return object()", "not_plain"),
        ("def add(a, b):\n    return (a + b for _ in [1])", "not_plain"),
        ("def add(a, b):\n    x = []\n    x.append(x)\n    return x", "not_plain"),
        ("def add(a, b):\n    x = 7\n    for _ in range(500):\n        x = [x]\n    return x", "not_plain"),
        ("def add(a, b):\n    return 'x' * 2_000_000", "no_reply"),
        (SWALLOWING, "cpu_limit"),
        (NAMELESS, "exited"),
    ],
)  # fmt: skip
def test_a_wrong_function_scores_zero_and_says_why(score: Score, code: str, reason: str):
    verdict = score(code, ADD, meeting=reason)
    assert (verdict.score, verdict.reason) == (0.0, reason)


@pytest.mark.parametrize(
    ("body", "tests"),
    [
        ("return [1, (2, 3)]", call([1, [2, 3]])),
        ("return (1, 2)", call({"$tuple": [1, 2]})),
        ("return {1, 2}", call({"$set": [2, 1]})),
        ("return {1: {'a': None}}", call({"$dict": [[1, {"a": None}]]})),
        ("return b'ab'", call({"$bytes": "YWI="})),
        ("return float('nan')", call({"$float": "nan"})),
        ("return 2.0", call({"$float": "2"})),
        ("return 10**5000", call({"$int": hex(10**5000)})),
        ("return x * 2", call({"$int": hex(2 * 10**50)}, {"$int": hex(10**50)})),
        ("return sorted(x)", call([1, 2], {"$set": [2, 1]})),
        ("import collections\n    return collections.Counter(x)", call({"a": 2}, "aa")),
        ("return 0.1 + 0.2", call(0.3, tolerance={"abs": 1e-9})),
        ("return __name__", call("solution")),
        ("print('noise')\n    return 'é\\ud800'", call("é\ud800")),
    ],
)
def test_plain_data_of_every_kind_goes_in_and_comes_out(score: Score, body: str, tests: dict[str, Any]):
    assert score(f"def f(x=None):\n    {body}", tests).reason == "passed"


def test_a_method_is_called_on_a_fresh_instance(score: Score):
    code = "class Solution:\n    def __init__(self): self.n = 1\n    def solve(self, x): self.n += x; return self.n"
    tests = {"kind": "call", "entry_point": "Solution.solve", "cases": [{"args": [1], "expected": 2}] * 2}
    assert score(code, tests).score == 1


def test_a_main_block_does_not_run_where_a_function_is_called(score: Score):
    code = "def add(a, b):\n    return a + b\nif __name__ == '__main__':\n    raise SystemExit(add(*map(int, input())))"
    assert score(code, ADD).score == 1


def test_nothing_of_one_call_is_left_for_the_next(score: Score):
    cases = [{"args": [n], "expected": [1, "x"]} for n in range(3)]
    assert score(COUNTING, {"kind": "call", "entry_point": "f", "cases": cases}).score == 1


def test_all_or_nothing_stops_at_the_first_failure(score: Score):
    verdict = score("print(2)", {**SUM, "cases": SUM["cases"] * 2})
    assert verdict.score == 0
    assert verdict.evidence["run"] == 1


def test_a_fraction_pays_for_what_passes(score: Score):
    verdict = score("print(2)", {**SUM, "cases": SUM["cases"] * 2}, score="fraction")
    assert (verdict.score, verdict.reason) == (0.5, "wrong_answer")
    assert [result["outcome"] for result in verdict.evidence["results"]] == ["wrong_answer", "passed"] * 2


def test_what_does_not_compile_is_tried_once(score: Score):
    verdict = score("def add(", ADD, score="fraction")
    assert (verdict.reason, verdict.evidence["run"], verdict.evidence["tests"]) == ("compile_error", 1, 2)


def test_time_that_is_spent_fails_the_tests_that_are_left_and_is_no_fault(score: Score):
    code = "import time\ntime.sleep(0.4)\nprint(2)"
    cases = [{"stdin": "", "stdout": "2"}] * 9
    verdict = score(code, {"kind": "stdio", "cases": cases}, score="fraction", submission_wall_s=1.0)
    assert (verdict.score, verdict.reason, verdict.evidence["run"]) == (3 / 9, "not_run", 3)


def test_evidence_tells_nothing_of_what_is_asked_or_expected(score: Score):
    tests = {"kind": "stdio", "cases": [{"stdin": "424242", "stdout": "434343"}]}
    assert not any(secret in json.dumps(score("print(1)", tests).evidence) for secret in ("424242", "434343"))
    tests = {"kind": "call", "entry_point": "f", "cases": [{"args": [424242], "expected": 434343}]}
    assert not any(secret in json.dumps(score("def f(x): return 1", tests).evidence) for secret in ("424242", "434343"))


def test_evidence_of_many_tests_is_bounded(score: Score):
    verdict = score("print(1)", {"kind": "stdio", "cases": [{"stdout": "1"}] * 150})
    assert verdict.score == 1
    assert len(verdict.evidence["results"]) == 100


def test_the_name_of_an_exception_may_be_anything(score: Score):
    verdict = score("def add(a, b):\n    raise type('\\ud800' * 5000, (Exception,), {})", ADD)
    assert verdict.reason == "raised"
    assert len(json.dumps(verdict.evidence)) < 2000


@pytest.mark.parametrize(
    ("printed", "stdout", "checker", "right"),
    [
        ("a  b", "a b\n", "tokens", True),
        ("a  b", "a b\n", "lines", False),
        ("a b", "a b\n", "exact", True),
        ("a b ", "a b\n", "exact", False),
        ("b\\na", "a\nb\n", "unordered_lines", True),
        ("0.30000001", "0.3", {"kind": "float", "abs": 1e-6}, True),
        ("0.31", "0.3", {"kind": "float", "rel": 1e-6}, False),
        ("1000000008", "1000000007", {"kind": "float", "abs": 5.0, "rel": 1.0}, False),
    ],
)
def test_output_is_compared_as_the_task_says(score: Score, printed: str, stdout: str, checker: Any, right: bool):
    assert score(f"print('{printed}')", stdio(stdout, checker)).score == right


def test_a_long_output_is_compared_to_its_end(score: Score):
    tests = stdio("7 " * 100_000, "tokens")
    assert score("print('7 ' * 100_000)", tests).score == 1
    assert score("print('7 ' * 99_999)", tests).score == 0


CHECKER = """
given, wanted = int(open('output').read()), int(open('input').read())
raise SystemExit(0 if given * given == wanted else 1)
"""


def program(source: str, stdout: str = "3") -> dict[str, Any]:
    return stdio(stdout, {"kind": "program", "language": "python", "source": source}, "9")


@pytest.mark.parametrize(
    ("printed", "reason"), [("3", "passed"), ("-3", "passed"), ("4", "wrong_answer"), ("three", "wrong_answer")]
)
def test_a_checker_program_decides(score: Score, printed: str, reason: str):
    assert score(f"print('{printed}')", program(CHECKER)).reason == reason


def test_a_checker_that_breaks_on_one_output_alone_is_no_way_out(score: Score):
    source = "import os\nos.abort() if 'boom' in open('output').read() else None"
    verdict = score("print('boom')", program(source))
    assert (verdict.score, verdict.reason) == (0.0, "uncheckable")


def test_a_checker_that_breaks_on_the_expected_output_too_is_a_fault(score: Score):
    with pytest.raises(RewarderFault, match="exit code 7, on the expected output as well"):
        score("print(3)", program("raise SystemExit(7)"))


def test_the_checkers_files_are_never_beside_the_candidate(score: Score):
    code = "import os\nprint(len({'input', 'expected', 'output'} & set(os.listdir('.'))))"
    assert score(code, program("raise SystemExit(open('output').read().strip() != '0')")).score == 1


def test_nothing_but_the_call_lies_beside_the_candidate(score: Score):
    assert score(LISTING, call(["main.py", "solution.py"])).score == 1

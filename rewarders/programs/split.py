"""Tests that stay code: they run in a trusted interpreter of their own, the candidate in another sandbox.

What they share is a socket. The verdict is a file of the tests' side, where nothing of the candidate's ever runs.
"""

import ast
import json
import signal
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import Field, ValidationError

from rewarders.errors import RewarderFault
from rewarders.programs.params import Params
from rewarders.programs.reasons import LIMITS, CaseResult, Reason, ending, exception
from rewarders.programs.reference import TEST_FILE, AssertTests, Closed, PytestTests
from rewarders.programs.scripts import judge_script, serve_script
from sandboxes.types import MIB, Limits, Outcome, Program, Sandbox, SandboxResult

_JUDGE_LANGUAGE = "pytest"
_VERDICT = "verdict.json"
_JUDGE_MEMORY_BYTES = 512 * MIB
_JUDGE_HEAD_START_S = 5.0
"""How much longer than the candidate the tests' side may take, so that it can say what became of it."""

_PYTEST_INI = b"[pytest]\nempty_parameter_set_mark = fail_at_collect\n"
"""The parameters may be the candidate's: without any, a test would be skipped."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_WRONG = {"AssertionError", "Failed"}
"""What a failing comparison raises, and what `pytest.fail` and `pytest.raises` do."""


class JudgedTest(Closed):
    """One test as the tests' side saw it end."""

    outcome: str
    raised: str = ""


class JudgeVerdict(Closed):
    """What the tests' side writes."""

    tests: Annotated[tuple[JudgedTest, ...], Field(strict=False)]
    load_raised: str | None = None
    """Type of the exception with which the candidate's module failed to load."""
    found: bool = True
    """Whether the entry point is there."""
    borrowed: tuple[str, ...] = Field(default=(), strict=False)
    """Names of the asserts that only the candidate's module has."""
    asked: int = 0
    """How many questions the tests asked the candidate."""
    left_out: int = 0
    """How many tests their author marks to be skipped or to fail."""
    broken: str | None = None
    """What is wrong with the tests."""
    uncrossable: str | None = None
    gone: str | None = None


async def run_split(
    tests: AssertTests | PytestTests, code: str, params: Params, sandbox: Sandbox
) -> tuple[list[CaseResult], dict[str, Any]]:
    """Run tests and candidate side by side; the results, and what there is to say beside them.

    Raises:
        RewarderFault: nothing can be said about the candidate; the message says what to change in the task.
        SandboxFault: as `Sandbox.run_linked` does.
    """
    judged, ran = await sandbox.run_linked(_judge(tests, params), _candidate(tests, code, params))
    verdict = _read(judged)
    cpu_s, wall_s = ran.cpu_s, max(ran.wall_s, judged.wall_s)
    if verdict is None:
        return [CaseResult(_without_verdict(judged, ran), cpu_s, wall_s)], {}
    reasons = reasons_of(verdict, ran, written_tests(tests))
    results = [CaseResult(reason, raised=raised) for reason, raised in reasons]
    results[0] = CaseResult(results[0].reason, cpu_s, wall_s, results[0].raised)  # one run for all of them
    beside = {"borrowed": list(verdict.borrowed), "left_out": verdict.left_out}
    return results, {name: value for name, value in beside.items() if value}


def written_tests(tests: AssertTests | PytestTests) -> int:
    """How many test functions the task's files hold, whether or not they are defined when they are run."""
    files = tests.files if isinstance(tests, PytestTests) else {}
    trees = [ast.parse(text) for path, text in files.items() if path.endswith(".py")]
    functions = (node for tree in trees for node in ast.walk(tree) if isinstance(node, _FUNCTIONS))
    return sum(function.name.startswith("test") for function in functions)


def reasons_of(verdict: JudgeVerdict, ran: SandboxResult, written: int) -> list[tuple[Reason, str | None]]:
    """What each test comes to. Pure.

    Args:
        verdict: what the judge said.
        ran: how the candidate's run ended.
        written: how many tests the task's files hold.

    Raises:
        RewarderFault: the tests ask for what cannot cross, are broken, or say nothing.
    """
    if verdict.load_raised is not None:
        if verdict.gone:
            return [(_left(verdict.gone, ran), None)]
        return [(exception(verdict.load_raised, loading=True), verdict.load_raised)]
    if verdict.uncrossable or verdict.broken:
        raise RewarderFault(str(verdict.uncrossable or verdict.broken), hint="change the task's tests")
    if not verdict.tests and verdict.left_out < written:  # whether they are defined depends on the candidate
        return [(Reason.NO_ENTRY_POINT, None)]
    if not verdict.tests:
        raise RewarderFault("the tests hold no test that is run", hint="tests marked skip or xfail are left out")
    reasons = [_reason(test, verdict, ran) for test in verdict.tests]
    if not verdict.asked and all(reason is Reason.PASSED for reason, _ in reasons):
        raise RewarderFault("the tests pass without asking the candidate anything", hint="change the task's tests")
    return reasons


def _reason(test: JudgedTest, verdict: JudgeVerdict, ran: SandboxResult) -> tuple[Reason, str | None]:
    if test.outcome == "passed":
        return Reason.PASSED, None
    if not verdict.found:
        return Reason.NO_ENTRY_POINT, None
    if verdict.gone and test.raised in ("", "CandidateLeft"):
        return _left(verdict.gone, ran), None
    if test.outcome == "not_collected" and test.raised == "ImportError":
        return Reason.NO_ENTRY_POINT, None
    if test.outcome in ("not_run", "skipped"):
        return Reason.NOT_RUN, None
    if test.raised in _WRONG or not test.raised:
        return Reason.WRONG_ANSWER, None
    return exception(test.raised), test.raised


def _left(gone: str, ran: SandboxResult) -> Reason:
    """Why the candidate is no longer there: what its sandbox saw, or else what the tests' side did."""
    if gone == "silent":
        return Reason.TIMED_OUT
    reason = ending(ran) if gone == "closed" else None
    ended_by_us = ran.signal == signal.SIGKILL  # as soon as the tests were over, which may have been first
    return Reason.NO_REPLY if reason is None or ended_by_us else reason


def _without_verdict(judged: SandboxResult, ran: SandboxResult) -> Reason:
    """Whose doing it is that there is none: what the candidate could have brought about is its own.

    Raises:
        RewarderFault: it could not.
    """
    if ran.outcome in LIMITS:
        return LIMITS[ran.outcome]
    if judged.outcome in LIMITS:
        return Reason.JUDGE_EXHAUSTED
    how = f"exit code {judged.exit_code}" if judged.outcome is Outcome.EXITED else judged.outcome.value
    raise RewarderFault(f"the tests ended with {how} and without a verdict", hint="do the tests end the interpreter?")


def _read(judged: SandboxResult) -> JudgeVerdict | None:
    data = judged.files.get(_VERDICT)
    if data is None or not judged.succeeded:
        return None
    try:
        return JudgeVerdict.model_validate_json(data)
    except ValidationError as error:
        raise RewarderFault(f"the verdict of the tests' side cannot be read: {len(data)} bytes") from error


def _judge(tests: AssertTests | PytestTests, params: Params) -> Program:
    order: dict[str, Any] = {"kind": tests.kind, "patience_s": params.limits.wall_s, "path": _path(tests)}
    script = judge_script()
    files = dict(script.files)
    if isinstance(tests, AssertTests):
        order |= {"entry_point": tests.entry_point, "code": tests.code}
    else:
        collected = [path for path in sorted(tests.files) if TEST_FILE.fullmatch(PurePosixPath(path).name)]
        order |= {"module": _path(tests).removesuffix(".py"), "collect": collected}
        order["stop_at_first"] = params.score == "all"
        files |= {path: content.encode() for path, content in tests.files.items()} | {"tests.ini": _PYTEST_INI}
    wall_s = params.submission_wall_s + _JUDGE_HEAD_START_S
    limits = Limits(
        wall_s=wall_s, cpu_s=wall_s, memory_bytes=_JUDGE_MEMORY_BYTES, output_bytes=16 * MIB, disk_bytes=128 * MIB
    )
    files["order.json"] = json.dumps(order).encode()
    return Program(language=_JUDGE_LANGUAGE, source=script.source, files=files, fetch=(_VERDICT,), limits=limits)


def _candidate(tests: AssertTests | PytestTests, code: str, params: Params) -> Program:
    limits = params.limits.model_copy(update={"wall_s": params.submission_wall_s})
    script = serve_script()
    return Program(source=script.source, files={**script.files, _path(tests): code.encode()}, limits=limits)


def _path(tests: AssertTests | PytestTests) -> str:
    return tests.module if isinstance(tests, PytestTests) else "solution.py"

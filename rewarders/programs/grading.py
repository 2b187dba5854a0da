"""From a completion and its task's tests to a verdict."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from pydantic import JsonValue

from rewarders.programs.calls import cases_of, run_calls
from rewarders.programs.expectations import CallCase
from rewarders.programs.params import Params
from rewarders.programs.reasons import CaseResult, Reason
from rewarders.programs.reference import AssertTests, CallTests, PytestTests, StdioTests, Tests
from rewarders.programs.rewriting import call_cases
from rewarders.programs.split import run_split
from rewarders.programs.stdio import run_stdio
from rewarders.text import after_thinking
from rewarders.types import Completion, FinishReason, Verdict
from sandboxes.fences import extract, tags_of
from sandboxes.types import Sandbox

MAX_LISTED = 100
"""How many tests are told of one by one; evidence is bounded."""


@dataclass(frozen=True)
class Grading:
    """What came of the tests that were run, in order, and how many there are."""

    results: list[CaseResult]
    total: int
    beside: dict[str, JsonValue] = field(default_factory=dict)

    @property
    def passed(self) -> int:
        """How many tests passed."""
        return sum(result.reason is Reason.PASSED for result in self.results)

    @property
    def wall_s(self) -> float:
        """How long the tests took together."""
        return sum(result.wall_s for result in self.results)

    @property
    def passes(self) -> bool:
        """Whether every test was run and passed."""
        return self.passed == self.total

    @property
    def reason(self) -> Reason:
        """That of the first test which did not pass."""
        failed = (result.reason for result in self.results if result.reason is not Reason.PASSED)
        return next(failed, Reason.PASSED if self.passes else Reason.NOT_RUN)

    @property
    def evidence(self) -> dict[str, JsonValue]:
        """Counts and what came of each test; nothing of what was asked or expected."""
        failed = next((i for i, result in enumerate(self.results) if result.reason is not Reason.PASSED), None)
        run = sum(result.reason is not Reason.NOT_RUN for result in self.results)
        counts: dict[str, JsonValue] = {"tests": self.total, "run": run, "passed": self.passed}
        first: dict[str, JsonValue] = {} if failed is None else {"first_failed": failed}
        return {**counts, **first, **self.beside, "results": [_listed(r) for r in self.results[:MAX_LISTED]]}

    def verdict(self, params: Params) -> Verdict:
        """As the rubric wants it scored."""
        share = self.passed / self.total
        score = float(self.passes) if params.score == "all" else share
        return Verdict(score=score, reason=self.reason, evidence=self.evidence)


def program_of(completion: Completion, language: str, params: Params) -> str | Verdict:
    """The program that a completion holds, or why it scores 0 without one."""
    found = extract(after_thinking(completion.text), tags_of(language), bare=params.bare)
    if found is None:
        return Verdict(score=0.0, reason=Reason.NO_CODE)
    cut_off = completion.finish_reason in (FinishReason.LENGTH, FinishReason.ABORT)
    if cut_off and not found.complete:
        return Verdict(score=0.0, reason=Reason.TRUNCATED)
    try:
        size = len(found.code.encode())
    except UnicodeEncodeError:  # a lone surrogate, which no source file can hold
        return Verdict(score=0.0, reason=Reason.COMPILE_ERROR)
    if size > params.max_code_bytes:
        return Verdict(score=0.0, reason=Reason.TOO_LONG, evidence={"code_bytes": size})
    return found.code


async def grade(tests: Tests, code: str, language: str, params: Params, sandbox: Sandbox) -> Grading:
    """Run the tests on a program. Raises SandboxFault, RewarderFault."""
    if isinstance(tests, StdioTests):
        return await _collect(run_stdio(tests, code, language, params, sandbox), len(tests.cases), params)
    cases = _cases(tests)
    if cases is not None:
        return await _collect(run_calls(cases, code, params, sandbox), len(cases), params)
    assert not isinstance(tests, CallTests), "they are all cases"
    results, beside = await run_split(tests, code, params, sandbox)
    return Grading(results, len(results), beside)


def count_of(tests: Tests) -> int:
    """How many tests there are, as far as that is known without running them; else 1."""
    cases = tests.cases if isinstance(tests, StdioTests) else _cases(tests)
    return len(cases) if cases is not None else 1


def _cases(tests: CallTests | AssertTests | PytestTests) -> Sequence[CallCase] | None:
    """The tests as single calls, where they can be."""
    if isinstance(tests, CallTests):
        return cases_of(tests)
    return call_cases(tests.code, tests.entry_point) if isinstance(tests, AssertTests) else None


async def _collect(running: AsyncGenerator[CaseResult, None], total: int, params: Params) -> Grading:
    """Take results until it is settled what the program scores, or its time is spent."""
    results: list[CaseResult] = []
    async with aclosing(running) as arriving:
        async for result in arriving:
            results.append(result)
            if _settled(results, params):
                break
    return Grading(results, total)


def _settled(results: list[CaseResult], params: Params) -> bool:
    last = results[-1].reason
    if last is Reason.COMPILE_ERROR or (params.score == "all" and last is not Reason.PASSED):
        return True
    return sum(result.wall_s for result in results) >= params.submission_wall_s


def _listed(result: CaseResult) -> dict[str, JsonValue]:
    listed: dict[str, JsonValue] = {
        "outcome": result.reason.value,
        "cpu_s": round(result.cpu_s, 4),
        "wall_s": round(result.wall_s, 4),
    }
    return {**listed, "raised": result.raised} if result.raised else listed


def merged(gradings: Iterable[Grading]) -> Grading:
    """Several gradings as one, in order."""
    parts = list(gradings)
    beside = {name: value for part in parts for name, value in part.beside.items()}
    return Grading([result for part in parts for result in part.results], sum(part.total for part in parts), beside)

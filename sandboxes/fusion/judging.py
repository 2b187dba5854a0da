"""`/submit`: judge a completion by what its program writes. Expectations stay here, outside the sandbox."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from sandboxes.compare import same_bytes, same_floats, same_lines, same_tokens, same_unordered_lines
from sandboxes.fences import Extracted, Where, extract, tags_of
from sandboxes.fusion.running import language_of, limits_of, response_of
from sandboxes.fusion.shapes import (
    EvalResult,
    EvalTestCase,
    RunCodeRequest,
    RunStatus,
    Shape,
    StdioCase,
    SubmitRequest,
)
from sandboxes.service.problems import Refusal
from sandboxes.service.server import SandboxServer
from sandboxes.types import Limits, Program, SandboxResult, Submission

_DATASET_TYPE = "CommonOJDataset"
_RUN_S = 20.0
_SHOWN_CHARS = 1000
_ASIDE_BYTES = 64 * 1024
"""Longer outputs are compared in a thread, so that the event loop goes on serving others."""

Same = Callable[[bytes, bytes], bool]


class FloatChecker(Shape):
    """`extra.checker` for numbers that may be off; see `same_floats`."""

    kind: Literal["float"]
    abs: float = Field(default=0.0, ge=0)
    rel: float = Field(default=0.0, ge=0)


_CHECKERS: dict[str, Same] = {
    "tokens": same_tokens,
    "lines": same_lines,
    "unordered_lines": same_unordered_lines,
    "exact": same_bytes,
}


@dataclass(frozen=True)
class Assignment:
    """What a submission is judged by."""

    language: str
    cases: list[StdioCase]
    same: Same
    limits: Limits
    run_all_cases: bool
    """Otherwise the first failure is the last run."""
    return_full_case: bool
    """Otherwise the texts of tests that were passed are cut short in the answer."""


def assignment_of(request: SubmitRequest, most: Limits) -> Assignment:
    """What the request brings along.

    Raises:
        Refusal: it cannot be judged here, or could only be judged in a way that can be tricked.
        SandboxMisconfigured: its language is not known here.
    """
    config = request.config
    if config.dataset_type != _DATASET_TYPE:
        raise _refused(
            "config.dataset_type",
            f"only {_DATASET_TYPE} is judged here; a type that puts answer and tests in one file and looks at its exit"
            " code is passed by sys.exit(0): use the reward service's programs.tests instead",
        )
    if config.custom_extract_logic is not None:
        raise _refused("config.custom_extract_logic", "code of the caller's is not run in the server")
    if config.language is None:
        raise _refused("config.language", "has to be given")
    return Assignment(
        language=language_of(config.language),
        cases=_cases(_row(request)),
        same=_same(config.extra.get("checker", "tokens")),
        limits=limits_of(config.run_timeout or _RUN_S, -1, most),
        run_all_cases=bool(config.extra.get("run_all_cases", False)),
        return_full_case=bool(config.extra.get("return_full_case", False)),
    )


async def judge(server: SandboxServer, request: SubmitRequest, assignment: Assignment) -> EvalResult:
    """Extract the program, run it on each input, compare. Raises SandboxFault."""
    found = extract(request.completion, tags_of(assignment.language))
    if found is None:
        return EvalResult(id=request.id, accepted=False, extracted_code="", tests=[], extracted_type="empty")
    program = Program(language=assignment.language, source=found.code, limits=assignment.limits)
    compiled = assignment.language in server.compiled
    async with server.sandbox.open(program) as submission:
        tests = [test async for test in _tests(submission, assignment, compiled=compiled)]
    return EvalResult(
        id=request.id,
        accepted=len(tests) == len(assignment.cases) and all(test.passed for test in tests),
        extracted_code=found.code,
        tests=tests,
        extracted_type=_extracted_type(found),
    )


async def _tests(submission: Submission, assignment: Assignment, *, compiled: bool) -> AsyncIterator[EvalTestCase]:
    for case in assignment.cases:
        result = await submission.run(case.input["stdin"].encode())
        test = await _tested(result, case, assignment, compiled=compiled)
        yield test
        if not test.passed and not assignment.run_all_cases:
            return


async def _tested(result: SandboxResult, case: StdioCase, assignment: Assignment, *, compiled: bool) -> EvalTestCase:
    request = RunCodeRequest(code="", language=assignment.language)
    response = response_of(result, request, compiled=compiled)
    expected = case.output["stdout"].encode()
    passed = response.status is RunStatus.SUCCESS and await _compared(assignment.same, expected, result.stdout)
    whole = assignment.return_full_case or not passed
    return EvalTestCase(passed=passed, exec_info=response, test_info=case.model_dump() if whole else _cut(case))


async def _compared(same: Same, expected: bytes, actual: bytes) -> bool:
    if len(expected) + len(actual) > _ASIDE_BYTES:
        return await asyncio.to_thread(same, expected, actual)
    return same(expected, actual)


def _row(request: SubmitRequest) -> dict[str, Any]:
    provided = request.config.provided_data
    if isinstance(provided, list):
        provided = next((row for row in provided if row.get("id") == request.id), None)
    if provided is None:
        raise _refused("config.provided_data", "has to hold the tests; no data set is kept here")
    return provided


def _cases(row: dict[str, Any]) -> list[StdioCase]:
    test = row.get("test")
    try:
        cases = TypeAdapter(list[StdioCase]).validate_python(json.loads(test) if isinstance(test, str) else test)
    except (ValidationError, ValueError):
        cases = []
    if not cases or any(case.input.keys() != {"stdin"} or case.output.keys() != {"stdout"} for case in cases):
        raise _refused(
            "config.provided_data",
            'test has to be a list, not empty, of {"input": {"stdin": ...}, "output": {"stdout": ...}}; other files are'
            " not compared here",
        )
    return cases


def _same(checker: Any) -> Same:
    if isinstance(checker, str) and checker in _CHECKERS:
        return _CHECKERS[checker]
    try:
        tolerance = FloatChecker.model_validate(checker)
    except ValidationError:
        known = ", ".join(_CHECKERS)
        raise _refused(
            "config.extra.checker", f'has to be one of {known}, or {{"kind": "float", "abs", "rel"}}'
        ) from None
    return partial(same_floats, absolute=tolerance.abs, relative=tolerance.rel)


def _extracted_type(found: Extracted) -> Literal["fenced", "incomplete_fenced", "heuristic"]:
    if found.where is Where.BARE:
        return "heuristic"
    return "fenced" if found.complete else "incomplete_fenced"


def _cut(case: StdioCase) -> dict[str, Any]:
    return {
        name: {key: text[:_SHOWN_CHARS] for key, text in texts.items()} for name, texts in case.model_dump().items()
    }


def _refused(field: str, detail: str) -> Refusal:
    return Refusal(422, "invalid", f"{field}: {detail}", field=field)

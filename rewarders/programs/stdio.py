"""Tests of kind `stdio`: what a program prints for an input. The comparison happens here, on bytes."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from rewarders.errors import RewarderFault
from rewarders.programs.params import Params
from rewarders.programs.reasons import CaseResult, Reason, ending
from rewarders.programs.reference import FloatChecker, ProgramChecker, StdioCase, StdioTests
from sandboxes.compare import same_bytes, same_floats, same_lines, same_tokens, same_unordered_lines
from sandboxes.types import Limits, Outcome, Program, Sandbox, SandboxResult

_COMPARED_AT_ONCE_BYTES = 64 * 1024
"""Longer outputs are compared in a thread, so that nothing else waits for them."""

_COMPARISONS: dict[str, Callable[[bytes, bytes], bool]] = {
    "exact": same_bytes,
    "tokens": same_tokens,
    "lines": same_lines,
    "unordered_lines": same_unordered_lines,
}


async def run_stdio(
    tests: StdioTests, code: str, language: str, params: Params, sandbox: Sandbox
) -> AsyncGenerator[CaseResult, None]:
    """Run the program on one input after the other. Raises SandboxFault, RewarderFault."""
    program = Program(language=language, source=code, limits=params.limits)
    async with sandbox.open(program) as submission:
        for case in tests.cases:
            result = await submission.run(case.stdin.encode())
            reason, checked_s = ending(result), 0.0
            if reason is None:
                reason, checked_s = await _checked(tests, case, result.stdout, sandbox)
            yield CaseResult(reason, result.cpu_s, result.wall_s + checked_s)


async def _checked(tests: StdioTests, case: StdioCase, output: bytes, sandbox: Sandbox) -> tuple[Reason, float]:
    """The reason, and for how many seconds a checker program ran: the output may be made to keep it busy."""
    if isinstance(tests.checker, ProgramChecker):
        return await _checked_by_program(tests.checker, case, output, sandbox)
    comparison, expected = _comparison(tests), case.stdout.encode()
    if len(output) + len(expected) > _COMPARED_AT_ONCE_BYTES:
        right = await asyncio.to_thread(comparison, expected, output)
    else:
        right = comparison(expected, output)
    return (Reason.PASSED if right else Reason.WRONG_ANSWER), 0.0


def _comparison(tests: StdioTests) -> Callable[[bytes, bytes], bool]:
    checker = tests.checker
    if isinstance(checker, FloatChecker):
        return lambda expected, output: same_floats(expected, output, absolute=checker.abs, relative=checker.rel)
    assert isinstance(checker, str), "programs are run, not called"
    return _COMPARISONS[checker]


async def _checked_by_program(
    checker: ProgramChecker, case: StdioCase, output: bytes, sandbox: Sandbox
) -> tuple[Reason, float]:
    """Ask the task's checker; where it breaks, find out on whom by giving it the expected output too.

    Raises:
        RewarderFault: the checker breaks on the expected output as well.
        SandboxFault: it could not be run.
    """
    judged = await _run_checker(checker, case, output, sandbox)
    if not _answered(judged):
        again = await _run_checker(checker, case, case.stdout.encode(), sandbox)
        if not _answered(again):
            how = f"exit code {judged.exit_code}" if judged.outcome is Outcome.EXITED else judged.outcome.value
            raise RewarderFault(
                f"the task's checker program ended with {how}, on the expected output as well",
                hint="a checker exits with 0 for right and with 1 for wrong",
            )
        return Reason.UNCHECKABLE, judged.wall_s + again.wall_s
    return (Reason.PASSED if judged.exit_code == 0 else Reason.WRONG_ANSWER), judged.wall_s


async def _run_checker(checker: ProgramChecker, case: StdioCase, output: bytes, sandbox: Sandbox) -> SandboxResult:
    files = {"input": case.stdin.encode(), "expected": case.stdout.encode(), "output": output}
    return await sandbox.run(Program(language=checker.language, source=checker.source, files=files, limits=Limits()))


def _answered(result: SandboxResult) -> bool:
    return result.stage == "run" and result.exit_code in (0, 1)

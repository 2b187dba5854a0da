"""Calls of the candidate's function, each in a process of its own. What comes back is data, and is compared here."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from pydantic import JsonValue

from rewarders.programs.expectations import CallCase, Equals, Expectation
from rewarders.programs.inside.crossing import dumps
from rewarders.programs.params import Params
from rewarders.programs.plain import DictOf, NotPlain, Plain, Rules, Tolerance, read, value_of
from rewarders.programs.reasons import CaseResult, Reason, ending, exception
from rewarders.programs.reference import CallTests
from rewarders.programs.scripts import call_script
from sandboxes.types import Program, Sandbox, SandboxResult

REPLY = "reply"
_READ_AT_ONCE_BYTES = 64 * 1024
_NAME_CHARS = 80


def cases_of(tests: CallTests) -> list[CallCase]:
    """The calls of a task of kind `call`."""
    tolerance = Tolerance(tests.tolerance.abs, tests.tolerance.rel) if tests.tolerance else None
    rules = Rules(tuples_for_lists=True, tolerance=tolerance)
    return [
        CallCase(_request(tests.entry_point, case.args, case.kwargs), Equals(value_of(case.expected), rules))
        for case in tests.cases
    ]


async def run_calls(
    cases: Sequence[CallCase], code: str, params: Params, sandbox: Sandbox
) -> AsyncGenerator[CaseResult, None]:
    """Make one call after the other. Raises SandboxFault."""
    script = call_script()
    files = {**script.files, "solution.py": code.encode()}
    program = Program(source=script.source, files=files, fetch=(REPLY,), limits=params.limits)
    async with sandbox.open(program) as submission:
        for case in cases:
            result = await submission.run(case.request)
            reason, raised = ending(result), None
            if reason is None:
                reason, raised = await _judged(result, case.expectation)
            yield CaseResult(reason, result.cpu_s, result.wall_s, raised)


async def _judged(result: SandboxResult, expectation: Expectation) -> tuple[Reason, str | None]:
    reply = result.files.get(REPLY)
    if reply is None:
        return Reason.NO_REPLY, None
    if len(reply) > _READ_AT_ONCE_BYTES:
        return await asyncio.to_thread(judge_reply, reply, expectation)
    return judge_reply(reply, expectation)


def judge_reply(reply: bytes, expectation: Expectation) -> tuple[Reason, str | None]:
    """What the bytes of a reply come to, and the name of a type that explains it. They may be anything."""
    try:
        said = _fields(read(reply))
    except NotPlain:
        return Reason.NOT_PLAIN, None
    if "value" in said:
        return (Reason.PASSED if expectation.met_by(said["value"]) else Reason.WRONG_ANSWER), None
    if "opaque" in said:
        return Reason.NOT_PLAIN, _shown(said["opaque"])
    if "raised" not in said:
        return Reason.NO_REPLY, None
    if said.get("at") == "find" and said["raised"] == "AttributeError":
        return Reason.NO_ENTRY_POINT, None
    name = _shown(said["raised"])
    if said.get("at") == "reply":  # too deep, or around in a circle
        return Reason.NOT_PLAIN, name
    return exception(name, loading=said.get("at") == "load"), name


def _fields(said: Plain) -> dict[Any, Plain]:
    if not isinstance(said, DictOf) or not all(isinstance(key, str) for key, _ in said.pairs):
        raise NotPlain("not a reply")
    return dict(said.pairs)


def _shown(name: Plain) -> str:
    """A bounded name that can be stored as UTF-8."""
    return str(name)[:_NAME_CHARS].encode("utf-8", "replace").decode() if isinstance(name, str) else "?"


def _request(entry_point: str, args: Sequence[JsonValue], kwargs: dict[str, JsonValue]) -> bytes:
    return dumps({"entry_point": entry_point, "args": list(args), "kwargs": dict(kwargs)})

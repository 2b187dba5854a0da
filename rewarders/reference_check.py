"""A rewarder's check of references, dressed as a rewarder.

So it is run like one: in a process that can be killed, under a CPU budget, with the same blame when that is spent.
"""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import JsonValue

from rewarders.types import Completion, TaskProblem, Verdict

ReferenceCheck = Callable[[Any, Any], Sequence[TaskProblem]]
"""From a rewarder's reference and params to what is wrong with them."""

MOST_PROBLEMS = 12
MESSAGE_CHARS = 200
"""Twelve messages of characters that JSON spells in six bytes fit the evidence of a verdict."""


def as_rewarder(check: ReferenceCheck) -> Callable[[Completion, Any, Any], Verdict]:
    """A pure rewarder that looks at no completion; `problems_in` reads its verdict."""

    def checked(completion: Completion, reference: Any, params: Any) -> Verdict:
        """Say what is wrong with the reference."""
        problems = check(reference, params)
        sound = not any(problem.severity == "error" for problem in problems)
        return Verdict(score=float(sound), reason="checked", evidence={"problems": _document(problems)})

    return checked


def problems_in(verdict: Verdict) -> tuple[TaskProblem, ...]:
    """What a check said, or what became of it: one that was too costly or crashed is an error of the reference."""
    if verdict.reason != "checked":
        spent = verdict.evidence.get("spent") or verdict.evidence.get("signal")
        message = f"checking the reference ended early: {spent}; no answer could be compared with it either"
        return (TaskProblem(severity="error", code=verdict.reason, message=message),)
    said = verdict.evidence["problems"]
    assert isinstance(said, list), "a check was dressed by `as_rewarder`"
    return tuple(TaskProblem.model_validate(problem) for problem in said)


def _document(problems: Sequence[TaskProblem]) -> list[JsonValue]:
    """Bounded, errors first: what a reference provokes must not grow without end."""
    ranked = sorted(problems, key=lambda problem: problem.severity)
    if len(ranked) > MOST_PROBLEMS:
        left_out = ranked[MOST_PROBLEMS - 1 :]
        more = TaskProblem(severity=left_out[0].severity, code="more", message=f"and {len(left_out)} more problems")
        ranked = [*ranked[: MOST_PROBLEMS - 1], more]
    return [{**problem.model_dump(), "message": _shown(problem.message)} for problem in ranked]


def _shown(message: str) -> str:
    return message if len(message) <= MESSAGE_CHARS else message[: MESSAGE_CHARS - 1] + "…"

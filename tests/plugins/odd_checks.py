"""Rewarders whose reference checks do what the reference says, so that `check-tasks` can be seen to survive them."""

import ctypes

from pydantic import BaseModel

from rewarders import Completion, Verdict, rewarder
from rewarders.tools import Tools
from rewarders.types import TaskProblem


class Reference(BaseModel, frozen=True, extra="forbid"):
    told: str


def obey(reference: Reference, params: BaseModel) -> tuple[TaskProblem, ...]:
    match reference.told:
        case "burn":
            while True:
                pass
        case "raise":
            raise ValueError("as told")
        case "segfault":
            ctypes.string_at(0)
        case "many":
            warnings = [TaskProblem(severity="warning", code="odd", message="\x01" * 5_000)] * 50
            return (*warnings, TaskProblem(severity="error", code="last", message="the one that matters"))
    return ()


@rewarder("odd.checked", version="1.0", reference=Reference, cpu_budget_s=0.3, check=obey)
def checked(completion: Completion, reference: Reference, params: BaseModel) -> Verdict:
    """1, once its reference has been checked."""
    return Verdict(score=1.0, reason="done")


@rewarder("odd.waits", version="1.0", reference=Reference, check=obey)
async def waits(completion: Completion, reference: Reference, params: BaseModel, tools: Tools) -> Verdict:
    """1, although nothing would run it."""
    return Verdict(score=1.0, reason="done")

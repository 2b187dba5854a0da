"""What crosses the wire: tasks and completions in, verdicts and reward breakdowns out.

All types are frozen, refuse unknown fields, coerce nothing and hold only finite numbers.
"""

from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from rewarders.digests import canonical_json, digest

MAX_EVIDENCE_BYTES = 16_384
"""Evidence explains a score; it is not a place to store things."""

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
"""Text without NUL, which PostgreSQL does not keep."""
Unit = Annotated[float, Field(ge=0.0, le=1.0)]
Duration = Annotated[float, Field(ge=0.0)]


class Wire(BaseModel):
    """Base of everything on the wire."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Message(Wire):
    """One turn of a conversation, in the shape every chat template knows."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | None = None
    name: str | None = None
    tool_calls: JsonValue = None
    tool_call_id: str | None = None


Messages = Annotated[tuple[Message, ...], Field(strict=False, fail_fast=True)]
"""A conversation. One that is wrong is so from its first wrong turn: what follows is not looked at."""


class Task(Wire):
    """One question with what it takes to judge an answer."""

    id: Name
    prompt: Annotated[Messages, Field(min_length=1)]
    rubric: Name
    reference: JsonValue = None
    """What the verifier compares with. It never reaches the policy: see `public()`."""
    source: str | None = None
    split: str | None = None

    @cached_property
    def document(self) -> dict[str, Any]:
        """The task as JSON, reference included, without what was not given."""
        return self.model_dump(mode="json", exclude_none=True)

    @cached_property
    def digest(self) -> str:
        """Content address of the task, reference included."""
        return digest(self.document)

    def public(self) -> "Task":
        """The task as a policy may see it: without its reference, and nothing derived from it carried along."""
        return self.model_construct(**{**dict(self), "reference": None})


class FinishReason(StrEnum):
    """Why the model stopped writing."""

    STOP = "stop"
    LENGTH = "length"
    TOOL = "tool"
    ABORT = "abort"


class Completion(Wire):
    """What the model wrote."""

    text: str
    finish_reason: Annotated[FinishReason, Field(strict=False)] = FinishReason.STOP
    messages: Messages | None = None
    """The trajectory, where there was one: turns, tool calls, tool results."""
    policy_version: str | None = None

    @cached_property
    def document(self) -> dict[str, Any]:
        """The completion as JSON, without what was not given."""
        return self.model_dump(mode="json", exclude_none=True)

    @cached_property
    def digest(self) -> str:
        """Content address of the completion."""
        return digest(self.document)


class Verdict(Wire):
    """An opinion about the completion."""

    score: Unit
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    """Short code from the rewarder's closed list."""
    evidence: dict[str, JsonValue] = Field(default_factory=dict)
    """What led to the score. Beyond MAX_EVIDENCE_BYTES only its size is kept: were it an error, a completion that
    is quoted could choose to be unscored by being long."""

    @field_validator("evidence")
    @classmethod
    def _bounded(cls, evidence: dict[str, JsonValue]) -> dict[str, JsonValue]:
        size = len(canonical_json(evidence)) if evidence else 0
        return evidence if size <= MAX_EVIDENCE_BYTES else {"left_out_bytes": size}


class TaskProblem(Wire):
    """Something wrong with a task itself, found before anything is scored by it."""

    severity: Literal["error", "warning"]
    """An error makes the task useless; a warning is for a person to look at."""
    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    """Short code from the closed list of the check."""
    message: str
    """For the owner of the tasks, so it may repeat the reference."""


class Fault(Wire):
    """A failure of ours. Never a number."""

    kind: str
    message: str
    retryable: bool = False
    attempt: int = Field(default=1, ge=1)


class Component(Wire):
    """What one part of a rubric said, and what it was worth. Holds a verdict or a fault, never both."""

    rewarder: str
    version: str
    distribution: str
    weight: float = 1.0
    gate: bool = False
    verdict: Verdict | None = None
    fault: Fault | None = None
    observed: str | None = None
    """Why it counts for nothing although the rubric would pay it: a judge that is not calibrated. Recorded all the
    same. Where it is a gate, the completion is unscored: an untested judge neither closes a gate nor opens it."""
    contribution: float = 0.0
    """Signed share of the reward after weights and gates; the contributions add up to it exactly."""
    cpu_s: Duration = 0.0
    wall_s: Duration = 0.0
    cached: bool = False

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.verdict is None) == (self.fault is None):
            raise ValueError("a component holds either a verdict or a fault")
        return self


class RewardBreakdown(Wire):
    """A reward and where it came from. `reward` is None when a failure of ours left it unscored."""

    task_id: str
    completion_digest: str
    rubric: str
    rubric_digest: str
    reward: float | None
    components: Annotated[tuple[Component, ...], Field(strict=False)]
    record_id: str | None = None

    @property
    def fault(self) -> Fault | None:
        """The fault that kept the completion from being scored, if one did."""
        if self.reward is not None:
            return None
        counted = (part.fault for part in self.components if part.fault and (part.gate or part.weight))
        unheard = sorted((part for part in self.components if part.observed), key=lambda part: not part.gate)
        return next(counted, None) or next((_objection(part) for part in unheard), None)


def _objection(part: Component) -> Fault:
    """Why an opinion does not count. A gate's is the graver: beside it nothing else can be paid."""
    gate = f". As {part.rewarder} is a gate, nothing is paid without it" if part.gate else ""
    return Fault(kind="JudgeFault", message=f"{part.observed}{gate}")

"""`model.scalar`: the number of a reward model, brought into [0, 1]."""

import math
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rewarders.errors import ModelFault
from rewarders.prose.blanking import said_from, without_thinking
from rewarders.prose.invisible import shows_anything
from rewarders.registry import rewarder
from rewarders.tools import Tools
from rewarders.types import Completion, Verdict

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Reason(StrEnum):
    """Why a verdict of `model.scalar` is what it is."""

    RATED = "rated"
    BELOW_RANGE = "below_range"
    """Under the declared range: scores 0."""
    ABOVE_RANGE = "above_range"
    """Over the declared range: scores 1."""
    TOO_LONG = "too_long"
    """Longer than `max_chars`: scores 0, and no model was asked."""
    NO_ANSWER = "no_answer"
    """Nothing to be seen beside the thinking: scores 0, and no model was asked."""
    REFUSED = "refused"
    """The model gives other texts a number in time, and not this one: scores 0."""


class Params(BaseModel):
    """Settings of `model.scalar`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")] = "default"
    """`[reward_models.NAME]` of the service's configuration."""
    normalise: Literal["range", "sigmoid"] = "sigmoid"
    """`range` is linear from `low` to `high`; `sigmoid` is 1 / (1 + exp(-(raw - centre) / scale))."""
    low: Finite = 0.0
    """Raw number that scores 0, with `range`."""
    high: Finite = 1.0
    """Raw number that scores 1, with `range`."""
    centre: Finite = 0.0
    """Raw number that scores a half, with `sigmoid`."""
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """In raw numbers, with `sigmoid`."""
    thinking: bool = False
    """Show the model the thinking as well."""
    max_chars: Annotated[int, Field(ge=1, le=1_000_000)] = 32_000
    """A longer text scores 0."""

    @model_validator(mode="after")
    def _a_range_ascends(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low is not below high")
        return self


@rewarder("model.scalar", version="1.1", params=Params, opinion="model")
async def scalar(completion: Completion, reference: None, params: Params, tools: Tools) -> Verdict:
    """A reward model's number for the answer to the task's prompt, between 0 and 1."""
    judged = (0 if params.thinking else said_from(completion.text), len(completion.text))
    text = completion.text[slice(*judged)]
    if len(text) > params.max_chars:
        return Verdict(score=0.0, reason=Reason.TOO_LONG, evidence={"span": [*judged]})
    if not shows_anything(text if params.thinking else without_thinking(text)):
        return Verdict(score=0.0, reason=Reason.NO_ANSWER, evidence={"span": [*judged]})
    raw = await tools.reward_model(params.model).score(tools.prompt, text)
    if raw is None:
        return Verdict(score=0.0, reason=Reason.REFUSED, evidence={"span": [*judged]})
    score, reason = _normalised(raw, params)
    return Verdict(score=score, reason=reason, evidence={"span": [*judged], "raw": raw})


def _normalised(raw: float, params: Params) -> tuple[float, Reason]:
    """Raises ModelFault for what is no finite number."""
    if not math.isfinite(raw):
        raise ModelFault(f"reward model {params.model} gave {raw}, which is no finite number")
    if params.normalise == "sigmoid":
        # tanh does not overflow where exp would
        return 0.5 * (1.0 + math.tanh((raw - params.centre) / params.scale / 2)), Reason.RATED
    score = (raw - params.low) / (params.high - params.low)
    if score < 0:
        return 0.0, Reason.BELOW_RANGE
    return min(score, 1.0), Reason.ABOVE_RANGE if score > 1 else Reason.RATED

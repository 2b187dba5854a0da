"""`layout.length`: the completion is neither too short nor too long."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rewarders.prose.invisible import without_invisible
from rewarders.registry import rewarder
from rewarders.types import Completion, Verdict


class LengthReason(StrEnum):
    """Why a verdict of `layout.length` is what it is."""

    OK = "ok"
    TOO_SHORT = "too_short"
    NEARLY_TOO_LONG = "nearly_too_long"
    """Within the soft zone: the score falls from 1 to 0."""
    TOO_LONG = "too_long"


class LengthParams(BaseModel):
    """Settings of `layout.length`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_chars: Annotated[int, Field(ge=0)] = 0
    """A shorter completion scores 0. What fills a text and shows nothing is not counted here: invisible characters, and
    white space beyond one character in a row."""
    max_chars: Annotated[int, Field(ge=1)] = 4096
    """A longer completion scores 0."""
    soft_chars: Annotated[int, Field(ge=0)] = 0
    """Width of the zone below `max_chars` in which the score falls linearly from 1 to 0."""

    @model_validator(mode="after")
    def _zones_fit(self) -> Self:
        if self.min_chars > self.max_chars - self.soft_chars:
            raise ValueError("min_chars reaches into the soft zone or over max_chars; lower it or soft_chars")
        return self


@rewarder("layout.length", version="1.1", params=LengthParams)
def length(completion: Completion, reference: None, params: LengthParams) -> Verdict:
    """1 within the limits, 0 outside, and a linear ramp in the soft zone before the upper one.

    The ramp is the soft overlong punishment of DAPO (arXiv:2503.14476, equation 13) moved from [-1, 0] to [0,
    1], in characters instead of tokens.
    """
    chars = len(completion.text)
    spare = params.max_chars - chars
    if chars < params.min_chars or (params.min_chars and _shown(completion.text) < params.min_chars):
        score, reason = 0.0, LengthReason.TOO_SHORT
    elif spare < 0:
        score, reason = 0.0, LengthReason.TOO_LONG
    elif spare < params.soft_chars:
        score, reason = spare / params.soft_chars, LengthReason.NEARLY_TOO_LONG
    else:
        score, reason = 1.0, LengthReason.OK
    return Verdict(score=score, reason=reason, evidence={"chars": chars})


def _shown(text: str) -> int:
    """How many characters a reader sees, with the spaces between words."""
    return len(" ".join(without_invisible(text).split()))

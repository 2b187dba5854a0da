"""`layout.pattern`: regular expressions that a completion has to match, or must not."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from rewarders.patterns import Pattern, Patterns, find, hits, matches_whole
from rewarders.registry import rewarder
from rewarders.types import Completion, Verdict

_AtMost64 = Field(max_length=64)


class PatternReason(StrEnum):
    """Why a verdict of `layout.pattern` is what it is. `ok` scores 1, every other reason 0."""

    OK = "ok"
    NO_MATCH = "no_match"
    """A pattern of `must` matches nowhere, or `whole` does not match the whole text."""
    FORBIDDEN_MATCH = "forbidden_match"
    """A pattern of `must_not` matches somewhere."""


class PatternParams(BaseModel):
    """Settings of `layout.pattern`. The patterns are RE2's: no look-around, no back-references, linear time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    must: Annotated[tuple[Pattern, ...], _AtMost64] = ()
    """Each matches somewhere."""
    must_not: Annotated[Patterns, _AtMost64] = ()
    """None matches anywhere."""
    whole: Pattern | None = None
    """Matches from the first character to the last; `(?s)` lets a dot match line breaks."""

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not (self.must or self.must_not or self.whole):
            raise ValueError("give a pattern in must, must_not or whole")
        return self


@rewarder("layout.pattern", version="1.0", params=PatternParams)
def pattern(completion: Completion, reference: None, params: PatternParams) -> Verdict:
    """1 if the completion matches what it must and nothing that it must not, else 0."""
    text = completion.text
    for index, span in hits(params.must_not, text):
        return _verdict(PatternReason.FORBIDDEN_MATCH, pattern=index, span=[*span])
    if params.whole is not None and not matches_whole(params.whole, text):
        return _verdict(PatternReason.NO_MATCH, pattern="whole")
    found: list[JsonValue] = []
    for index, wanted in enumerate(params.must):
        place = find(wanted, text)
        if place is None:
            return _verdict(PatternReason.NO_MATCH, pattern=index)
        found.append({"span": [*place]})
    return _verdict(PatternReason.OK, chars=len(text), found=found)


def _verdict(reason: PatternReason, **evidence: JsonValue) -> Verdict:
    return Verdict(score=float(reason is PatternReason.OK), reason=reason, evidence=evidence)

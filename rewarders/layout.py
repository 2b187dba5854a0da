"""Rewarders that look at the shape of a completion and not at what it says."""

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rewarders.registry import rewarder
from rewarders.types import Completion, Verdict

Tag = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


class TagsReason(StrEnum):
    """Why a verdict of `layout.tags` is what it is. `ok` scores 1, every other reason 0."""

    OK = "ok"
    MISSING_TAG = "missing_tag"
    """A tag does not open, or does not close."""
    DUPLICATE_TAG = "duplicate_tag"
    WRONG_ORDER = "wrong_order"
    """All tags are there once, but nested, crossed or in another order."""
    STRAY_TEXT = "stray_text"
    """Something other than white space stands before, between or after the sections."""
    EMPTY_SECTION = "empty_section"


class TagsParams(BaseModel):
    """Settings of `layout.tags`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tags: Annotated[tuple[Tag, ...], Field(min_length=1, max_length=16)] = ("think", "answer")
    """Names of the sections, in the order in which they must come."""
    opened: bool = False
    """The chat template has written the first opening tag: the completion starts inside its section."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.tags)) != len(self.tags):
            raise ValueError("a tag is listed twice")
        return self


@rewarder("layout.tags", version="1.0", params=TagsParams)
def tags(completion: Completion, reference: None, params: TagsParams) -> Verdict:
    """1 if the completion is exactly the asked-for sections, each once, in order and not empty; else 0."""
    text = f"<{params.tags[0]}>{completion.text}" if params.opened else completion.text
    reason, tag = _tags_reason(text, params.tags)
    evidence = {"tag": tag} if tag else {}
    return Verdict(score=float(reason is TagsReason.OK), reason=reason, evidence=dict(evidence))


def _tags_reason(text: str, names: tuple[str, ...]) -> tuple[TagsReason, str]:
    """The first thing wrong with the layout, and the tag it is wrong with."""
    markers = [marker for name in names for marker in (f"<{name}>", f"</{name}>")]
    for marker in markers:
        count = text.count(marker)
        if count != 1:
            return (TagsReason.DUPLICATE_TAG if count else TagsReason.MISSING_TAG), marker
    places = [text.index(marker) for marker in markers]
    if places != sorted(places):
        return TagsReason.WRONG_ORDER, ""
    return _content_reason(re.split("|".join(map(re.escape, markers)), text), names)


def _content_reason(pieces: list[str], names: tuple[str, ...]) -> tuple[TagsReason, str]:
    """`pieces` alternate between what is outside and inside of the sections, starting outside."""
    if any(map(str.strip, pieces[::2])):
        return TagsReason.STRAY_TEXT, ""
    for name, inside in zip(names, pieces[1::2], strict=True):
        if not inside.strip():
            return TagsReason.EMPTY_SECTION, f"<{name}>"
    return TagsReason.OK, ""


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
    """A shorter completion scores 0."""
    max_chars: Annotated[int, Field(ge=1)] = 4096
    """A longer completion scores 0."""
    soft_chars: Annotated[int, Field(ge=0)] = 0
    """Width of the zone below `max_chars` in which the score falls linearly from 1 to 0."""

    @model_validator(mode="after")
    def _zones_fit(self) -> Self:
        if self.min_chars > self.max_chars - self.soft_chars:
            raise ValueError("min_chars reaches into the soft zone or over max_chars; lower it or soft_chars")
        return self


@rewarder("layout.length", version="1.0", params=LengthParams)
def length(completion: Completion, reference: None, params: LengthParams) -> Verdict:
    """1 within the limits, 0 outside, and a linear ramp in the soft zone before the upper one.

    The ramp is the soft overlong punishment of DAPO (arXiv:2503.14476, equation 13) moved from [-1, 0] to [0,
    1], in characters instead of tokens.
    """
    chars = len(completion.text)
    spare = params.max_chars - chars
    if chars < params.min_chars:
        score, reason = 0.0, LengthReason.TOO_SHORT
    elif spare < 0:
        score, reason = 0.0, LengthReason.TOO_LONG
    elif spare < params.soft_chars:
        score, reason = spare / params.soft_chars, LengthReason.NEARLY_TOO_LONG
    else:
        score, reason = 1.0, LengthReason.OK
    return Verdict(score=score, reason=reason, evidence={"chars": chars})

"""`layout.tags`: the completion is exactly the asked-for sections."""

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rewarders.prose.invisible import shows_anything
from rewarders.registry import rewarder
from rewarders.types import Completion, Verdict
from sandboxes.fences import blocks

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
    """Nothing that a reader sees stands in a section."""
    IN_CODE = "in_code"
    """A tag stands inside of a fenced block that is closed, where it is code and no mark-up."""


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


@rewarder("layout.tags", version="1.2", params=TagsParams)
def tags(completion: Completion, reference: None, params: TagsParams) -> Verdict:
    """1 if the completion is exactly the asked-for sections, each once, in order and not empty; else 0."""
    text = f"<{params.tags[0]}>{completion.text}" if params.opened else completion.text
    reason, tag = _tags_reason(text, params.tags)
    return Verdict(score=float(reason is TagsReason.OK), reason=reason, evidence={"tag": tag} if tag else {})


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
    for block in blocks(text):
        for place, marker in zip(places, markers, strict=True):
            if block.closed and block.start <= place < block.end:
                return TagsReason.IN_CODE, marker
    return _content_reason(re.split("|".join(map(re.escape, markers)), text), names)


def _content_reason(pieces: list[str], names: tuple[str, ...]) -> tuple[TagsReason, str]:
    """`pieces` alternate between what is outside and inside of the sections, starting outside."""
    if any(map(str.strip, pieces[::2])):
        return TagsReason.STRAY_TEXT, ""
    for name, inside in zip(names, pieces[1::2], strict=True):
        if not shows_anything(inside):
            return TagsReason.EMPTY_SECTION, f"<{name}>"
    return TagsReason.OK, ""

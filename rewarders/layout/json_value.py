"""`layout.json`: the completion is one JSON value that a schema accepts."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from rewarders.layout.tags import Tag
from rewarders.prose.blanking import without_thinking
from rewarders.prose.thinking import answer_span
from rewarders.registry import rewarder
from rewarders.schemas import JsonSchema, first_violation
from rewarders.strict_json import NotStrictError, parse
from rewarders.types import Completion, Verdict

_FENCED = re.compile(r"\s*+(```|~~~)(?i:json)?[ \t]*\r?\n(.*)\n[ \t]*\1\s*", re.DOTALL)


class JsonReason(StrEnum):
    """Why a verdict of `layout.json` is what it is. `ok` scores 1, every other reason 0."""

    OK = "ok"
    NO_SECTION = "no_section"
    """The tag that was to hold the value does not open and close exactly once."""
    NOT_JSON = "not_json"
    """Not one value of JSON: text around it counts, and so does a second value."""
    DUPLICATE_KEY = "duplicate_key"
    NOT_FINITE = "not_finite"
    """NaN, an infinity, or a number too large for a double."""
    TOO_DEEP = "too_deep"
    TOO_LARGE = "too_large"
    LONE_SURROGATE = "lone_surrogate"
    AGAINST_SCHEMA = "against_schema"


class JsonParams(BaseModel):
    """Settings of `layout.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    json_schema: JsonSchema = True
    """The JSON Schema of the value, draft 2020-12 unless its `$schema` names another. Its patterns have no look-around,
    and it may refer to nothing outside of itself."""
    tag: Tag | None = None
    """The value is what this tag holds; without one it is all that follows the thinking."""
    fence: bool = False
    """The value may stand in one fenced block."""
    max_depth: Annotated[int, Field(ge=1, le=200)] = 64
    max_values: Annotated[int, Field(ge=1, le=1_000_000)] = 100_000
    """Values and keys together."""


@rewarder("layout.json", version="1.1", params=JsonParams)
def json_value(completion: Completion, reference: None, params: JsonParams) -> Verdict:
    """1 if the completion is one strict JSON value that the schema accepts, else 0."""
    span = _span(completion.text, params)
    if span is None:
        return Verdict(score=0.0, reason=JsonReason.NO_SECTION)
    start, end = span
    place: dict[str, JsonValue] = {"span": [start, end]}
    try:
        value = parse(completion.text[start:end], max_depth=params.max_depth, max_values=params.max_values)
    except NotStrictError as error:
        if error.position is not None:
            place["offset"] = start + error.position
        return Verdict(score=0.0, reason=JsonReason(error.flaw), evidence=place)
    violation = first_violation(params.json_schema, value)
    if violation is not None:
        return Verdict(score=0.0, reason=JsonReason.AGAINST_SCHEMA, evidence={**place, **violation})
    return Verdict(score=1.0, reason=JsonReason.OK, evidence=place)


def _span(text: str, params: JsonParams) -> tuple[int, int] | None:
    """Where the value is to stand."""
    start, end = answer_span(text).start, len(text)
    if start and without_thinking(text)[:start].strip():
        start = 0  # something is said before the thinking
    if params.tag is not None:
        opening, closing_tag = f"<{params.tag}>", f"</{params.tag}>"
        if text.count(opening, start) != 1 or text.count(closing_tag, start) != 1:
            return None
        start, end = text.index(opening, start) + len(opening), text.index(closing_tag, start)
    fenced = _FENCED.fullmatch(text, start, max(start, end)) if params.fence else None
    return fenced.span(2) if fenced else (start, max(start, end))

"""`layout.sections`: the headings that a completion has to have, each with something under it."""

import re
from enum import StrEnum
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from rewarders.prose.blanking import without_code, without_thinking
from rewarders.prose.folding import fold
from rewarders.prose.invisible import shows_anything
from rewarders.registry import rewarder
from rewarders.types import Completion, Verdict

_HEADING = re.compile(r"^ *+(#{1,6})[ \t]+([^\n]*)$", re.MULTILINE)
_NUMBER = re.compile(r"(?:\d{1,2}(?:\.\d{1,2})*[.)]|\d{1,2}(?:\.\d{1,2})+)[ \t]+")
_NO_LINE_BREAK = re.compile(r"[^\n]")
_MARKUP = str.maketrans(dict.fromkeys("-*+_=>|~#`:.", " "))

Heading = Annotated[str, Field(min_length=1, max_length=200)]


class SectionsReason(StrEnum):
    """Why a verdict of `layout.sections` is what it is. `ok` scores 1, every other reason 0."""

    OK = "ok"
    MISSING_SECTION = "missing_section"
    DUPLICATE_SECTION = "duplicate_section"
    WRONG_ORDER = "wrong_order"
    EMPTY_SECTION = "empty_section"
    """Nothing that a reader sees but further headings and bare marks stands under a heading that is asked for."""


class SectionsParams(BaseModel):
    """Settings of `layout.sections`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    headings: Annotated[tuple[Heading, ...], Field(min_length=1, max_length=32)]
    """Each comes once, in this order, as a Markdown heading (`## Method`) outside of code and thinking. Case, a
    number before it and a colon at the end make no difference; other headings may come between them."""
    level: Annotated[int, Field(ge=1, le=6)] | None = None
    """How many `#` they have; any number where none is given."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({_key(heading) for heading in self.headings}) != len(self.headings):
            raise ValueError("a heading is listed twice")
        if not all(_key(heading) for heading in self.headings):
            raise ValueError("a heading holds no letter")
        return self


class _Section(NamedTuple):
    key: str
    start: int
    filled: bool
    """Whether something stands under the heading, up to the next heading of its rank or above."""


@rewarder("layout.sections", version="1.1", params=SectionsParams)
def sections(completion: Completion, reference: None, params: SectionsParams) -> Verdict:
    """1 if every asked-for heading is there once, in order and with text under it; else 0."""
    found = _sections(completion.text, params.level)
    wanted = [_key(heading) for heading in params.headings]
    places = {key: [section for section in found if section.key == key] for key in wanted}
    for key in wanted:
        if len(places[key]) != 1:
            reason = SectionsReason.DUPLICATE_SECTION if places[key] else SectionsReason.MISSING_SECTION
            return _verdict(reason, heading=key, starts=[section.start for section in places[key][:4]])
    starts = [places[key][0].start for key in wanted]
    if starts != sorted(starts):
        return _verdict(SectionsReason.WRONG_ORDER, starts=[*starts])
    for key in wanted:
        if not places[key][0].filled:
            return _verdict(SectionsReason.EMPTY_SECTION, heading=key, starts=[places[key][0].start])
    return _verdict(SectionsReason.OK, starts=[*starts])


def _sections(text: str, level: int | None) -> list[_Section]:
    """The headings of a text, in order; code under one fills it."""
    shown, prose = _without_comments(without_thinking(text))
    headings = list(_HEADING.finditer(prose))
    found: list[_Section] = []
    below, end = [False] * 7, len(text)
    for heading in reversed(headings):
        rank, content = len(heading[1]), shows_anything(shown[heading.end() : end].translate(_MARKUP))
        if level in (None, rank):
            found.append(_Section(_key(heading[2]), heading.start(1), content or below[rank]))
        below = [higher < rank and (below[higher] or content) for higher in range(7)]
        end = heading.start()
    return found[::-1]


def _without_comments(spoken: str) -> tuple[str, str]:
    """What is said without comments of HTML, which no reader sees; and the same without code."""
    prose = without_code(spoken)
    pieces, at = [], 0
    while (start := prose.find("<!--", at)) >= 0:
        closed = prose.find("-->", start)
        end = closed + 3 if closed >= 0 else len(prose)
        pieces += [spoken[at:start], _NO_LINE_BREAK.sub(" ", spoken[start:end])]
        at = end
    shown = "".join([*pieces, spoken[at:]])
    return shown, without_code(shown) if pieces else prose


def _key(heading: str) -> str:
    bare = heading.strip(" \t\r#:*_")
    return fold(_NUMBER.sub("", bare, count=1) if _NUMBER.match(bare) else bare)


def _verdict(reason: SectionsReason, **evidence: JsonValue) -> Verdict:
    return Verdict(score=float(reason is SectionsReason.OK), reason=reason, evidence=evidence)

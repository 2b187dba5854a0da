"""`citation.quotes`: every quotation really is in the source that it names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from rewarders.citation.claims import Answer, read
from rewarders.citation.ids import refused
from rewarders.citation.index import folded_sources
from rewarders.citation.reasons import Reason
from rewarders.citation.reference import Sources
from rewarders.prose.folding import Folded, fold
from rewarders.prose.sentences import Span
from rewarders.registry import rewarder
from rewarders.types import Completion, Verdict

_QUOTED = re.compile(
    r'(?<![\w"])"(?=\S)((?:[^"\n]++|\n(?![ \t]*\n))++)(?<=\S)"(?!\w)'
    r"|“([^“”]+)”|„([^„“”]+)[“”]|”([^“”]+)”|«([^«»]+)»|»([^«»]+)«|「([^「」]+)」|『([^『』]+)』"
)
"""Nothing in a quotation can begin another, so that no start of one scans further than to the next."""
_MARK = re.compile('["“”„«»「」『』]')
_BLOCK = re.compile(r"(?m)(?:^[ \t]{0,3}>[^\n]*(?:\n|\Z))+")
_BEHIND = re.compile(r"[\s.,;:!?)—-]{0,3}")
_ELISION = re.compile(r"(?:\.\.\.|\[ ?\.\.\. ?\])")
_LISTED = 20


class QuotesParams(BaseModel):
    """Settings of `citation.quotes`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_quotations: Annotated[int, Field(ge=0, le=50)] = 1
    max_quotations: Annotated[int, Field(ge=1, le=200)] = 50
    """More score 0, unread: each is looked for in whole sources."""
    min_chars: Annotated[int, Field(ge=4, le=1000)] = 20
    """What is shorter is a word in quotation marks and no quotation: it is neither checked nor counted. Between two
    elisions (`...`) each piece has to be this long."""
    max_quoted: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Share of the answer that may be quotation. More is a copy of the sources and no answer."""


@dataclass(frozen=True, slots=True)
class _Quotation:
    span: Span
    pieces: tuple[str, ...]
    """Folded, split where it leaves something out."""
    ids: tuple[str, ...]


@rewarder("citation.quotes", version="1.0", params=QuotesParams, reference=Sources, cpu_budget_s=10)
def quotes(completion: Completion, reference: Sources, params: QuotesParams) -> Verdict:
    """1 if every quotation is in the source that it names, word for word but for case, spacing and typography."""
    answer = read(completion.text, reference)
    if verdict := refused(answer, completion.text):
        return verdict
    stray = _MARK.search(_QUOTED.sub(lambda quoted: " " * len(quoted[0]), answer.prose))
    if stray:
        return Verdict(score=0.0, reason=Reason.STRAY_QUOTATION_MARK, evidence={"span": [*stray.span()]})
    found = list(_quotations(answer, params.min_chars, params.max_quotations))
    if len(found) > params.max_quotations:
        return Verdict(score=0.0, reason=Reason.TOO_MANY_QUOTATIONS, evidence={"span": [*found[-1].span]})
    evidence: list[JsonValue] = []
    sources = folded_sources(reference)
    for quotation in found:
        whole = min(map(len, quotation.pieces)) >= params.min_chars
        place = _place(quotation, sources) if whole else None
        if place is None:
            reason = Reason.INVENTED_QUOTATION if quotation.ids else Reason.UNNAMED_SOURCE
            return Verdict(score=0.0, reason=reason, evidence={"span": [*quotation.span], "ids": [*quotation.ids]})
        evidence.append({"span": [*quotation.span], **place})
    return _counted(answer, found, evidence, params)


def _counted(answer: Answer, found: list[_Quotation], evidence: list[JsonValue], params: QuotesParams) -> Verdict:
    """What comes of quotations that are all true."""
    different = _different(found)
    said = len("".join(answer.prose.split()))
    quoted = len("".join(piece.replace(" ", "") for quotation in found for piece in quotation.pieces))
    counts: dict[str, JsonValue] = {"quotations": evidence[:_LISTED], "different": different, "chars": said}
    if different < params.min_quotations:
        return Verdict(score=0.0, reason=Reason.TOO_FEW_QUOTATIONS, evidence=counts)
    if quoted > params.max_quoted * said:
        return Verdict(score=0.0, reason=Reason.DUMPED_SOURCE, evidence={**counts, "quoted_chars": quoted})
    return Verdict(score=1.0, reason=Reason.OK, evidence=counts)


def _quotations(answer: Answer, min_chars: int, most: int) -> Iterator[_Quotation]:
    """The quotations of an answer, one more than `most` of them at most."""
    made = 0
    for match in chain(_QUOTED.finditer(answer.prose), _BLOCK.finditer(answer.prose)):
        span = Span(*match.span(match.lastindex or 0))
        inside = answer.without_marks(span)
        inside = inside if match.lastindex else inside.replace(">", " ")
        pieces = tuple(piece for part in _ELISION.split(fold(inside)) if (piece := part.strip(" ,;:.")))
        if sum(map(len, pieces)) < min_chars:
            continue
        whole = Span(*match.span())
        yield _Quotation(whole, pieces, _ids(answer, whole))
        made += 1
        if made > most:
            return


def _ids(answer: Answer, span: Span) -> tuple[str, ...]:
    """The sources that a quotation names: right behind it, else within it, else in its sentence."""
    behind = _BEHIND.match(answer.prose, span.end)
    assert behind is not None, "the pattern matches nothing, too"
    for mark in answer.cited_in(Span(span.end, behind.end() + 1)):
        return mark.ids
    for mark in answer.cited_in(span):
        return mark.ids
    around = next((sentence for sentence in answer.sentences if sentence.end > span.start), span)
    return tuple(name for mark in answer.cited_in(around) for name in mark.ids)


def _place(quotation: _Quotation, sources: dict[str, Folded]) -> dict[str, JsonValue] | None:
    """Where a source that the quotation names has it, piece after piece."""
    for name in quotation.ids:
        source, at, start = sources[name], 0, -1
        for piece in quotation.pieces:
            at = source.text.find(piece, at)
            if at < 0:
                break
            start = at if start < 0 else start
            at += len(piece)
        else:
            return {"source": name, "source_span": [*source.span(start, at)]}
    return None


def _different(found: list[_Quotation]) -> int:
    """How many quotations there are of which none lies within another: a bounded number, so pairs are compared."""
    kept: list[str] = []
    for text in sorted((" ".join(quotation.pieces) for quotation in found), key=len, reverse=True):
        if not any(text in longer for longer in kept):
            kept.append(text)
    return len(kept)

"""`citation.quotes`: every quotation really is in the source that it names.

What names no source, and stands in a sentence that cites none, may be a title (Every Word of It in Capitals) or a
question: that is no quotation.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from operator import attrgetter
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from rewarders.citation.claims import Answer, read
from rewarders.citation.ids import refused
from rewarders.citation.index import folded_sources
from rewarders.citation.reasons import Reason
from rewarders.citation.reference import Sources
from rewarders.prose.folding import Folded, fold
from rewarders.prose.quoting import Quoted, quotations
from rewarders.prose.sentences import Span
from rewarders.prose.words import inside_a_word, words
from rewarders.registry import rewarder
from rewarders.types import Completion, Verdict

_BLOCK = re.compile(r"(?m)(?:^[ \t]{0,3}>[^\n]*(?:\n|\Z))+")
_BEHIND = re.compile(r"[\s.,;:!?)—-]{0,3}")
_ELISION = re.compile(r"(?:\.\.\.|\[ ?\.\.\. ?\])")
_BLOCK_MARK = re.compile(r"(?m)^[ \t]{0,3}>")
_NO_MARK = re.compile(r"""(?<![\w"])"(?:[^\w\s"]{1,3}| ?)"(?![\w"])|(?<=\d)["”](?=[NSEWO](?!\w))""")
"""An empty string, a sign or a space in quotation marks; seconds of arc."""
_TELLING_CHARS, _TITLE_WORDS = 4, 12
_LISTED = 20
_FEWEST_WORDS, _FEWEST_CHARS = 3, 6
"""What has less is no quotation. Where no spaces are written each character is a word, and most words are two."""


class QuotesParams(BaseModel):
    """Settings of `citation.quotes`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_quotations: Annotated[int, Field(ge=0, le=50)] = 1
    max_quotations: Annotated[int, Field(ge=1, le=200)] = 50
    """More score 0, unread: each is looked for in whole sources."""
    min_chars: Annotated[int, Field(ge=4, le=1000)] = 20
    """What is shorter may stand anywhere by chance: it is looked up too, in all sources where it names none, but does
    not count as one of `min_quotations`, and no piece between two elisions (`...`) may be so short. Fewer than three
    words, or six characters, are no quotation at all: they may be a name, a term or irony."""
    max_quoted: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Share of the answer that may be quotation. More is a copy of the sources and no answer."""


@dataclass(frozen=True, slots=True)
class _Quotation:
    span: Span
    pieces: tuple[str, ...]
    """Folded, split where it leaves something out."""
    ids: tuple[str, ...]

    @property
    def chars(self) -> int:
        """Of its pieces."""
        return sum(map(len, self.pieces))


@rewarder("citation.quotes", version="1.1", params=QuotesParams, reference=Sources, cpu_budget_s=10)
def quotes(completion: Completion, reference: Sources, params: QuotesParams) -> Verdict:
    """1 if every quotation is in the source that it names, word for word but for case, spacing and typography."""
    answer = read(completion.text, reference)
    if verdict := refused(answer, completion.text):
        return verdict
    marked, stray = quotations(_NO_MARK.sub(lambda sign: " " * len(sign[0]), answer.prose))
    if stray is not None:
        return Verdict(score=0.0, reason=Reason.STRAY_QUOTATION_MARK, evidence={"span": [stray, stray + 1]})
    found = list(islice(_read(answer, marked), params.max_quotations + 1))
    if len(found) > params.max_quotations:
        return Verdict(score=0.0, reason=Reason.TOO_MANY_QUOTATIONS, evidence={"span": [*found[-1].span]})
    evidence: list[JsonValue] = []
    sources = folded_sources(reference)
    for quotation in found:
        place = _place(quotation, sources, params.min_chars)
        if place is None:
            reason = Reason.UNNAMED_SOURCE if _is_unnamed(quotation, params.min_chars) else Reason.INVENTED_QUOTATION
            return Verdict(score=0.0, reason=reason, evidence={"span": [*quotation.span], "ids": [*quotation.ids]})
        evidence.append({"span": [*quotation.span], **place})
    return _counted(answer, found, evidence, params)


def _counted(answer: Answer, found: list[_Quotation], evidence: list[JsonValue], params: QuotesParams) -> Verdict:
    """What comes of quotations that are all true."""
    different = _different([quotation for quotation in found if quotation.chars >= params.min_chars])
    said = len("".join(answer.prose.split()))
    quoted = len("".join(piece.replace(" ", "") for quotation in found for piece in quotation.pieces))
    counts: dict[str, JsonValue] = {"quotations": evidence[:_LISTED], "different": different, "chars": said}
    if different < params.min_quotations:
        return Verdict(score=0.0, reason=Reason.TOO_FEW_QUOTATIONS, evidence=counts)
    if quoted > params.max_quoted * said:
        return Verdict(score=0.0, reason=Reason.DUMPED_SOURCE, evidence={**counts, "quoted_chars": quoted})
    return Verdict(score=1.0, reason=Reason.OK, evidence=counts)


def _read(answer: Answer, marked: list[Quoted]) -> Iterator[_Quotation]:
    """The quotations of an answer, those in quotation marks first."""
    in_marks = ((Span(one.start, one.end), Span(one.inside_start, one.inside_end)) for one in marked)
    in_blocks = ((span, span) for span in (Span(*block.span()) for block in _BLOCK.finditer(answer.prose)))
    for whole, inside in chain(in_marks, in_blocks):
        said = answer.without_marks(inside)
        said = _BLOCK_MARK.sub("", said) if whole == inside else said
        pieces = tuple(piece for part in _ELISION.split(fold(said)) if (piece := part.strip(" ,;:.")))
        spelled = words(" ".join(pieces))
        long = len(spelled) >= _FEWEST_WORDS and sum(map(len, spelled)) >= _FEWEST_CHARS
        ids = _ids(answer, whole) if long else ()
        if ids or (long and not _is_title_or_question(said)):
            yield _Quotation(whole, pieces, ids)


def _ids(answer: Answer, span: Span) -> tuple[str, ...]:
    """The sources that a quotation names: right behind it, else within it, else in its sentence."""
    behind = _BEHIND.match(answer.prose, span.end)
    assert behind is not None, "the pattern matches nothing, too"
    for mark in answer.cited_in(Span(span.end, behind.end() + 1)):
        return mark.ids
    for mark in answer.cited_in(span):
        return mark.ids
    after = bisect_right(answer.sentences, span.start, key=attrgetter("end"))
    around = next(iter(answer.sentences[after : after + 1]), span)
    return tuple(name for mark in answer.cited_in(around) for name in mark.ids)


def _is_title_or_question(said: str) -> bool:
    telling = [word for word in words(said) if len(word) >= _TELLING_CHARS]
    is_title = len(telling) <= _TITLE_WORDS and any(telling) and all(word[0].isupper() for word in telling)
    return is_title or said.rstrip().endswith(("?", "？"))


def _is_unnamed(quotation: _Quotation, min_chars: int) -> bool:
    return not quotation.ids and quotation.chars >= min_chars


def _place(quotation: _Quotation, sources: dict[str, Folded], min_chars: int) -> dict[str, JsonValue] | None:
    """Where a source that the quotation names has it, piece after piece."""
    if len(quotation.pieces) > 1 and min(map(len, quotation.pieces)) < min_chars:
        return None
    for name in quotation.ids or (() if quotation.chars >= min_chars else sources):
        source, at, start = sources[name], 0, -1
        for piece in quotation.pieces:
            at = _found(source.text, piece, at)
            if at < 0:
                break
            start = at if start < 0 else start
            at += len(piece)
        else:
            return {"source": name, "source_span": [*source.span(start, at)]}
    return None


def _found(source: str, piece: str, at: int) -> int:
    """Where a source has a piece from `at` on, its first and last word whole; -1 if nowhere."""
    while (at := source.find(piece, at)) >= 0:
        if not inside_a_word(source, at) and not inside_a_word(source, at + len(piece)):
            return at
        at += len(piece)  # and not 1: what repeats itself would be compared over and over
    return -1


def _different(found: list[_Quotation]) -> int:
    """How many quotations there are of which none lies within another: a bounded number, so pairs are compared."""
    kept: list[str] = []
    for text in sorted((" ".join(quotation.pieces) for quotation in found), key=len, reverse=True):
        if not any(text in longer for longer in kept):
            kept.append(text)
    return len(kept)

"""`citation.ids` and `citation.coverage`: where citations stand, and what they name."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from rewarders.citation.claims import Answer, counted, read
from rewarders.citation.marks import Mark, sound
from rewarders.citation.reasons import Reason
from rewarders.citation.reference import Sources
from rewarders.registry import rewarder
from rewarders.types import Completion, Verdict

PerSentence = Annotated[int, Field(ge=1, le=100)]


class IdsParams(BaseModel):
    """Settings of `citation.ids`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_citations: Annotated[int, Field(ge=0, le=1000)] = 1
    """Fewer different sentences with a citation score 0. With 0, an answer may cite nothing."""
    max_per_sentence: PerSentence = 3
    """More different sources in one sentence score 0: citing everything is citing nothing."""


class CoverageParams(BaseModel):
    """Settings of `citation.coverage`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_words: Annotated[int, Field(ge=1, le=100)] = 5
    """A sentence of fewer words is no claim: if it cites nothing, it is read with the next one."""
    max_per_sentence: PerSentence = 3
    """A sentence that cites more different sources counts as uncited."""


@rewarder("citation.ids", version="1.1", params=IdsParams, reference=Sources)
def ids(completion: Completion, reference: Sources, params: IdsParams) -> Verdict:
    """1 if every citation is in the closed syntax and names sources of the task, few to a sentence; else 0."""
    answer = read(completion.text, reference)
    if verdict := refused(answer, completion.text):
        return verdict
    cited = {answer.prose[span.start : span.end]: answer.cited_in(span) for span in answer.sentences}
    crowded = next((found for found in cited.values() if len(_names(found)) > params.max_per_sentence), None)
    if crowded:
        place: list[JsonValue] = [crowded[0].start, crowded[-1].end]
        return Verdict(score=0.0, reason=Reason.TOO_MANY_IN_A_SENTENCE, evidence={"span": place})
    sentences = sum(bool(found) for found in cited.values())
    evidence: dict[str, JsonValue] = {"citations": len(sound(answer.marks)), "sentences": sentences}
    enough = sentences >= params.min_citations
    return Verdict(score=float(enough), reason=Reason.OK if enough else Reason.TOO_FEW_CITATIONS, evidence=evidence)


@rewarder("citation.coverage", version="1.1", params=CoverageParams, reference=Sources)
def coverage(completion: Completion, reference: Sources, params: CoverageParams) -> Verdict:
    """The share of the different sentences that cite a source; what only looks like a citation is none."""
    answer = read(completion.text, reference)
    claims = answer.claims(params.min_words)
    if not claims:
        return Verdict(score=0.0, reason=Reason.EMPTY if answer.is_empty else Reason.NO_CLAIMS)
    uncited = [claim for claim in claims if not 1 <= len(claim.ids) <= params.max_per_sentence]
    first: list[JsonValue] = [{"span": [*claim.span]} for claim in uncited[:5]]
    count = counted(claims, uncited, params.min_words)
    evidence: dict[str, JsonValue] = {"claims": count, "uncited": len(uncited), "first_uncited": first}
    return Verdict(score=1 - len(uncited) / count, reason=Reason.MEASURED, evidence=evidence)


def refused(answer: Answer, text: str) -> Verdict | None:
    """The verdict on an answer that says nothing, or holds a citation that is none."""
    if answer.is_empty:
        return Verdict(score=0.0, reason=Reason.EMPTY)
    flawed = answer.flawed
    if flawed is None or flawed.flaw is None:
        return None
    end = min(flawed.end, flawed.start + 80)
    evidence: dict[str, JsonValue] = {"span": [flawed.start, end], "text": text[flawed.start : end]}
    return Verdict(score=0.0, reason=Reason(flawed.flaw), evidence=evidence)


def _names(found: list[Mark]) -> set[str]:
    return {name for mark in found for name in mark.ids}

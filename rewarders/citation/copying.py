"""`citation.copying`: how much of an answer is copied from the sources, word for word."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from rewarders.citation.claims import read
from rewarders.citation.index import copied_words
from rewarders.citation.reasons import Reason
from rewarders.citation.reference import Sources
from rewarders.registry import rewarder
from rewarders.types import Completion, Verdict


class CopyingParams(BaseModel):
    """Settings of `citation.copying`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_words: Annotated[int, Field(ge=3, le=100)] = 8
    """So many words in a row that a source has too are copied; fewer may be chance."""
    max_copied: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the answer's words. Quotations and code count: an answer that is nothing else is a copy."""


@rewarder("citation.copying", version="1.1", params=CopyingParams, reference=Sources, cpu_budget_s=10)
def copying(completion: Completion, reference: Sources, params: CopyingParams) -> Verdict:
    """1 if at most the allowed share of the answer is copied from its sources word for word, else 0."""
    answer = read(completion.text, reference)
    if answer.is_empty:
        return Verdict(score=0.0, reason=Reason.EMPTY)
    copied = copied_words(answer.spelled, reference, params.run_words)
    evidence: dict[str, JsonValue] = {"words": len(copied), "copied": sum(copied)}
    dumped = sum(copied) > params.max_copied * len(copied)
    return Verdict(score=float(not dumped), reason=Reason.DUMPED_SOURCE if dumped else Reason.OK, evidence=evidence)

"""`citation.grounded`: does the answer answer, and is each of its claims supported by what it cites? By words alone.

A claim is aligned with windows of the sources it cites. It is supported if one window, or one of each source it cites,
has enough of its content words and all of its numbers. That catches what is made up of other words, not what the words
of a source are made to say: `rose` and `did not rise` look alike to it, and so does a list of keywords. A judge or an
entailment model (`citation.supported`, `citation.entailed`) reads more closely.

The two phases, eligible first and grounded then, are those of FACTS Grounding (arXiv:2501.03200): otherwise a short and
useless answer is the safest one.
"""

from collections import Counter, defaultdict
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from rewarders.citation.claims import LONGEST_CLAIM, Answer, Claim, counted, read
from rewarders.citation.content import Stems, says_little, stem
from rewarders.citation.ids import PerSentence, refused
from rewarders.citation.index import copied_words
from rewarders.citation.reasons import Reason
from rewarders.citation.reference import Sources
from rewarders.prose.folding import fold
from rewarders.prose.words import words
from rewarders.registry import rewarder
from rewarders.types import Completion, Verdict

_WINDOW, _STRIDE = LONGEST_CLAIM, 40
_MOST_WINDOWS = 2000
"""A word in more windows of a source than these tells nothing, and counts as in all of them."""
_RUN_WORDS = 8
_DUMP_WORDS = 16
"""An answer that copies fewer words than these is short, and no dump."""
_NO_NUMBERS: Stems = frozenset()

_Postings = dict[str, tuple[int, ...] | None]

Point = Annotated[str, Field(min_length=1, max_length=300)]


class GroundedReference(Sources):
    """What `citation.grounded` and its companions read of a task: its sources, and what an answer has to mention."""

    points: Annotated[tuple[Point | tuple[Point, ...], ...], Field(max_length=64)] = ()
    """Each is a word or phrase that an answer to the question mentions, or several of which any one will do."""


class ClaimParams(BaseModel):
    """What all rewarders that look for support of claims have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_points: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the task's points that an answer has to mention; with less it answers nothing and scores 0."""
    min_words: Annotated[int, Field(ge=1, le=100)] = 5
    """A sentence of fewer words is no claim: it is read with the next one, or, where it cites something itself, earns
    nothing, but costs if that does not support it."""
    max_claims: Annotated[int, Field(ge=1, le=2000)] = 200
    """More score 0."""
    max_per_sentence: PerSentence = 3
    """A claim that cites more different sources is unsupported."""
    max_copied: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Share of the answer's words that may stand in runs of 8 or more of a source. More is no answer, where it is 16
    words or more."""


class GroundedParams(ClaimParams):
    """Settings of `citation.grounded`."""

    min_aligned: Annotated[float, Field(gt=0, le=1)] = 0.66
    """Share of a claim's content words that one window of a cited source has to have, or one of each taken together.
    Of three to five one may be missing, of six two."""
    min_each: Annotated[float, Field(ge=0, le=1)] = 0.2
    """The same for every source that the claim cites: one that has nothing to do with it makes it unsupported."""


@rewarder("citation.grounded", version="1.1", params=GroundedParams, reference=GroundedReference, cpu_budget_s=10)
def grounded(completion: Completion, reference: GroundedReference, params: GroundedParams) -> Verdict:
    """The share of the different claims that a cited source supports, by words; 0 for what does not answer."""
    answer = read(completion.text, reference)
    claims = answer.claims(params.min_words)
    if verdict := ineligible(answer, claims, completion.text, reference, params):
        return verdict
    shares = [(claim, _support(claim, reference, params)) for claim in claims]
    unsupported = [claim for claim, share in shares if share == 0]
    telling = [claim for claim, share in shares if share == 0 or not says_little(claim.content, claim.numbers, share)]
    return measured(telling, unsupported, params.min_words) if telling else Verdict(score=0.0, reason=Reason.NO_CLAIMS)


def ineligible(
    answer: Answer, claims: list[Claim], text: str, reference: GroundedReference, params: ClaimParams
) -> Verdict | None:
    """The first phase: the verdict on what is no answer, whatever its claims are worth."""
    if verdict := refused(answer, text):
        return verdict
    if not claims:
        return Verdict(score=0.0, reason=Reason.NO_CLAIMS)
    if len(claims) > params.max_claims:
        return Verdict(score=0.0, reason=Reason.TOO_MANY_CLAIMS, evidence={"claims": len(claims)})
    spelled = answer.spelled
    said = f" {' '.join(spelled)} "
    missing = [place for place, point in enumerate(reference.points) if not _mentions(said, point)]
    if len(reference.points) - len(missing) < params.min_points * len(reference.points):
        return Verdict(score=0.0, reason=Reason.NO_ANSWER, evidence={"missing_points": [*missing]})
    copied = sum(copied_words(spelled, reference, _RUN_WORDS))
    if copied >= _DUMP_WORDS and copied > params.max_copied * len(spelled):
        evidence: dict[str, JsonValue] = {"words": len(spelled), "copied": copied}
        return Verdict(score=0.0, reason=Reason.DUMPED_SOURCE, evidence=evidence)
    return None


def measured(claims: list[Claim], unsupported: list[Claim], min_words: int) -> Verdict:
    """The share of claims that are supported, with the first that are not."""
    first: list[JsonValue] = [{"span": [*claim.span], "ids": [*claim.ids[:8]]} for claim in unsupported[:8]]
    count = counted(claims, unsupported, min_words)
    evidence: dict[str, JsonValue] = {"claims": count, "unsupported": len(unsupported), "first": first}
    return Verdict(score=1 - len(unsupported) / count, reason=Reason.MEASURED, evidence=evidence)


def _mentions(said: str, point: str | tuple[str, ...]) -> bool:
    alternatives = (point,) if isinstance(point, str) else point
    return any(f" {' '.join(words(fold(alternative)))} " in said for alternative in alternatives)


def _support(claim: Claim, sources: Sources, params: GroundedParams) -> float:
    """The share of its content words that a claim is supported by; 0 where it is not."""
    if not 1 <= len(claim.ids) <= params.max_per_sentence:
        return 0.0
    content = claim.content or frozenset(map(stem, claim.words))
    indices = [_windows(sources.sources[name]) for name in claim.ids]
    loosely = [_aligned(content, _NO_NUMBERS, index) for index in indices]
    if min(loosely) < params.min_each:
        return 0.0
    closely = [_aligned(content, claim.numbers, index) for index in indices] if claim.numbers else loosely
    share = max(closely)
    if share < params.min_aligned and len(indices) > 1:
        share = _aligned_together(content, claim.numbers, indices)
    return share if share >= params.min_aligned else 0.0


def _aligned_together(content: Stems, numbers: Stems, indices: list[_Postings]) -> float:
    """The share of the content words that one window of each source has, if these have all the numbers."""
    stems, covered = content | numbers, set[str]()
    for index in indices:
        counts = Counter[int]()
        for one in stems:
            counts.update(index.get(one, ()) or ())
        best = min(counts, key=lambda window: (-counts[window], window), default=-1)
        covered.update(one for one in stems if (windows := index.get(one, ())) is None or best in windows)
    return len(covered & content) / len(content) if numbers <= covered else 0.0


def _aligned(content: Stems, numbers: Stems, index: _Postings) -> float:
    """The largest share of the content words that one window has, of those windows that have all the numbers."""
    everywhere, counts = 0, Counter[int]()
    for one in content:
        windows = index.get(one, ())
        everywhere += windows is None
        counts.update(windows or ())
    allowed: set[int] | None = None
    for number in numbers:
        windows = index.get(number, ())
        if windows is not None:
            allowed = set(windows) if allowed is None else allowed & set(windows)
    if allowed is not None and not allowed:
        return 0.0
    best = max((count for window, count in counts.items() if allowed is None or window in allowed), default=0)
    return (best + everywhere) / len(content)


@lru_cache(maxsize=64)
def _windows(source: str) -> _Postings:
    """In which windows of a source each stem stands; None for what stands in too many to tell anything."""
    stems = [stem(word) for word in words(fold(source))]
    postings: defaultdict[str, list[int]] = defaultdict(list)
    for number, start in enumerate(range(0, max(1, len(stems) - _STRIDE), _STRIDE)):
        for one in set(stems[start : start + _WINDOW]):
            postings[one].append(number)
    return {one: tuple(found) if len(found) <= _MOST_WINDOWS else None for one, found in postings.items()}

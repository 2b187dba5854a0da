"""`citation.supported` and `citation.entailed`: the same two phases, read by a judge or by an entailment model."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from pydantic import Field

from rewarders.citation.claims import Answer, Claim, read
from rewarders.citation.grounding import ClaimParams, GroundedReference, ineligible, measured
from rewarders.citation.reasons import Reason
from rewarders.citation.reference import Sources
from rewarders.errors import JudgeFault
from rewarders.judging import yes_or_no
from rewarders.llm_judge.asking import consult, conversation
from rewarders.llm_judge.params import JudgeName, PanelParams
from rewarders.llm_judge.question import Section
from rewarders.registry import rewarder
from rewarders.tools import Tools
from rewarders.types import Completion, Message, Verdict

_ANSWERS = (
    "Decide whether the ANSWER answers the QUESTION: to the point, and usefully for whoever asked it. Whether it is "
    "true does not matter here."
)
_SUPPORTS = (
    "Decide whether the SOURCES alone establish all that the CLAIM says. What they do not say is false here, even if "
    "it is true elsewhere. The CLAIM names its sources in brackets."
)


class SupportedParams(PanelParams, ClaimParams):
    """Settings of `citation.supported`, beside those of every judge. Each claim is a request of its own."""

    max_claims: Annotated[int, Field(ge=1, le=200)] = 32
    max_source_chars: Annotated[int, Field(ge=1, le=1_000_000)] = 40_000
    """With a longer source a task is left unscored: a judge must see the whole of what it is to find something in."""


class EntailedParams(ClaimParams):
    """Settings of `citation.entailed`."""

    model: JudgeName = "default"
    """`[reward_models.NAME]` of the service's configuration: a cross-encoder that is given a source and a claim."""
    min_score: Annotated[float, Field(allow_inf_nan=False)] = 0.5
    """What the model has to give, on its own scale, to one at least of the sources that a claim cites."""


@rewarder("citation.supported", version="1.1", params=SupportedParams, reference=GroundedReference, opinion="judge")
async def supported(
    completion: Completion, reference: GroundedReference, params: SupportedParams, tools: Tools
) -> Verdict:
    """The share of the different claims that a judge finds supported by what they cite; 0 if it answers nothing."""

    async def eligible(answer: Answer) -> Verdict | None:
        said = answer.said.strip()
        if len(said) > params.max_chars:
            return Verdict(score=0.0, reason=Reason.TOO_LONG, evidence={"chars": len(said)})
        _check_sources(reference, params)
        question = Section("QUESTION", conversation(tools))
        answers, opinions = await consult(tools, params, yes_or_no(_ANSWERS, (question,), "ANSWER", said))
        derailed = all(one.derailed for one in opinions)
        reason = Reason.JUDGE_DERAILED if derailed else Reason.NOT_ANSWERING
        return None if answers >= 1 else Verdict(score=0.0, reason=reason, evidence={"asked": len(opinions)})

    async def holds(said: str, claim: Claim) -> bool:
        sources = tuple(Section(f"SOURCE {name}", reference.sources[name]) for name in claim.ids)
        return (await consult(tools, params, yes_or_no(_SUPPORTS, sources, "CLAIM", said)))[0] >= 1

    return await _judged(completion, reference, params, eligible, holds)


@rewarder("citation.entailed", version="1.1", params=EntailedParams, reference=GroundedReference, opinion="model")
async def entailed(
    completion: Completion, reference: GroundedReference, params: EntailedParams, tools: Tools
) -> Verdict:
    """The share of the different claims that an entailment model finds to follow from a source that they cite."""
    model = tools.reward_model(params.model)

    async def eligible(answer: Answer) -> None:
        return None

    async def holds(said: str, claim: Claim) -> bool:
        premises = [(Message(role="user", content=reference.sources[name]),) for name in claim.ids]
        scores = [await model.score(premise, said) for premise in premises]
        return any(score is not None and score >= params.min_score for score in scores)

    return await _judged(completion, reference, params, eligible, holds)


async def _judged(
    completion: Completion,
    reference: GroundedReference,
    params: ClaimParams,
    eligible: Callable[[Answer], Awaitable[Verdict | None]],
    holds: Callable[[str, Claim], Awaitable[bool]],
) -> Verdict:
    """The two phases: is it an answer at all, then the claims that cite something, one by one."""
    answer = read(completion.text, reference)
    claims = answer.claims(params.min_words)
    if verdict := ineligible(answer, claims, completion.text, reference, params) or await eligible(answer):
        return verdict
    unsupported = []
    for claim in claims:
        cites = 1 <= len(claim.ids) <= params.max_per_sentence
        if not cites or not await holds(answer.text[claim.span.start : claim.span.end], claim):
            unsupported.append(claim)
    return measured(claims, unsupported, params.min_words)


def _check_sources(sources: Sources, params: SupportedParams) -> None:
    """Raises JudgeFault where a judge would see less than the whole of a source."""
    for name, text in sources.sources.items():
        if len(text) > params.max_source_chars:
            raise JudgeFault(
                f"source {name} has {len(text):,} characters, and judges are shown {params.max_source_chars:,} at most",
                hint="split it into several sources, raise max_source_chars, or use citation.grounded",
            )

"""`judge.criteria` and `judge.answer`: one text, and what is true of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from rewarders.errors import JudgeFault
from rewarders.llm_judge.asking import (
    Opinion,
    Seen,
    ask,
    ask_alone,
    consult,
    conversation,
    derailed,
    opinion,
    rejected,
    seen,
    told,
)
from rewarders.llm_judge.params import (
    AnswerParams,
    AnswerReference,
    CriteriaParams,
    CriteriaReference,
    Reason,
)
from rewarders.llm_judge.question import Form, JudgeReply, Question, Section
from rewarders.registry import rewarder
from rewarders.tools import Judge, Tools
from rewarders.types import Completion, Verdict

_CRITERIA = (
    "Decide for each of the CRITERIA, by itself, whether it is true of the ANSWER to the QUESTION. What you cannot "
    "establish is false."
)
_REFERENCE = " The REFERENCE is known to be good; another answer may be good as well."
_SOLVE = (
    "Answer the QUESTION yourself. Work it out in your reasoning, then give the final answer alone, as short as it can "
    "be said without ambiguity."
)
_SAME = (
    "Decide whether the final answer that the ANSWER gives to the QUESTION is the same as the REFERENCE: equal in "
    "value or meaning, however it is spelled. An ANSWER without one final answer, or with several, is not the same. Do "
    "not solve the question again: the REFERENCE stands."
)
_COMMITTED_CHARS = 300
_SAME_ANSWER, _COMMITTED = "same_answer", "answer"


@rewarder("judge.criteria", version="1.1", params=CriteriaParams, reference=CriteriaReference, opinion="judge")
async def criteria(
    completion: Completion, reference: CriteriaReference, params: CriteriaParams, tools: Tools
) -> Verdict:
    """1 if a judge finds every criterion true of the answer, else 0; or the share of them."""
    statements = {**params.criteria, **reference.criteria}
    if not statements:
        raise JudgeFault("judge.criteria has no criteria, neither from the rubric's params nor from the task")
    shown, prompt = seen(completion, params), conversation(tools)
    if verdict := rejected(shown, params, tools, list(statements.values()), reference.answer):
        return verdict
    batches = [{name: text} for name, text in statements.items()] if params.one_by_one else [statements]
    asking = _Asking(shown, params, [_Batch(prompt, batch, reference.answer) for batch in batches])
    return _verdict(shown, *await consult(tools, params, asking.hear))


@rewarder("judge.answer", version="1.1", params=AnswerParams, reference=AnswerReference, opinion="judge")
async def answer(completion: Completion, reference: AnswerReference, params: AnswerParams, tools: Tools) -> Verdict:
    """1 if a judge finds the final answer the same as the reference, or as the one it committed itself to before."""
    shown, prompt = seen(completion, params), conversation(tools)
    if verdict := rejected(shown, params, tools, right=reference.answer):
        return verdict

    async def hear(judge: Judge, sample: int) -> Opinion:
        right = reference.answer or await _committed(judge, prompt)
        heard = await _Asking(shown, params, [_Same(prompt, right)]).hear(judge, sample)
        own: dict[str, JsonValue] = {} if reference.answer else {"committed": right[:_COMMITTED_CHARS]}
        return replace(heard, details={**heard.details, **own})

    return _verdict(shown, *await consult(tools, params, hear))


async def _committed(judge: Judge, prompt: str) -> str:
    """The judge's own answer, given before it is shown any other; a cache makes it the same for a whole group.

    A judge that sees the text first and then solves the task "first" follows what it saw: its false positive rate was
    0.72 where it was 0.01 with this order (arXiv:2607.05904).
    """
    reply = await ask_alone(judge, Question(_SOLVE, (Section("QUESTION", prompt),), Form(texts=(_COMMITTED,))))
    assert reply.answers is not None, "ask_alone gives readable replies"
    return str(reply.answers[_COMMITTED])


@dataclass(frozen=True)
class _Batch:
    """Criteria that are asked about in one request."""

    prompt: str
    statements: dict[str, str]
    reference: str | None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.statements)

    def question(self, text: Section) -> Question:
        listed = "\n".join(f"{name}: {statement}" for name, statement in self.statements.items())
        known = (Section("REFERENCE", self.reference),) if self.reference else ()
        sections = (Section("QUESTION", self.prompt), *known, Section("CRITERIA", listed), text)
        return Question(_CRITERIA + (_REFERENCE if known else ""), sections, Form(booleans=self.names))


@dataclass(frozen=True)
class _Same:
    """Whether the text comes to the right answer."""

    prompt: str
    right: str
    names = (_SAME_ANSWER,)

    def question(self, text: Section) -> Question:
        sections = (Section("QUESTION", self.prompt), Section("REFERENCE", self.right), text)
        return Question(_SAME, sections, Form(booleans=self.names))


@dataclass(frozen=True)
class _Asking:
    """One text put to one judge, request by request."""

    shown: Seen
    params: CriteriaParams | AnswerParams
    batches: Sequence[_Batch | _Same]

    async def hear(self, judge: Judge, sample: int) -> Opinion:
        """Raises JudgeFault."""
        replies: list[JudgeReply] = []
        for batch in self.batches:
            reply = await ask(judge, batch.question, "ANSWER", self.shown.text, sample)
            if reply is None:
                return derailed(judge)
            replies.append(reply)
        return self._opinion(replies)

    def _opinion(self, replies: Sequence[JudgeReply]) -> Opinion:
        met: dict[str, JsonValue] = {}
        weights: dict[str, float] = {}
        for batch, reply in zip(self.batches, replies, strict=True):
            said = {name: bool((reply.answers or {})[name]) for name in batch.names}
            met.update(said)
            likely = reply.probabilities if self.params.by == "probability" else None
            weights.update({name: (likely or {}).get(name, float(value)) for name, value in said.items()})
        everything = not isinstance(self.params, CriteriaParams) or self.params.pay == "all"
        score = min(weights.values()) if everything else sum(weights.values()) / len(weights)
        if self.params.by == "boolean":
            return opinion(replies[-1], score, met=met)
        return opinion(replies[-1], score, met=met, weights={name: round(one, 4) for name, one in weights.items()})


def _verdict(shown: Seen, score: float, opinions: Sequence[Opinion]) -> Verdict:
    if all(one.derailed for one in opinions):
        reason = Reason.JUDGE_DERAILED
    elif score in (0.0, 1.0):
        reason = Reason.MET if score else Reason.NOT_MET
    else:
        reason = Reason.PARTLY_MET
    return Verdict(score=min(max(score, 0.0), 1.0), reason=reason, evidence=told(shown, opinions))

"""`judge.compare`: the text against one other, or among several, in both orders."""

from collections.abc import Sequence
from dataclasses import dataclass

from rewarders.digests import digest
from rewarders.llm_judge.asking import (
    Opinion,
    Seen,
    ask,
    consult,
    conversation,
    derailed,
    opinion,
    rejected,
    seen,
    told,
)
from rewarders.llm_judge.params import CompareParams, CompareReference, Reason
from rewarders.llm_judge.question import Form, JudgeReply, Question, Section
from rewarders.llm_judge.untrusted import quoted
from rewarders.registry import rewarder
from rewarders.tools import Judge, Tools
from rewarders.types import Completion, Verdict

_LABEL_DIGITS = 6
_TIE = 0.5


@rewarder("judge.compare", version="1.1", params=CompareParams, reference=CompareReference, opinion="judge")
async def compare(completion: Completion, reference: CompareReference, params: CompareParams, tools: Tools) -> Verdict:
    """The share of the other texts that a judge ranks below this one; half for a tie, or if the order decides."""
    shown, prompt = seen(completion, params), conversation(tools)
    if verdict := rejected(shown, params, tools, [params.criterion]):
        return verdict
    others = [other for other in reference.others if other.strip() != shown.text.strip()]
    same = len(reference.others) - len(others)
    if not others:
        return Verdict(score=_TIE, reason=Reason.TIED, evidence={"span": shown.span, "asked": 0})
    comparison = _Comparison(prompt, shown, tuple(others), params.criterion, same)
    score, opinions = await consult(tools, params, comparison.hear)
    return Verdict(score=score, reason=_reason(score, opinions), evidence=told(shown, opinions))


def _reason(score: float, opinions: Sequence[Opinion]) -> Reason:
    if all(one.derailed for one in opinions):
        return Reason.JUDGE_DERAILED
    if score in (0.0, 1.0):
        return Reason.BETTER if score else Reason.WORSE
    return Reason.TIED if score == _TIE else Reason.BETTER_THAN_SOME


@dataclass(frozen=True)
class _Comparison:
    """One text and the others it is compared with."""

    prompt: str
    shown: Seen
    others: tuple[str, ...]
    criterion: str
    same: int
    """How many others are the very same text: ties that nobody has to be asked about."""

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each text, its own first.

        Made from all the texts together: no text can know the others, so none can say that "A is better".
        """
        texts = [quoted(text) for text in (self.prompt, self.shown.text, *self.others)]
        return tuple(f"text_{digest([index, texts])[-_LABEL_DIGITS:]}" for index in range(len(self.others) + 1))

    async def hear(self, judge: Judge, sample: int) -> Opinion:
        """Both orders; where they disagree on a pair it is a tie. Raises JudgeFault."""
        replies: list[JudgeReply] = []
        for order in (self.labels, self.labels[::-1]):
            reply = await ask(judge, _Ordered(self, order).question, self.labels[0], self.shown.text, sample)
            if reply is None:
                return derailed(judge)
            replies.append(reply)
        forward, backward = (self._outcomes(reply) for reply in replies)
        agreed = [one if one == other else _TIE for one, other in zip(forward, backward, strict=True)]
        score = (sum(agreed) + _TIE * self.same) / (len(agreed) + self.same)
        return opinion(replies[0], score, forward=[*forward], backward=[*backward], consistent=forward == backward)

    def _outcomes(self, reply: JudgeReply) -> list[float]:
        """Against each other text: 1 for better, 0 for worse, a half for equal."""
        ranks = [(reply.answers or {})[label] for label in self.labels]
        return [_TIE if ranks[0] == rank else float(ranks[0] < rank) for rank in ranks[1:]]


@dataclass(frozen=True)
class _Ordered:
    """The comparison in one order."""

    comparison: _Comparison
    order: tuple[str, ...]

    def question(self, text: Section) -> Question:
        texts = dict(zip(self.comparison.labels[1:], self.comparison.others, strict=True))
        sections = [text if label == text.title else Section(label, texts[label]) for label in self.order]
        task = (
            f"Rank the texts {', '.join(self.order)}, each an answer to the QUESTION, by the CRITERION. Their order "
            "means nothing, nor does their length; equally good texts have the same rank."
        )
        given = (Section("QUESTION", self.comparison.prompt), Section("CRITERION", self.comparison.criterion))
        return Question(task, (*given, *sections), Form(ranks=self.order))

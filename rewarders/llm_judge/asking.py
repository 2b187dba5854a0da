"""Asking about a text that may be hostile, and whose fault it is when nothing readable comes back.

A reply that does not come is asked for again, and one that cannot be read with the text spelled inertly, twice in all.
Then the same is asked about a stand-in. If that can be read, the text is what made the difference: it scores 0,
`judge_derailed`, or a policy could choose to be unscored. If it cannot, the judge is at fault, and so are we.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from rewarders.errors import JudgeFault
from rewarders.llm_judge.degenerate import emptiness
from rewarders.llm_judge.params import PanelParams, Reason, TextParams
from rewarders.llm_judge.question import UNANSWERED, JudgeReply, Question, Section
from rewarders.prose.blanking import said_from, without_thinking
from rewarders.tools import Judge, Tools
from rewarders.types import Completion, Verdict

STAND_IN = """I do not know.
Perhaps "x" is {1, 2}, or it's \\(y \\ne 0\\) as in [a], <b> and `c`."""
"""Ordinary on purpose: a judge that cannot quote a line break or a brace is at fault, not the text that has one."""
_MORE_TRIES = 2
_REASONING_CHARS = 300
_OPINIONS_SHOWN = 4
"""So that evidence keeps its bound; the record has every reply whole."""

Asked = Callable[[Section], Question]
"""Puts the text that is judged into its question."""


@dataclass(frozen=True)
class Opinion:
    """What one judge said, once."""

    judge: str
    score: float
    details: dict[str, JsonValue] = field(default_factory=dict)
    derailed: bool = False


@dataclass(frozen=True)
class Seen:
    """The part of a completion that is judged, and where it is."""

    text: str
    begin: int

    @property
    def span(self) -> list[JsonValue]:
        """Offsets in the completion."""
        return [self.begin, self.begin + len(self.text)]


def seen(completion: Completion, params: TextParams) -> Seen:
    """What the judge is shown: all behind the thinking that the text begins with. Later thinking is shown as such."""
    begin = 0 if params.thinking else said_from(completion.text)
    return Seen(completion.text[begin:], begin)


def rejected(
    shown: Seen, params: TextParams, tools: Tools, criteria: Sequence[str] = (), right: str | None = None
) -> Verdict | None:
    """The verdict on a text that no judge has to be asked about."""
    prompts = [message.content or "" for message in tools.prompt]
    reason: str | None = None
    if len(shown.text) > params.max_chars:
        reason = Reason.TOO_LONG
    elif params.reject_empty:
        said = shown.text if params.thinking else without_thinking(shown.text)
        reason = emptiness(said, prompts, criteria, right)
    if reason is None:
        return None
    return Verdict(score=0.0, reason=reason, evidence={"span": shown.span, "asked": 0})


def conversation(tools: Tools) -> str:
    """The task's prompt as one text."""
    return "\n\n".join(f"{message.role}: {message.content or ''}" for message in tools.prompt)


async def ask(judge: Judge, asked: Asked, title: str, text: str, sample: int = 0) -> JudgeReply | None:
    """A readable reply about the text, or None where the text keeps the judge from giving one.

    Raises:
        JudgeFault: the judge cannot be asked, or answers nothing readable about anything.
    """
    inert = False
    for attempt in range(1 + _MORE_TRIES):
        reply = await judge.ask(asked(Section(title, text, inert=inert)), sample, fresh=attempt > 1)
        if reply.answers is not None:
            return reply
        inert = inert or reply.problem != UNANSWERED
    control = await judge.ask(asked(Section(title, STAND_IN)), sample, fresh=True)
    if control.answers is not None:
        return None
    raise _unusable(control)


async def ask_alone(judge: Judge, question: Question) -> JudgeReply:
    """A readable reply to a question that holds no text of the policy's. Raises JudgeFault."""
    for attempt in range(2):
        reply = await judge.ask(question, fresh=attempt > 0)
        if reply.answers is not None:
            return reply
    raise _unusable(reply)


def _unusable(reply: JudgeReply) -> JudgeFault:
    """Of a judge that gives nothing readable even where no text can be the cause."""
    instead = f" ({reply.instead})" if reply.instead else ""
    return JudgeFault(
        f"judge {reply.judge} answers nothing that can be read, whatever it is asked about: {reply.problem}{instead}",
        retryable=reply.problem in ("refused", UNANSWERED),
        hint="`env-server judge show` asks it something; a small model needs response_format = 'json_schema'",
    )


def opinion(reply: JudgeReply, score: float, **details: JsonValue) -> Opinion:
    """What a readable reply comes to."""
    known: dict[str, JsonValue] = {"reasoning": reply.reasoning[:_REASONING_CHARS], "nonce": reply.nonce}
    return Opinion(reply.judge, score, {**known, **details})


def derailed(judge: Judge) -> Opinion:
    """Of a judge that the text kept from answering."""
    return Opinion(judge.name, 0.0, derailed=True)


async def consult(
    tools: Tools, params: PanelParams, hear: Callable[[Judge, int], Awaitable[Opinion]]
) -> tuple[float, list[Opinion]]:
    """Hear every judge once, and again where that leaves doubt. One after another: many calls run at once anyway.

    Returns the score of the panel and every opinion. Raises JudgeFault.
    """
    judges = [tools.judge(name) for name in params.judges]
    opinions = [await hear(judge, 0) for judge in judges]
    low, high = params.doubt
    if params.samples > 1 and low < _mean(opinions) < high:
        opinions += [await hear(judge, sample) for sample in range(1, params.samples) for judge in judges]
    by_judge = [_mean([one for one in opinions if one.judge == judge.name]) for judge in judges]
    return _panel(by_judge, params), opinions


def _mean(opinions: Sequence[Opinion]) -> float:
    return sum(one.score for one in opinions) / len(opinions)


def _panel(scores: Sequence[float], params: PanelParams) -> float:
    if len(scores) == 1:
        return scores[0]
    if params.panel == "least":
        return min(scores)
    if params.panel == "mean":
        return sum(scores) / len(scores)
    return float(2 * sum(score >= 0.5 for score in scores) > len(scores))


def told(shown: Seen, opinions: Sequence[Opinion]) -> dict[str, JsonValue]:
    """Evidence: what was judged, and what each judge said of it."""
    return {"span": shown.span, **heard(opinions)}


def heard(opinions: Sequence[Opinion]) -> dict[str, JsonValue]:
    """Evidence: what each judge said, the first ones in full."""
    first: list[JsonValue] = [
        {"judge": one.judge, "score": one.score, **one.details} for one in opinions[:_OPINIONS_SHOWN]
    ]
    return {"asked": len(opinions), "opinions": first}

"""`env-server judge show`: each judge asked something harmless."""

import asyncio
from dataclasses import dataclass

from env_server.app import build_models
from env_server.config import ServiceConfig
from env_server.judges.judge import ConfiguredJudge
from env_server.judges.keeper import ModelKeeper
from rewarders.errors import JudgeFault
from rewarders.llm_judge.question import Form, Question, Section

_HARMLESS = Question(
    "Decide whether the ANSWER to the QUESTION is right.",
    (Section("QUESTION", "What is two plus two?"), Section("ANSWER", "4")),
    Form(booleans=("right",)),
)


@dataclass(frozen=True)
class Introduction:
    """One judge, as it presented itself."""

    name: str
    ok: bool
    detail: str


def introduce(config: ServiceConfig) -> list[Introduction]:
    """Every judge of the configuration, asked once. Raises ConfigError."""
    return asyncio.run(_introduce(build_models(config)))


async def _introduce(models: ModelKeeper) -> list[Introduction]:
    try:
        return [await _ask(models.judge(name)) for name in models.judge_names]
    finally:
        await models.close()


async def _ask(judge: ConfiguredJudge) -> Introduction:
    try:
        exchange = await judge.ask(_HARMLESS, fresh=True)
    except JudgeFault as fault:
        return Introduction(judge.name, False, str(fault))
    reply, tokens = exchange.reply, judge.purse.used[0]
    said = "right" if reply.answers and reply.answers["right"] else reply.problem or "wrong"
    weight = "" if reply.probabilities is None else f", p = {reply.probabilities['right']:.3f}"
    reported = (exchange.record["reported"] or {}).get("model") or "nobody it names"
    detail = f"{reported} says that 2 + 2 = 4 is {said}{weight}; {tokens} tokens used; {judge.identity}"
    return Introduction(judge.name, reply.answers is not None, detail)

"""`env-server judge calibrate`: a judge tried on labelled data, through the very path by which it would be paid."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from env_server.app import build_models
from env_server.calling import Call, Caller
from env_server.config import ServiceConfig
from env_server.isolation import load_plugins
from env_server.judges import statistics
from env_server.judges.calibrations import Calibration, Figure, full_params
from env_server.judges.labels import Labelled, LabelledData
from env_server.judges.statistics import Rated, bootstrapped, share
from env_server.rubric_book import RubricBook
from env_server.sandbox_keeper import SandboxKeeper
from env_server.worker_process import Reply
from rewarders.errors import ConfigError, InvalidTask, JudgeFault
from rewarders.registry import RewarderSpec
from rewarders.rubric import Part
from rewarders.types import Verdict

_AT_ONCE = 32


@dataclass(frozen=True)
class Judged:
    """One labelled item and what became of it."""

    item: Labelled
    reply: Reply

    @property
    def verdict(self) -> Verdict | None:
        """None where a fault left it unjudged."""
        return self.reply.verdict

    @property
    def exchanges(self) -> list[dict[str, Any]]:
        """What was put to the judges for it."""
        found = (self.reply.models or {}).get("exchanges", [])
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def find_part(config: ServiceConfig, rubric: str, rewarder: str | None) -> tuple[Part, RewarderSpec]:
    """The judge's part of a rubric. Raises ConfigError: there is none, or more than one."""
    book = RubricBook(config.rubrics.values(), load_plugins(config).registry)
    try:
        bound = book.get(rubric)
    except InvalidTask as error:
        raise ConfigError(f"there is no rubric {rubric!r}", hint=error.hint) from error
    parts = [(part, spec) for part, spec in bound.parts if spec.opinion == "judge"]
    named = [one for one in parts if rewarder in (None, one[0].rewarder)]
    if len(named) != 1:
        names = ", ".join(part.rewarder for part, _ in parts) or "none"
        raise ConfigError(f"{rubric} has {len(named)} parts to calibrate, of these: {names}", hint="name one: --part")
    return named[0]


def calibrate(
    config: ServiceConfig, part: Part, spec: RewarderSpec, data: LabelledData, advance: Callable[[int], None]
) -> Calibration:
    """Ask about every item and say how well the answers agree with the labels.

    Raises:
        ConfigError: the labelled items do not fit the part.
        JudgeFault: not one item could be judged.
    """
    judged = asyncio.run(_judge_all(config, _calls(part, spec, data.items), data.items, advance))
    if all(one.verdict is None for one in judged):
        fault = judged[0].reply.fault
        raise JudgeFault(
            f"not one item could be judged: {fault.message if fault else ''}",
            hint="`env-server judge show` asks each judge something harmless",
        )
    identities = {str(exchange["identity"]) for one in judged for exchange in one.exchanges if "identity" in exchange}
    return Calibration(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        rewarder=spec.name,
        version=spec.version,
        params=full_params(spec, part.params),
        judges=tuple(sorted(identities)),
        data_digest=data.digest,
        items=sum(one.verdict is not None for one in judged),
        figures=_figures(judged),
        counts={**counts(judged), "repeated": data.repeated},
    )


def _calls(part: Part, spec: RewarderSpec, items: Sequence[Labelled]) -> list[Call]:
    try:
        read = [spec.read_reference(item.task.reference) for item in items]
    except InvalidTask as error:
        raise ConfigError(f"a labelled item does not fit {spec.name}: {error}") from error
    return [
        Call(spec, item.completion.document, reference, part.params, item.task.prompt)
        for item, reference in zip(items, read, strict=True)
    ]


async def _judge_all(
    config: ServiceConfig, calls: Sequence[Call], items: Sequence[Labelled], advance: Callable[[int], None]
) -> list[Judged]:
    models = build_models(config)
    caller = Caller(SandboxKeeper(None), models, asyncio.Semaphore(1), config.calls.timeout_s)
    places = asyncio.Semaphore(min(_AT_ONCE, config.calls.at_once))

    async def judge(call: Call, item: Labelled) -> Judged:
        async with places:
            reply = await caller.answer(call)
            advance(1)
            return Judged(item, reply)

    try:
        return await asyncio.gather(*(judge(call, item) for call, item in zip(calls, items, strict=True)))
    finally:
        await models.close()


def _figures(judged: Sequence[Judged]) -> dict[str, Figure]:
    rated = [Rated(one.item.label, one.verdict.score) for one in judged if one.verdict]
    consistent = [bool(found["consistent"]) for one in judged for found in _opinions(one) if "consistent" in found]
    abstained = sum(one.verdict is None for one in judged)
    labels = [one.item.labels for one in judged if len(one.item.labels) > 1]
    return {
        "accuracy": statistics.accuracy(rated),
        "sensitivity": statistics.sensitivity(rated),
        "specificity": statistics.specificity(rated),
        "kappa": bootstrapped(statistics.kappa, rated),
        "auroc": bootstrapped(statistics.auroc, rated),
        "ece": bootstrapped(statistics.ece, rated),
        "accepted": share(sum(one.accepted for one in rated), len(rated)),
        "corrected_rate": bootstrapped(statistics.corrected_rate, rated),
        "order_consistency": share(sum(consistent), len(consistent)),
        "abstention": share(abstained, len(judged)),
        "derailed": share(sum(one.verdict.reason == "judge_derailed" for one in judged if one.verdict), len(rated)),
        "money_per_item": bootstrapped(_mean, [_used(one, "money") for one in judged]),
        "label_alpha": bootstrapped(statistics.krippendorff, labels),
    }


def _opinions(one: Judged) -> list[dict[str, Any]]:
    opinions = one.verdict.evidence.get("opinions") if one.verdict else None
    return [found for found in opinions if isinstance(found, dict)] if isinstance(opinions, list) else []


def counts(judged: Sequence[Judged]) -> dict[str, int]:
    """How many of what."""
    exchanges = [exchange for one in judged for exchange in one.exchanges]
    return {
        "items": len(judged),
        "good": sum(one.item.label for one in judged if one.verdict),
        "bad": sum(not one.item.label for one in judged if one.verdict),
        "own": sum(_is_own(one) for one in judged),
        "requests": sum(not exchange["cached"] for exchange in exchanges),
        "cached": sum(bool(exchange["cached"]) for exchange in exchanges),
        "unreadable": sum(bool(exchange.get("problem")) for exchange in exchanges),
        "tokens": sum(sum(exchange["tokens"].values()) for exchange in exchanges if not exchange["cached"]),
    }


def _is_own(one: Judged) -> bool:
    """Whether the judge's own model wrote the completion, as far as `policy_version` tells."""
    author = (one.item.completion.policy_version or "").casefold()
    asked = {str(exchange.get("request", {}).get("model", "")) for exchange in one.exchanges}
    reported = {str((exchange.get("reported") or {}).get("model") or "") for exchange in one.exchanges}
    names = {name.rpartition("/")[2].casefold() for name in asked | reported} - {""}
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", author) for name in names)


def _used(one: Judged, what: str) -> float:
    return sum(float(exchange[what]) for exchange in one.exchanges)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None

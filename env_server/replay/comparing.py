"""A verdict beside the one on the record. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from env_server.replay.results import Opinion, Promise, ReplayedPart, Result, Why
from env_server.worker_process import Reply
from rewarders.digests import canonical_json
from rewarders.errors import JudgeFault, ModelFault
from rewarders.registry import RewarderSpec
from rewarders.types import Component, Fault, Verdict

_OF_MODELS = (JudgeFault.__name__, ModelFault.__name__)


@dataclass(frozen=True)
class RecordedPart:
    """One component as the record has it."""

    component: Component
    instrument: Mapping[str, Any]
    """What made it: rewarder, version, code, params, and what ran or judged it."""
    rewarded: bool = True
    """Whether the record holds a reward."""

    @property
    def counts(self) -> bool:
        """Whether it could change the reward; a fault that left a reward standing could not."""
        standing = self.component.gate or self.component.weight != 0
        return standing and not (self.component.fault and self.rewarded)

    @property
    def models(self) -> dict[str, Any] | None:
        """What models were asked, and answered."""
        found: dict[str, Any] | None = self.instrument.get("models")
        return found

    def untouched(self, result: Result, why: Why | None = None, detail: str | None = None) -> ReplayedPart:
        """It was not run, for this reason."""
        return ReplayedPart(
            rewarder=self.component.rewarder, result=result, why=why, detail=detail, counts=self.counts,
            then=_opinion(self.component.verdict),
        )  # fmt: skip


def compared(
    part: RecordedPart, promise: Promise, spec: RewarderSpec, reply: Reply, memory_bytes: int | None = None
) -> ReplayedPart:
    """What a new reply, by a worker with so much memory, says of the recorded verdict."""
    then, now = part.component.verdict, reply.verdict
    result, why = _result(promise, then, now, reply.fault)
    return ReplayedPart(
        rewarder=spec.name,
        promise=promise,
        result=result,
        why=why,
        detail=reply.fault.message if reply.fault else None,
        counts=part.counts,
        then=_opinion(then),
        now=_opinion(now),
        fault=reply.fault,
        evidence=_differences(then.evidence, now.evidence) if then and now else {},
        environment=_differences(
            _environment_then(part.instrument), _environment_now(part.instrument, spec, reply, memory_bytes)
        ),
    )


def _result(
    promise: Promise, then: Verdict | None, now: Verdict | None, fault: Fault | None
) -> tuple[Result, Why | None]:
    if then is None:
        return Result.NOT_REPLAYABLE, Why.FAULTED
    if promise is Promise.CASSETTE and fault and fault.kind in _OF_MODELS:
        return Result.NOT_REPLAYABLE, Why.NO_REPLIES
    if now is None:
        return Result.COULD_NOT, None
    if promise in (Promise.EXACT, Promise.CASSETTE):
        same = _spelled(then) == _spelled(now)
    else:
        same = _opinion(then) == _opinion(now)
    return (Result.EQUAL if same else Result.DIFFERENT), None


def _spelled(verdict: Verdict) -> bytes:
    return canonical_json(verdict.model_dump(mode="json"))


def _opinion(verdict: Verdict | None) -> Opinion | None:
    return Opinion(score=verdict.score, reason=verdict.reason) if verdict else None


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """By key, what is not spelled alike; None where one of them has nothing."""
    both = {key: (then.get(key), now.get(key)) for key in sorted({*then, *now})}
    return {key: pair for key, pair in both.items() if canonical_json(pair[0]) != canonical_json(pair[1])}


def _environment_then(instrument: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: instrument.get(name) for name in ("version", "distribution", "code_digest", "memory_bytes")}
    return {**named, **_used(instrument.get("sandbox"), instrument.get("models"))}


def _environment_now(
    instrument: Mapping[str, Any], spec: RewarderSpec, reply: Reply, memory_bytes: int | None
) -> dict[str, Any]:
    named: dict[str, Any] = {
        "version": spec.version, "distribution": spec.distribution, "code_digest": spec.code_digest,
    }  # fmt: skip
    if not spec.is_async:
        named["memory_bytes"] = memory_bytes
    models = reply.models or instrument.get("models")  # the recorded replies were read again
    return {**named, **_used(reply.sandbox, models)}


def _used(sandbox: Mapping[str, Any] | None, models: Mapping[str, Any] | None) -> dict[str, Any]:
    """What ran programs, and which judges answered."""
    ran = {"sandbox": list(sandbox["instruments"])} if sandbox else {}
    exchanges = models["exchanges"] if models else []
    judges = sorted({str(one["identity"]) for one in exchanges if "identity" in one})
    return {**ran, **({"judges": judges} if judges else {})}

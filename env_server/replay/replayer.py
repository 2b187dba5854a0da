"""Recorded rewards through the service's own rewarders once more."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from env_server.build import SERVICE_BUILD
from env_server.calling import Call
from env_server.engine import Engine
from env_server.principal import ANYONE, Principal
from env_server.replay.comparing import RecordedPart, compared
from env_server.replay.results import Promise, Replay, ReplayedPart, Result, Why, overall
from env_server.replay.rubrics import RubricArchive
from env_server.terms import Priority, Terms
from env_server.worker_process import Job, Reply, reply
from rewarders.errors import InvalidTask
from rewarders.registry import Registry, RewarderSpec
from rewarders.rubric import Rubric, combine
from rewarders.types import Component, Fault, Task

INSTALLED = "installed"
_NO_REPLIES: dict[str, Any] = {"exchanges": []}


@dataclass(frozen=True)
class Comparison:
    """What a record is compared with."""

    against: str | None = None
    """A version, or INSTALLED for whichever is installed; None for the very code that is on the record."""
    rewarder: str | None = None
    """The one that is run again while the others stay as recorded; None for all of them."""
    live: bool = False
    """Ask models anew, instead of reading what they replied then."""


@dataclass(frozen=True)
class Replayer:
    """Computes recorded rewards again. Reads nothing and writes nothing itself."""

    engine: Engine
    registry: Registry
    rubrics: RubricArchive

    async def replay(self, record: Mapping[str, Any], how: Comparison, principal: Principal = ANYONE) -> Replay:
        """Compute a reward again and compare.

        Args:
            record: of a reward, as the ledger's reader gives it.
            how: what it is compared with.
            principal: who wants to know; nobody is in a hurry.

        Raises:
            Overloaded: too much is waiting.
        """
        if record["erased"] or not record["task"] or not record["completion"] or not record["breakdown"]:
            return _unread(record, Why.ERASED, how)
        if record["redactions"]:
            return _unread(record, Why.REDACTED, how)
        try:
            recorded, task = list(_recorded(record)), Task.model_validate(record["task"])
        except (ValueError, KeyError):  # pydantic's are among them
            return _unread(record, Why.UNREADABLE, how)
        planned = [self._plan(part, task, record, how) for part in recorded]
        terms = Terms(principal, priority=Priority.BACKGROUND)
        replies = iter(await self.engine.judge([one.work for one in planned if isinstance(one, _Run)], terms))
        memory = self.engine.rubrics.memory_bytes
        parts = tuple(one.compared(next(replies), memory) if isinstance(one, _Run) else one for one in planned)
        return await self._concluded(record, recorded, parts, how)

    def _plan(
        self, part: RecordedPart, task: Task, record: Mapping[str, Any], how: Comparison
    ) -> "_Run | ReplayedPart":
        """What there is to run for a part, or why nothing is."""
        name = part.component.rewarder
        if how.rewarder not in (None, name):
            return part.untouched(Result.AS_RECORDED)
        spec = self.registry.get(name)
        hindrance = _hindrance(part.instrument, spec, how.against)
        if spec is None or hindrance:
            return part.untouched(Result.NOT_REPLAYABLE, *hindrance)
        params, completion = part.instrument["params"], record["completion"]
        if not spec.is_async:
            return _Run(part, Promise.EXACT, spec, Job(name, completion, spec.project(task.reference), params))
        promise = _promise(spec, part, how)
        try:
            reference = spec.read_reference(task.reference)
        except InvalidTask as error:
            return compared(part, promise, spec, reply(Fault(kind=type(error).__name__, message=str(error))))
        models = None if how.live else part.models or _NO_REPLIES
        call = Call(
            spec, completion, reference, params, task.prompt, recorded=models, fresh=how.live, tenant=record["tenant"]
        )
        return _Run(part, promise, spec, call)

    async def _concluded(
        self,
        record: Mapping[str, Any],
        recorded: Sequence[RecordedPart],
        parts: tuple[ReplayedPart, ...],
        how: Comparison,
    ) -> Replay:
        breakdown = record["breakdown"]
        rubric = await self.rubrics.find(breakdown["rubric"], breakdown["rubric_digest"])
        reward, known = _reward(rubric, recorded, parts, record["step"])
        differ = None if rubric is None else known and reward != record["reward"]
        result, why = overall(parts, rewards_differ=differ)
        builds = (str(record["service"]), SERVICE_BUILD)
        return Replay(
            record_id=record["id"], result=result, why=why, old_reward=record["reward"], reward=reward,
            components=parts, service=builds if builds[0] != builds[1] else None, against=how.against, live=how.live,
        )  # fmt: skip


@dataclass(frozen=True)
class _Run:
    """A part that is run again."""

    part: RecordedPart
    promise: Promise
    spec: RewarderSpec
    work: Job | Call

    def compared(self, said: Reply, memory_bytes: int | None) -> ReplayedPart:
        return compared(self.part, self.promise, self.spec, said, memory_bytes)


def _recorded(record: Mapping[str, Any]) -> Iterator[RecordedPart]:
    breakdown = record["breakdown"]
    for component, instrument in zip(breakdown["components"], record["instrument"], strict=True):
        yield RecordedPart(Component.model_validate(component), instrument, breakdown["reward"] is not None)


def _hindrance(
    instrument: Mapping[str, Any], spec: RewarderSpec | None, against: str | None
) -> tuple[Why, str] | tuple[()]:
    """Why what is installed must not speak for what is wanted; empty where it may."""
    name, recorded = instrument["rewarder"], instrument["version"]
    if spec is None:
        return Why.VERSION_MISSING, f"{name} is not installed"
    if against == INSTALLED:
        return ()
    wanted = against or recorded
    if spec.version != wanted:
        return Why.VERSION_MISSING, f"{name} {wanted} is wanted, and {spec.version} is installed"
    if against is None and spec.code_digest != instrument["code_digest"]:
        digests = f"{instrument['code_digest']} is on the record, {spec.code_digest} is installed"
        return Why.CODE_CHANGED, f"{name} {wanted} is other code now: {digests}"
    return ()


def _promise(spec: RewarderSpec, part: RecordedPart, how: Comparison) -> Promise:
    if spec.opinion is None and part.models is None:
        return Promise.BOUNDED
    return Promise.LIVE if how.live else Promise.CASSETTE


def _reward(
    rubric: Rubric | None, recorded: Sequence[RecordedPart], parts: Sequence[ReplayedPart], step: int | None
) -> tuple[float | None, bool]:
    """The reward that comes out now, and whether it does: not where the rubric, or a part that counts, is missing."""
    unknown = any(part.counts and part.now is None and part.result is not Result.AS_RECORDED for part in parts)
    if rubric is None or unknown:
        return None, False
    components = [_component(one, part) for one, part in zip(recorded, parts, strict=True)]
    reward, _ = combine(rubric, components, step)
    return reward, True


def _component(recorded: RecordedPart, part: ReplayedPart) -> Component:
    """As on the record, its standing included, with what is said now."""
    component = recorded.component
    if part.now is None:
        return component
    verdict = {"score": part.now.score, "reason": part.now.reason}
    return Component.model_validate({**component.model_dump(), "verdict": verdict, "fault": None, "contribution": 0.0})


def _unread(record: Mapping[str, Any], why: Why, how: Comparison) -> Replay:
    return Replay(
        record_id=record["id"], result=Result.NOT_REPLAYABLE, why=why, old_reward=record["reward"],
        against=how.against, live=how.live,
    )  # fmt: skip

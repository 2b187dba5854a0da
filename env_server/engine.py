"""score(): validate each item by itself, run its rewarders, combine, record, answer. The same with and without HTTP."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from typing import Any
from uuid import UUID

from pydantic import BaseModel, JsonValue, ValidationError

from env_server.calling import Call
from env_server.calls import CallPool
from env_server.ledger.chain import Draft, draft
from env_server.ledger.writer import KeptReply, LedgerWriter
from env_server.problems import problem_of
from env_server.rubric_book import BoundRubric, RubricBook
from env_server.schemas import Item, Problem, RawItem, Run, ScoredItem, ScoreResponse, Status
from env_server.worker_pools import WorkerPools
from env_server.worker_process import Job, Reply
from rewarders.errors import InvalidTask
from rewarders.registry import RewarderSpec, unechoed_problem
from rewarders.rubric import Part, combine
from rewarders.types import Component, RewardBreakdown

SERVICE_BUILD = f"assay {metadata.version('assay')}"


@dataclass(frozen=True)
class KeepReply:
    """Asks for the answer to be kept under an idempotency key."""

    key: str
    request_digest: str


@dataclass(frozen=True)
class _Prepared:
    """A valid item and the rubric that judges it."""

    item: Item
    bound: BoundRubric
    references: tuple[BaseModel | None, ...]
    """What each part's rewarder reads of the task's reference."""

    @property
    def jobs(self) -> Iterator[Job | Call]:
        """What there is to be done, part by part."""
        completion, reference = self.item.completion.document, self.item.task.reference
        for (part, spec), read in zip(self.bound.parts, self.references, strict=True):
            if spec.is_async:
                yield Call(spec, completion, read, part.params, self.item.task.prompt)
            else:
                yield Job(spec.name, completion, spec.project(reference), part.params)


@dataclass(frozen=True)
class Engine:
    """The reward service without its HTTP face."""

    rubrics: RubricBook
    pool: WorkerPools
    """For pure rewarders."""
    calls: CallPool
    """For async ones."""
    ledger: LedgerWriter | None
    """None only where the operator turned the ledger off."""

    async def score(self, raw_items: Sequence[RawItem], run: Run | None = None, keep: KeepReply | None = None) -> bytes:
        """Score items and answer them in order, as the JSON of a `ScoreResponse`.

        An item that is wrong, or that we fail to score, leaves its neighbours alone. The answer is returned only
        after every scored or unscored item is durable in the ledger.

        Raises:
            Overloaded: too much is waiting; nothing was recorded.
            LedgerError: the records could not be written; there is no answer then.
        """
        prepared = [self._prepare(index, raw) for index, raw in enumerate(raw_items)]
        valid = [entry for entry in prepared if isinstance(entry, _Prepared)]
        replies = iter(await self._judge([job for entry in valid for job in entry.jobs]))
        scored = [_score(entry, replies) for entry in valid]
        if self.ledger:
            scored = [replace(one, record_id=_record_id()) for one in scored]
        response = _response(prepared, iter(scored)).model_dump_json().encode()
        if self.ledger:
            kept = KeptReply(keep.key, keep.request_digest, response) if keep else None
            await self.ledger.append([one.record(run) for one in scored], kept)
        return response

    def _prepare(self, index: int, raw: RawItem) -> _Prepared | Problem:
        try:
            item = Item.model_validate(raw)
            bound = self.rubrics.get(item.task.rubric)
            references = bound.read_reference(item.task.reference)
        except ValidationError as error:
            field, message = unechoed_problem(error)
            return problem_of(InvalidTask(f"{field or 'the item'}: {message}", field=field), item=index)
        except InvalidTask as error:
            return problem_of(error, item=index)
        return _Prepared(item, bound, references)

    async def _judge(self, jobs: Sequence[Job | Call]) -> list[Reply]:
        """Do each job where its kind is done, and answer them in order. Raises Overloaded when not all of them fit."""
        pure = [job for job in jobs if isinstance(job, Job)]
        calls = [job for job in jobs if isinstance(job, Call)]
        self.pool.require_room(len(pure))
        self.calls.require_room(len(calls))
        computing, waiting = iter(self.pool.submit(pure)), iter(self.calls.submit(calls))
        return [await next(computing if isinstance(job, Job) else waiting) for job in jobs]


@dataclass(frozen=True)
class _Scored:
    """An item with its breakdown."""

    entry: _Prepared
    breakdown: RewardBreakdown
    sandboxes: tuple[dict[str, JsonValue] | None, ...]
    """What ran programs, part by part."""
    models: tuple[dict[str, JsonValue] | None, ...]
    """What models were asked and answered, part by part."""
    record_id: str | None = None

    @property
    def status(self) -> Status:
        return Status.UNSCORED if self.breakdown.reward is None else Status.SCORED

    def answer(self) -> ScoredItem:
        item, breakdown = self.entry.item, self.breakdown
        return ScoredItem.model_construct(
            status=self.status,
            task_id=item.task.id,
            reward=breakdown.reward,
            components=breakdown.components,
            completion_digest=breakdown.completion_digest,
            rubric=breakdown.rubric,
            rubric_digest=breakdown.rubric_digest,
            record_id=self.record_id,
            group=item.group,
            sample=item.sample,
            fault=breakdown.fault,
            problem=None,
        )

    def record(self, run: Run | None) -> Draft:
        item, breakdown = self.entry.item, self.breakdown
        return draft(
            {
                "id": self.record_id,
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "run": run.id if run else None,
                "step": run.step if run else None,
                "group": item.group,
                "sample": item.sample,
                "task_id": item.task.id,
                "rubric": breakdown.rubric,
                "status": str(self.status),
                "reward": breakdown.reward,
                "task_digest": item.task.digest,
                "task": item.task.document,
                "completion": item.completion.document,
                "breakdown": breakdown.model_dump(mode="json", exclude={"record_id"}),
                "instrument": self._instrument(),
                "service": SERVICE_BUILD,
            }
        )

    def _instrument(self) -> list[dict[str, Any]]:
        used = zip(self.sandboxes, self.models, strict=True)
        kept = [{name: one for name, one in zip(("sandbox", "models"), pair, strict=True) if one} for pair in used]
        return [{**part, **extra} for part, extra in zip(self.entry.bound.instrument, kept, strict=True)]


def _score(entry: _Prepared, replies: Iterator[Reply]) -> _Scored:
    said = [next(replies) for _ in entry.bound.specs]
    components = [_component(part, spec, reply) for (part, spec), reply in zip(entry.bound.parts, said, strict=True)]
    reward, contributed = combine(entry.bound.rubric, components)
    breakdown = RewardBreakdown(
        task_id=entry.item.task.id,
        completion_digest=entry.item.completion.digest,
        rubric=entry.bound.rubric.name,
        rubric_digest=entry.bound.rubric.digest,
        reward=reward,
        components=contributed,
    )
    sandboxes, models = tuple(reply.sandbox for reply in said), tuple(reply.models for reply in said)
    return _Scored(entry, breakdown, sandboxes, models)


def _component(part: Part, spec: RewarderSpec, reply: Reply) -> Component:
    return Component(
        rewarder=spec.name,
        version=spec.version,
        distribution=spec.distribution,
        weight=0.0 if reply.observed else part.weight,
        gate=part.gate and not reply.observed,
        verdict=reply.verdict,
        fault=reply.fault,
        observed=reply.observed,
        cpu_s=round(reply.cpu_s, 6),
        wall_s=round(reply.wall_s, 6),
    )


def _response(prepared: Sequence[_Prepared | Problem], scored: Iterator[_Scored]) -> ScoreResponse:
    items = [
        ScoredItem(status=Status.INVALID, task_id=None, reward=None, problem=entry)
        if isinstance(entry, Problem)
        else next(scored).answer()
        for entry in prepared
    ]
    return ScoreResponse.model_construct(
        items=tuple(items), problems=tuple(entry for entry in prepared if isinstance(entry, Problem))
    )


def _record_id() -> str:
    """A UUIDv7 (RFC 9562): ids that sort by time keep the index small and local."""
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return str(UUID(int=value & ~(0x3 << 62) | 0x2 << 62))

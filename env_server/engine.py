"""score(): validate each item by itself, run its rewarders, combine, record, answer. The same with and without HTTP."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from uuid import UUID

from pydantic import ValidationError

from env_server.ledger.chain import Draft, draft
from env_server.ledger.writer import KeptReply, LedgerWriter
from env_server.problems import problem_of
from env_server.rubric_book import BoundRubric, RubricBook
from env_server.schemas import Item, Problem, RawItem, Run, ScoredItem, ScoreResponse, Status
from env_server.worker_process import Job, Reply
from env_server.workers import WorkerPool
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


@dataclass(frozen=True)
class Engine:
    """The reward service without its HTTP face."""

    rubrics: RubricBook
    pool: WorkerPool
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
        replies = iter(await self.pool.judge([job for entry in valid for job in _jobs(entry)]))
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
            bound.check_reference(item.task.reference)
        except ValidationError as error:
            field, message = unechoed_problem(error)
            return problem_of(InvalidTask(f"{field or 'the item'}: {message}", field=field), item=index)
        except InvalidTask as error:
            return problem_of(error, item=index)
        return _Prepared(item, bound)


@dataclass(frozen=True)
class _Scored:
    """An item with its breakdown."""

    entry: _Prepared
    breakdown: RewardBreakdown
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
                "instrument": self.entry.bound.instrument,
                "service": SERVICE_BUILD,
            }
        )


def _jobs(entry: _Prepared) -> Iterator[Job]:
    for part, spec in entry.bound.parts:
        yield Job(spec.name, entry.item.completion.document, spec.project(entry.item.task.reference), part.params)


def _score(entry: _Prepared, replies: Iterator[Reply]) -> _Scored:
    components = [_component(part, spec, next(replies)) for part, spec in entry.bound.parts]
    reward, contributed = combine(entry.bound.rubric, components)
    breakdown = RewardBreakdown(
        task_id=entry.item.task.id,
        completion_digest=entry.item.completion.digest,
        rubric=entry.bound.rubric.name,
        rubric_digest=entry.bound.rubric.digest,
        reward=reward,
        components=contributed,
    )
    return _Scored(entry, breakdown)


def _component(part: Part, spec: RewarderSpec, reply: Reply) -> Component:
    return Component(
        rewarder=spec.name,
        version=spec.version,
        distribution=spec.distribution,
        weight=part.weight,
        gate=part.gate,
        verdict=reply.verdict,
        fault=reply.fault,
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

"""score(): validate each item by itself, run its rewarders, combine, record, answer. The same with and without HTTP."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from pydantic import BaseModel, JsonValue
from pydantic_core import to_json

from env_server.calling import Call
from env_server.calls import CallPool
from env_server.deadlines import given_up, in_time
from env_server.envelope import read_item
from env_server.giving_way import giving_way
from env_server.ledger.entry import Entry, Kind, Said, new_id
from env_server.ledger.kept_replies import KeptReply
from env_server.ledger.writer import LedgerWriter
from env_server.observing import tracing
from env_server.observing.metrics import Metrics
from env_server.problems import problem_of
from env_server.redaction import Redactor
from env_server.rubric_book import BoundRubric, RubricBook
from env_server.schemas import Item, Problem, ReadItem, Run, ScoredItem, Status
from env_server.terms import STANDARD, Terms
from env_server.verdict_cache import Answer, Key, Remembered, VerdictCache, key_of
from env_server.worker_pools import WorkerPools
from env_server.worker_process import Job, Reply
from rewarders.digests import digest, ordered_json
from rewarders.errors import InvalidTask
from rewarders.explaining import explain as explained
from rewarders.registry import RewarderSpec
from rewarders.rubric import combine
from rewarders.types import Component, RewardBreakdown


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

    def jobs(self, tenant: str | None) -> Iterator[Job | Call]:
        """What there is to be done, part by part."""
        completion, reference = self.item.completion.document, self.item.task.reference
        for (part, spec), read in zip(self.bound.parts, self.references, strict=True):
            if spec.is_async:
                yield Call(spec, completion, read, part.params, self.item.task.prompt, tenant=tenant)
            else:
                yield Job(spec.name, completion, spec.project(reference), part.params)

    def keys(self, tenant: str | None) -> Iterator[Key | None]:
        """What the verdicts of its jobs are kept under; None where that of an async rewarder may be another."""
        item = self.item
        for spec, part in zip(self.bound.specs, self.bound.part_digests, strict=True):
            yield None if spec.is_async else key_of(tenant, part, spec, item.task.reference, item.completion)


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
    redactor: Redactor | None = None
    """Takes out of records what must not be there."""
    metrics: Metrics = field(default_factory=Metrics)
    verdicts: VerdictCache = field(default_factory=lambda: VerdictCache(0))

    async def score(
        self,
        raw_items: Sequence[ReadItem],
        run: Run | None = None,
        keep: KeepReply | None = None,
        *,
        places: Sequence[int] | None = None,
        explain: bool = False,
        terms: Terms = STANDARD,
    ) -> bytes:
        """Score items and answer them in order, as the JSON of a `ScoreResponse`.

        Problems name items by their `places`, from 0 unless these are given. An item that is wrong, or that we fail to
        score, leaves its neighbours alone. The answer is returned only after every scored or unscored item is durable
        in the ledger. Cancelled, it leaves no job behind. An answer that another try may better is recorded, but kept
        under no key.

        Raises:
            Overloaded: too much is waiting; nothing was recorded.
            LedgerError: the records could not be written; there is no answer then.
        """
        places = range(len(raw_items)) if places is None else places
        prepared = [self._prepare(*placed) async for placed in giving_way(zip(places, raw_items, strict=True))]
        valid = [entry for entry in prepared if isinstance(entry, _Prepared)]
        with tracing.span("score", items=len(raw_items), run=run.id if run else None, step=run.step if run else None):
            replies = iter(await self._judge_once(valid, terms))
        scored = [_score(entry, replies, run.step if run else None) async for entry in giving_way(valid)]
        prepared, scored = _without_invalid(prepared, scored, places)
        if self.ledger:
            scored = [replace(one, record_id=str(UUID(bytes=new_id()))) for one in scored]
        response = await _response(prepared, (one.answer(explain=explain) for one in scored))
        if self.ledger:
            tenant = terms.principal.tenant
            entries = [one.record(run, tenant, self.redactor) async for one in giving_way(scored)]
            lasts = keep is not None and not any(one.may_be_mended for one in scored)
            kept = KeptReply(keep.key, keep.request_digest, self._kept(response, entries)) if keep and lasts else None
            with tracing.span("ledger.append", records=len(entries)), self.metrics.append_s.time():
                await self.ledger.append(entries, kept)
        self.metrics.answered((one.breakdown for one in scored), invalid=len(prepared) - len(scored))
        return response

    def _kept(self, response: bytes, entries: Sequence[Entry]) -> bytes:
        """The response as it may lie in the database."""
        if self.redactor is None:
            return response
        recorded = {str(UUID(bytes=entry.id)): digest(json.loads(entry.completion or b"{}")) for entry in entries}
        return self.redactor.redact_reply(response, recorded)

    def _prepare(self, place: int, raw: ReadItem) -> _Prepared | Problem:
        try:
            item = read_item(raw)
            bound = self.rubrics.get(item.task.rubric)
            references = bound.read_reference(item.task.reference)
        except InvalidTask as error:
            return problem_of(error, item=place)
        return _Prepared(item, bound, references)

    async def judge(self, jobs: Sequence[Job | Call], terms: Terms = STANDARD) -> list[Reply]:
        """Do each job where its kind is done, whatever was said before, and answer them in order.

        Raises:
            Overloaded: not all of them fit.
        """
        return await in_time(self._submit(jobs, terms), terms)

    async def _judge_once(self, entries: Sequence[_Prepared], terms: Terms) -> list[Reply]:
        """As `judge`, but nothing is computed whose verdict is known or on its way. Raises Overloaded."""
        tenant = terms.principal.tenant
        jobs = [job for entry in entries for job in entry.jobs(tenant)]
        if terms.left_s is not None and terms.left_s <= 0:
            return [given_up() for _ in jobs]
        if not self.verdicts.is_on:
            return await self.judge(jobs, terms)
        keys = [key async for entry in giving_way(entries) for key in entry.keys(tenant)]
        answers = self.verdicts.answers(
            keys, terms.priority, lambda places: self._submit([jobs[place] for place in places], terms)
        )
        return await in_time(answers, terms)

    def _submit(self, jobs: Sequence[Job | Call], terms: Terms) -> list[Answer]:
        pure = [job for job in jobs if isinstance(job, Job)]
        calls = [job for job in jobs if isinstance(job, Call)]
        self.pool.require_room(pure)
        self.calls.require_room(len(calls))
        whose = terms.priority, terms.principal.tenant
        computing, waiting = iter(self.pool.submit(pure, *whose)), iter(self.calls.submit(calls, *whose))
        answers = [next(computing if isinstance(job, Job) else waiting) for job in jobs]
        tracing.watch_calls((job.spec.name if isinstance(job, Call) else job.rewarder for job in jobs), answers)
        return answers


@dataclass(frozen=True)
class _Scored:
    """An item with its breakdown."""

    entry: _Prepared
    breakdown: RewardBreakdown
    sandboxes: tuple[dict[str, JsonValue] | None, ...]
    """What ran programs, part by part."""
    models: tuple[dict[str, JsonValue] | None, ...]
    """What models were asked and answered, part by part."""
    invalid: InvalidTask | None = None
    """What an isolated rewarder's workers said of the reference, if they cannot use it."""
    record_id: str | None = None

    @property
    def status(self) -> Status:
        return Status.UNSCORED if self.breakdown.reward is None else Status.SCORED

    @property
    def may_be_mended(self) -> bool:
        """Whether another try may score what this one could not."""
        fault = self.breakdown.fault
        return self.breakdown.reward is None and fault is not None and fault.retryable

    def answer(self, *, explain: bool) -> ScoredItem:
        item, breakdown, rubric = self.entry.item, self.breakdown, self.entry.bound.rubric
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
            explanation=explained(rubric, breakdown.components, breakdown.reward) if explain else None,
        )

    def record(self, run: Run | None, tenant: str | None, redactor: Redactor | None) -> Entry:
        assert self.record_id is not None, "an item is recorded under the id it is answered with"
        item, breakdown = self.entry.item, self.breakdown
        said: dict[str, object] = {
            "breakdown": {"components": breakdown.components},
            "sandboxes": self.sandboxes,
            "models": self.models,
            "redactions": [],
        }  # and nothing that the row or the bodies say: 200 bytes a record
        if trace := tracing.trace_id():
            said["trace"] = trace
        task, completion = (part.model_dump_json(exclude_none=True).encode() for part in (item.task, item.completion))
        detail = to_json(said, inf_nan_mode="null")
        if redactor:
            documents = redactor.redact(*map(json.loads, (task, completion, detail)))
            task, completion, detail = map(ordered_json, documents)
        return Entry(
            id=UUID(self.record_id).bytes,
            kind=Kind.REWARD,
            detail=detail,
            tenant=tenant,
            run=run.id if run else None,
            step=run.step if run else None,
            group=item.group,
            sample=item.sample,
            task_id=item.task.id,
            rubric=breakdown.rubric,
            status=self.status.value,
            reward=breakdown.reward,
            instrument=self.entry.bound.spelled_instrument,
            task=task,
            completion=completion,
            said=tuple(_said(component) for component in breakdown.components),
        )


def _said(component: Component) -> Said:
    if component.verdict:
        return Said(component.rewarder, component.verdict.reason, fault=False)
    kind = component.fault.kind if component.fault else ""
    return Said(component.rewarder, kind if kind.isidentifier() else "RewarderFault", fault=True)


def _score(entry: _Prepared, replies: Iterator[Reply], step: int | None) -> _Scored:
    said = [next(replies) for _ in entry.bound.specs]
    components = [_component(spec, reply) for spec, reply in zip(entry.bound.specs, said, strict=True)]
    reward, contributed = combine(entry.bound.rubric, components, step)
    breakdown = RewardBreakdown(
        task_id=entry.item.task.id,
        completion_digest=entry.item.completion.digest,
        rubric=entry.bound.rubric.name,
        rubric_digest=entry.bound.rubric.digest,
        reward=reward,
        components=contributed,
    )
    sandboxes, models = tuple(reply.sandbox for reply in said), tuple(reply.models for reply in said)
    refused = ((reply.fault, reply.invalid_field) for reply in said if reply.invalid_field is not None)
    invalid = next((InvalidTask(fault.message, field=field or "") for fault, field in refused if fault), None)
    return _Scored(entry, breakdown, sandboxes, models, invalid)


def _without_invalid(
    prepared: Sequence[_Prepared | Problem], scored: Sequence[_Scored], places: Sequence[int]
) -> tuple[list[_Prepared | Problem], list[_Scored]]:
    """A reference that is refused late, by the workers of an isolated plug-in, is answered like one refused early."""
    late = iter(scored)
    known = [entry if isinstance(entry, Problem) else (next(late).invalid or entry) for entry in prepared]
    told = [
        problem_of(one, item=place) if isinstance(one, InvalidTask) else one
        for place, one in zip(places, known, strict=True)
    ]
    return told, [one for one in scored if one.invalid is None]


def _component(spec: RewarderSpec, reply: Reply) -> Component:
    return Component(
        rewarder=spec.name,
        version=spec.version,
        distribution=spec.distribution,
        verdict=reply.verdict,
        fault=reply.fault,
        observed=reply.observed,
        cpu_s=round(reply.cpu_s, 6),
        wall_s=round(reply.wall_s, 6),
        cached=isinstance(reply, Remembered),
    )


async def _response(prepared: Sequence[_Prepared | Problem], answers: Iterator[ScoredItem]) -> bytes:
    """The JSON of a `ScoreResponse`, spelled item by item."""
    items, problems = [], []
    async for entry in giving_way(prepared):
        if isinstance(entry, Problem):
            problems.append(entry.model_dump_json())
            answer = ScoredItem(status=Status.INVALID, task_id=None, reward=None, problem=entry)
        else:
            answer = next(answers)
        items.append(answer.model_dump_json())
    return f'{{"items":[{",".join(items)}],"problems":[{",".join(problems)}]}}'.encode()

"""The worker pool of the service's own Python, and one for each isolated plug-in. One's trouble is not the others'."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from env_server.isolation import IsolatedPlugin
from env_server.terms import Priority
from env_server.worker_process import Job, Reply, reply
from env_server.workers import WorkerPool
from rewarders.errors import FaultError, Overloaded, PluginError
from rewarders.types import Fault


@dataclass
class IsolatedPool:
    """The workers of one plug-in, if it has some."""

    plugin: IsolatedPlugin
    pool: WorkerPool
    faults: Counter[str] = field(default_factory=Counter)
    """By what was said, numbers left out of account."""
    jobs: int = 0

    async def start(self) -> None:
        """Start them; what goes wrong is the plug-in's trouble alone."""
        if self.plugin.trouble is None:
            try:
                await self.pool.start()
            except (PluginError, FaultError) as error:
                self.plugin.trouble = f"[plugins.{self.plugin.name}]: {error}"

    @property
    def trouble(self) -> str | None:
        """Why its rewarders are answered with faults just now, if they are."""
        return self.plugin.trouble or self.pool.trouble

    def submit(self, jobs: Sequence[Job], priority: Priority, tenant: str | None) -> "list[asyncio.Future[Reply]]":
        """As a pool does; one that is in trouble, or full, answers every job with a fault."""
        self.jobs += len(jobs)
        try:
            if self.plugin.trouble:
                raise Overloaded(self.plugin.trouble)
            self.pool.require_room(len(jobs))
        except Overloaded as error:
            answers = [_answered(str(error)) for _ in jobs]
        else:
            answers = self.pool.submit(jobs, priority, tenant)
        for answer in answers:
            answer.add_done_callback(self._count)
        return answers

    def _count(self, answer: "asyncio.Future[Reply]") -> None:
        if not answer.cancelled() and (fault := answer.result().fault):
            self.faults[fault.kind] += 1

    def describe(self, *, counts: bool = True) -> dict[str, Any]:
        """As JSON, with or without what everybody's jobs came to."""
        counted = {"jobs": self.jobs, "faults": dict(self.faults)} if counts else {}
        names = [spec.name for spec in self.plugin.specs]
        return {"plugin": self.plugin.name, "trouble": self.trouble, "rewarders": names, **counted}


@dataclass(frozen=True)
class WorkerPools:
    """Looks like one pool."""

    own: WorkerPool
    isolated: Mapping[str, IsolatedPool] = field(default_factory=dict)
    """By the first word of their rewarders' names."""

    @property
    def by_name(self) -> Iterator[tuple[str, WorkerPool]]:
        """Every pool: `workers` is the service's own, the others are called like their plug-ins."""
        yield "workers", self.own
        for isolated in self.isolated.values():
            yield f"plugins.{isolated.plugin.name}", isolated.pool

    async def start(self) -> None:
        """Start every pool. Raises PluginError when a plug-in of the service's own does not load in its workers."""
        await asyncio.gather(*(pool.start() for pool in self.isolated.values()))
        await self.own.start()

    @property
    def trouble(self) -> str | None:
        """Why the service's own rewarders cannot be run just now, if they cannot."""
        return self.own.trouble

    @property
    def limitation(self) -> str | None:
        """Which isolated plug-ins cannot be used, if there are any."""
        return "; ".join(pool.trouble for pool in self.isolated.values() if pool.trouble) or None

    async def close(self) -> None:
        """End every process."""
        await asyncio.gather(self.own.close(), *(pool.pool.close() for pool in self.isolated.values()))

    def require_room(self, jobs: Sequence[Job]) -> None:
        """Raises Overloaded when those of the jobs that are for the service's own workers would be too many."""
        self.own.require_room(sum(not self._place(job) for job in jobs) if self.isolated else len(jobs))

    def submit(
        self, jobs: Sequence[Job], priority: Priority = Priority.NORMAL, tenant: str | None = None
    ) -> "list[asyncio.Future[Reply]]":
        """Each job where it belongs; the answers are in the order of the jobs."""
        if not self.isolated:
            return self.own.submit(jobs, priority, tenant)
        places: dict[str, list[Job]] = {}
        for job in jobs:
            places.setdefault(self._place(job), []).append(job)
        answers = {place: iter(self._pool(place).submit(held, priority, tenant)) for place, held in places.items()}
        return [next(answers[self._place(job)]) for job in jobs]

    def _place(self, job: Job) -> str:
        team = job.rewarder.partition(".")[0]
        return team if team in self.isolated else ""

    def _pool(self, place: str) -> WorkerPool | IsolatedPool:
        return self.isolated[place] if place else self.own


def _answered(why: str) -> "asyncio.Future[Reply]":
    answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    answer.set_result(reply(Fault(kind="RewarderFault", message=why, retryable=True)))
    return answer

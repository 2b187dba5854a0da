"""A pool of killable processes for pure rewarders.

Jobs wait in one queue. Each worker takes a few at a time; the deadline of a job counts from the moment its worker turns
to it, never from queueing. When a worker ends, only the job it held is judged by `blame()`; the rest of its jobs go
back to the front of the queue and never notice.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from env_server.blame import Ending, blame
from env_server.config import PluginsConfig, WorkersConfig
from env_server.nursery import Nursery, Worker
from env_server.worker_process import Job, Reply, reply
from rewarders.errors import Overloaded, RewarderFault
from rewarders.types import Fault

_MOST_AT_ONCE = 16
_RESTART_PAUSE_S = 0.2


@dataclass(eq=False)
class _Ticket:
    """A job and where its answer goes."""

    job: Job
    answer: "asyncio.Future[Reply]"
    attempt: int = 1


@dataclass
class WorkerPool:
    """Runs jobs in worker processes; every job is answered with a verdict or a fault."""

    config: WorkersConfig
    plugins: PluginsConfig
    _waiting: deque[_Ticket] = field(default_factory=deque)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _slots: list[asyncio.Task[None]] = field(default_factory=list)
    _nursery: Nursery | None = None
    _restarting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        """Start the processes. Raises PluginError when a plug-in does not load in them."""
        self._nursery = await self._start_nursery()
        self._slots = [asyncio.create_task(self._keep_slot()) for _ in range(self.config.processes)]

    async def close(self) -> None:
        """End every process; jobs still waiting are answered with a fault."""
        for slot in self._slots:
            slot.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)
        if self._nursery:
            self._nursery.close()
        shut_down = Fault(kind="RewarderFault", message="the service was shut down first", retryable=True)
        for ticket in self._waiting:
            _settle(ticket, reply(shut_down))
        self._waiting.clear()

    async def judge(self, jobs: Sequence[Job]) -> list[Reply]:
        """Run the jobs and answer them in order.

        Raises:
            Overloaded: the queue is full; none of the jobs was taken.
        """
        if len(self._waiting) + len(jobs) > self.config.max_waiting_jobs:
            raise Overloaded(
                f"{len(self._waiting)} jobs are waiting for a worker, and {len(jobs)} more would be too many"
            )
        loop = asyncio.get_running_loop()
        tickets = [_Ticket(job, loop.create_future()) for job in jobs]
        self._waiting.extend(tickets)
        self._arrived.set()
        return [await ticket.answer for ticket in tickets]

    async def _start_nursery(self) -> Nursery:
        return await Nursery.start(self.plugins.load, self.plugins.modules, self.config.memory_bytes)

    async def _keep_slot(self) -> None:
        """One place for a worker: fill it, feed it until it ends, fill it again."""
        while True:
            try:
                worker = await self._fresh_worker()
            except RewarderFault:
                await asyncio.sleep(_RESTART_PAUSE_S)
                continue
            try:
                await self._feed(worker)
            finally:
                await worker.close()

    async def _fresh_worker(self) -> Worker:
        nursery = self._nursery
        assert nursery is not None, "the pool was started"
        try:
            return await nursery.fork()
        except RewarderFault:
            async with self._restarting:
                if self._nursery is nursery:
                    nursery.close()
                    self._nursery = await self._start_nursery()
            raise

    async def _feed(self, worker: Worker) -> None:
        """Give the worker jobs until it ends."""
        while True:
            held = deque(await self._take())
            try:
                await self._converse(worker, held)
            except (ConnectionError, asyncio.IncompleteReadError):
                return await self._lost(worker, held, overdue=False)
            except TimeoutError:
                return await self._lost(worker, held, overdue=True)
            except asyncio.CancelledError:
                self._put_back(held)
                raise

    async def _take(self) -> list[_Ticket]:
        """Wait for jobs, then take a share of them that leaves work for the other workers."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        share = len(self._waiting) // (2 * self.config.processes)
        return [self._waiting.popleft() for _ in range(min(_MOST_AT_ONCE, max(1, share)))]

    async def _converse(self, worker: Worker, held: deque[_Ticket]) -> None:
        """Send the jobs and settle them as they are answered; what is left in `held` was not answered."""
        async with asyncio.timeout(self.config.call_timeout_s):
            await worker.send([ticket.job for ticket in held])
        while held:
            async with asyncio.timeout(self.config.call_timeout_s):
                answer = await worker.receive()
            _settle(held.popleft(), answer)

    async def _lost(self, worker: Worker, held: deque[_Ticket], *, overdue: bool) -> None:
        """Judge the job the worker held; its neighbours go back first, so that they do not wait for that."""
        ticket = held.popleft()
        self._put_back(held)
        try:
            ending = await worker.ending(ticket.attempt, overdue=overdue)
        except RewarderFault:
            ending = Ending(ticket.attempt, overdue=overdue)
        outcome = blame(ending, ticket.job.rewarder)
        if outcome is None:
            ticket.attempt += 1
            self._put_back([ticket])
        else:
            _settle(ticket, reply(outcome))

    def _put_back(self, tickets: Sequence[_Ticket]) -> None:
        self._waiting.extendleft(reversed(tickets))
        if tickets:
            self._arrived.set()


def _settle(ticket: _Ticket, answer: Reply) -> None:
    if not ticket.answer.done():  # the request may have been cancelled meanwhile
        ticket.answer.set_result(answer)

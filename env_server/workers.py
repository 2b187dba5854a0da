"""A pool of killable processes for pure rewarders.

Jobs wait in one queue. Each worker takes a few at a time; the deadline of a job counts from the moment its worker turns
to it, never from queueing. When a worker ends, only the job it held is judged by `blame()`; the rest of its jobs go
back to the front of the queue and never notice.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from env_server.blame import Ending, blame
from env_server.config import PluginsConfig, WorkersConfig
from env_server.nursery import Nursery, Worker
from env_server.observing.tallies import WorkerTally
from env_server.worker_process import Job, Reply, reply
from rewarders.errors import AssayError, Overloaded, PluginError, RewarderFault
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
    fingerprint: str
    """Of the registry that goes on record: workers that loaded other code are refused."""
    python: Path | None = None
    """Interpreter of a virtual environment; our own if not given."""
    tally: WorkerTally = field(default_factory=WorkerTally)
    _waiting: deque[_Ticket] = field(default_factory=deque)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _slots: list[asyncio.Task[None]] = field(default_factory=list)
    _nursery: Nursery | None = None
    _restarting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _trouble: str | None = None

    async def start(self) -> None:
        """Start the processes. Raises PluginError when a plug-in does not load in them."""
        self._nursery = await self._start_nursery()
        self._slots = [asyncio.create_task(self._keep_slot()) for _ in range(self.config.processes)]

    @property
    def trouble(self) -> str | None:
        """Why no worker can be started just now, if none can."""
        if any(slot.done() for slot in self._slots):
            return "a worker is not being replaced any more"
        return self._trouble

    @property
    def waiting(self) -> int:
        """Jobs that no worker has taken yet."""
        return len(self._waiting)

    async def close(self) -> None:
        """End every process; jobs still waiting are answered with a fault."""
        for slot in self._slots:
            slot.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)
        if self._nursery:
            self._nursery.close()
        self._answer_waiting("the service was shut down first")

    def require_room(self, count: int) -> None:
        """Raises Overloaded when `count` more jobs would make the queue too long."""
        if len(self._waiting) + count > self.config.max_waiting_jobs:
            raise Overloaded(f"{len(self._waiting)} jobs wait for a worker, and {count} more would be too many")

    def submit(self, jobs: Sequence[Job]) -> "list[asyncio.Future[Reply]]":
        """Take the jobs, whether or not there is room; every future is answered, in the order of the jobs."""
        loop = asyncio.get_running_loop()
        tickets = [_Ticket(job, loop.create_future()) for job in jobs]
        self._waiting.extend(tickets)
        self._arrived.set()
        return [ticket.answer for ticket in tickets]

    async def _start_nursery(self) -> Nursery:
        return await Nursery.start(self.plugins, self.config.memory_bytes, self.fingerprint, self.python)

    async def _keep_slot(self) -> None:
        """One place for a worker: fill it, feed it until it ends, fill it again. Nothing but cancelling ends this."""
        again: list[_Ticket] = []
        try:
            while True:
                try:
                    worker = await self._fresh_worker()
                except (AssayError, OSError) as error:
                    again = self._give_up_for_now(error, again)
                    await asyncio.sleep(_RESTART_PAUSE_S)
                    continue
                carried, again = again, []
                self.tally.started += 1
                self.tally.alive += 1
                try:
                    again = await self._feed(worker, carried)
                finally:
                    self.tally.alive -= 1
                    await worker.close()
        finally:
            self._put_back(again)

    async def _fresh_worker(self) -> Worker:
        nursery = self._nursery
        assert nursery is not None, "the pool was started"
        try:
            worker = await nursery.fork()
        except RewarderFault:
            async with self._restarting:
                if self._nursery is nursery:
                    nursery.close()
                    self._nursery = await self._start_nursery()
            raise
        self._trouble = None
        return worker

    def _give_up_for_now(self, error: AssayError | OSError, again: list[_Ticket]) -> list[_Ticket]:
        """A lost process is replaced in a moment; code that does not load is not, so nobody is kept waiting for it."""
        self._trouble = f"no worker can be started: {error}"
        if not isinstance(error, PluginError):
            return again
        self._put_back(again)
        self._answer_waiting(self._trouble)
        return []

    def _answer_waiting(self, why: str) -> None:
        while self._waiting:
            _settle(self._waiting.popleft(), reply(Fault(kind="RewarderFault", message=why, retryable=True)))

    async def _feed(self, worker: Worker, again: Sequence[_Ticket]) -> list[_Ticket]:
        """Give the worker jobs until it ends: first those that nobody could judge, then what waits.

        Returns the job it ended on, if that has to be run again: alone and first in a fresh worker, so that what
        happens to it there is its own doing.
        """
        while True:
            held = deque(again or await self._take())
            again = ()
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

    async def _lost(self, worker: Worker, held: deque[_Ticket], *, overdue: bool) -> list[_Ticket]:
        """Judge the job the worker held; its neighbours go back first, so that they do not wait for that."""
        self.tally.lost += 1
        ticket = held.popleft()
        self._put_back(held)
        try:
            ending = await worker.ending(ticket.attempt, overdue=overdue)
        except (RewarderFault, PluginError):
            ending = Ending(ticket.attempt, overdue=overdue)
        except asyncio.CancelledError:
            self._put_back([ticket])
            raise
        outcome = blame(ending, ticket.job.rewarder)
        if outcome is not None:
            _settle(ticket, reply(outcome))
            return []
        ticket.attempt += 1
        return [ticket]

    def _put_back(self, tickets: "Sequence[_Ticket] | deque[_Ticket]") -> None:
        self._waiting.extendleft(reversed(tickets))
        if tickets:
            self._arrived.set()


def _settle(ticket: _Ticket, answer: Reply) -> None:
    if not ticket.answer.done():  # the request may have been cancelled meanwhile
        ticket.answer.set_result(answer)

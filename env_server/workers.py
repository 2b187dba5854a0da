"""A pool of killable processes for pure rewarders.

Jobs wait in a fair queue. Each worker takes a few of one rewarder at a time; the deadline of a job counts from the
moment its worker turns to it, never from queueing. When a worker ends, only the job it held is judged by `blame()`; the
rest of its jobs go back to the front of the queue and never notice.

There are as many workers again as `processes` says: half of them take jobs of slow rewarders alone, and the other half
never does. So whatever the slow ones do, the quick ones have as many workers as if they were by themselves. A job that
stays too long among the quick ones is ended and begun anew among the slow ones, which costs it nothing else. Where the
server and the quick ones want the cores too, the slow ones have less of them; what they wait for a core is not counted
towards their deadline.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from env_server.admission import pause_s
from env_server.blame import Ending, blame
from env_server.config import PluginsConfig
from env_server.fair_queue import FairQueue, Line
from env_server.nursery import Nursery, Worker
from env_server.observing.tallies import WorkerTally
from env_server.paces import Paces
from env_server.rescue import put_off
from env_server.serving_settings import WorkersConfig
from env_server.terms import Priority
from env_server.worker_process import Job, Reply, reply
from rewarders.errors import AssayError, Overloaded, PluginError, RewarderFault
from rewarders.types import Fault

_LEAST_S = 1e-6
"""A job that took no time, as far as can be measured, still costs some."""
_MOST_AT_ONCE = 16
_AT_ONCE_S = 0.02
_LOOK_AGAIN_S = 0.1
_GRACE_S = 0.1
_OVERSTAYING_S = 1.0
_RESTART_PAUSE_S = 0.2


@dataclass(eq=False)
class _Ticket:
    """A job and where its answer goes."""

    job: Job
    answer: "asyncio.Future[Reply]"
    priority: Priority
    tenant: str | None = None
    attempt: int = 1
    overstayed: bool = False
    """Whether it took too long for those that are quick."""

    @property
    def line(self) -> Line:
        """Where it waits."""
        return Line(self.job.rewarder, self.overstayed)

    @property
    def abandoned(self) -> bool:
        """Whether whoever asked has given up."""
        return self.answer.done()


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
    _queue: FairQueue[_Ticket] = field(default_factory=FairQueue)
    _paces: Paces = field(default_factory=Paces)
    _free: set["_Slot"] = field(default_factory=set)
    """Places whose workers wait for jobs."""
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _slots: list[asyncio.Task[None]] = field(default_factory=list)
    _nursery: Nursery | None = None
    _restarting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _trouble: str | None = None

    async def start(self) -> None:
        """Start the processes. Raises PluginError when a plug-in does not load in them."""
        self._nursery = await self._start_nursery()
        slots = [_Slot(slow) for slow in (False, True) for _ in range(self.config.processes)]
        self._slots = [asyncio.create_task(self._keep_slot(slot)) for slot in slots]

    @property
    def trouble(self) -> str | None:
        """Why no worker can be started just now, if none can."""
        if any(slot.done() for slot in self._slots):
            return "a worker is not being replaced any more"
        return self._trouble

    @property
    def waiting(self) -> int:
        """Jobs that no worker has taken yet."""
        return len(self._queue)

    @property
    def wanted(self) -> int:
        """How many workers there ought to be."""
        return 2 * self.config.processes

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
        if len(self._queue) + count > self.config.max_waiting_jobs:
            self._queue.sweep()
        if (excess := len(self._queue) + count - self.config.max_waiting_jobs) > 0:
            mean_s = self._queue.expected_s(self._cost_s) / max(1, len(self._queue))
            raise Overloaded(
                f"{len(self._queue)} jobs wait for a worker, and {count} more would be too many",
                retry_after_s=pause_s(excess * mean_s, self.config.processes),
            )

    def submit(
        self, jobs: Sequence[Job], priority: Priority = Priority.NORMAL, tenant: str | None = None
    ) -> "list[asyncio.Future[Reply]]":
        """Take the jobs, whether or not there is room; every future is answered, in the order of the jobs.

        Whoever does not wait any more cancels the future: a job in the queue is dropped then, and a worker that is
        still at it a moment later is ended.
        """
        loop = asyncio.get_running_loop()
        tickets = [_Ticket(job, loop.create_future(), priority, tenant) for job in jobs]
        for ticket in tickets:
            self._queue.put(ticket)
        self._arrived.set()
        return [ticket.answer for ticket in tickets]

    async def _start_nursery(self) -> Nursery:
        return await Nursery.start(self.plugins, self.config.memory_bytes, self.fingerprint, self.python)

    async def _keep_slot(self, slot: "_Slot") -> None:
        """One place for a worker: fill it, feed it until it ends, fill it again. Nothing but cancelling ends this."""
        again: list[_Ticket] = []
        try:
            while True:
                try:
                    worker = await self._fresh_worker(slot)
                except (AssayError, OSError) as error:
                    again = self._give_up_for_now(error, again)
                    await asyncio.sleep(_RESTART_PAUSE_S)
                    continue
                carried, again = again, []
                self.tally.started += 1
                self.tally.alive += 1
                try:
                    again = await self._feed(worker, slot, carried)
                finally:
                    self.tally.alive -= 1
                    await worker.close()
        finally:
            self._put_back(again)

    async def _fresh_worker(self, slot: "_Slot") -> Worker:
        nursery = self._nursery
        assert nursery is not None, "the pool was started"
        try:
            worker = await nursery.fork(aside=slot.slow)
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
        for ticket in self._queue.clear():
            _settle(ticket, reply(Fault(kind="RewarderFault", message=why, retryable=True)))

    async def _feed(self, worker: Worker, slot: "_Slot", again: Sequence[_Ticket]) -> list[_Ticket]:
        """Give the worker jobs until it ends: first those that nobody could judge, then what waits.

        Returns the job it ended on, if that has to be run again: alone and first in a fresh worker, so that what
        happens to it there is its own doing. A worker that is worn holds none, and is ended here.
        """
        while not self._is_worn(worker):
            held = deque(again or await self._take(slot))
            again = ()
            try:
                await self._converse(worker, slot, held)
            except (ConnectionError, asyncio.IncompleteReadError):
                return await self._lost(worker, held, overdue=False)
            except TimeoutError:
                if slot.slow:
                    return await self._lost(worker, held, overdue=True)
                return await self._overstayed(worker, held)
            except asyncio.CancelledError:
                self._put_back(held)
                raise
        self.tally.recycled += 1
        await worker.retire()
        return []

    def _is_worn(self, worker: Worker) -> bool:
        return worker.is_worn(self.config.jobs_per_worker, self.config.recycle_at, self.config.memory_bytes)

    async def _take(self, slot: "_Slot") -> list[_Ticket]:
        """Wait for jobs of this slot's pace, then take a share of them that leaves work for the other workers."""
        self._free.add(slot)
        try:
            while not (taken := self._queue.take(slot.slow, partial(self._suits, slot), self._share, self._cost_s)):
                self._arrived.clear()
                with suppress(TimeoutError):  # what waits suits this slot as soon as its rewarder has become slow
                    async with asyncio.timeout(_LOOK_AGAIN_S if len(self._queue) else None):
                        await self._arrived.wait()
        finally:
            self._free.discard(slot)
        return taken

    def _suits(self, slot: "_Slot", line: Line) -> bool:
        """Whether jobs in this line are for this slot. Those nobody knows are for the slow ones, if one is free."""
        if line.overstayed or self._paces.is_slow(line.rewarder):
            return slot.slow
        if self._paces.knows(line.rewarder):
            return not slot.slow
        return slot.slow or not any(free.slow for free in self._free)

    def _cost_s(self, line: Line) -> float:
        return max(_OVERSTAYING_S if line.overstayed else _LEAST_S, self._paces.expected_s(line.rewarder))

    def _share(self, line: Line, waiting: int) -> int:
        """How many to take at once: what comes behind the first waits for it."""
        soon = int(_AT_ONCE_S / self._cost_s(line))
        return max(1, min(_MOST_AT_ONCE, soon, waiting // (2 * self.config.processes)))

    async def _converse(self, worker: Worker, slot: "_Slot", held: deque[_Ticket]) -> None:
        """Send the jobs and settle them as they are answered; what is left in `held` was not answered."""
        async with asyncio.timeout(self.config.call_timeout_s):
            await worker.send([ticket.job for ticket in held])
        while held:
            answer = await self._heard(worker, slot, held[0])
            _settle(held.popleft(), answer)

    async def _heard(self, worker: Worker, slot: "_Slot", ticket: _Ticket) -> Reply:
        """The answer to a job that its worker turns to now. Raises TimeoutError where it is not worth waiting for."""
        self._paces.began(slot, ticket.job.rewarder)
        took_s, learn = None, True
        timeout_s = self.config.call_timeout_s if slot.slow else min(_OVERSTAYING_S, self.config.call_timeout_s)
        try:
            async with asyncio.timeout(timeout_s) as patience:
                given_up = partial(_hurry, patience)
                ticket.answer.add_done_callback(given_up)
                try:
                    with put_off(patience, worker.awaited_core_s) if slot.slow else nullcontext():
                        answer = await worker.receive()
                    took_s = answer.wall_s
                    return answer
                finally:
                    ticket.answer.remove_done_callback(given_up)
        except TimeoutError:
            learn = slot.slow  # a busy machine makes the quickest wait
            raise
        finally:
            if self._paces.ended(slot, took_s, learn=learn):  # there may be something for others to do now
                self._arrived.set()

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

    async def _overstayed(self, worker: Worker, held: deque[_Ticket]) -> list[_Ticket]:
        """Nothing is said of the job: it is begun anew where it disturbs nobody."""
        overstayed = held.popleft()
        overstayed.overstayed, overstayed.attempt = True, 1
        self._queue.put(overstayed)
        self._arrived.set()
        self._put_back(held)
        self.tally.recycled += 1
        await worker.retire()
        return []

    def _put_back(self, tickets: "Sequence[_Ticket] | deque[_Ticket]") -> None:
        self._queue.put_back(tickets)
        if tickets:
            self._arrived.set()


@dataclass(frozen=True, eq=False)
class _Slot:
    """A place for one worker."""

    slow: bool
    """Whether it is for slow rewarders."""


def _hurry(patience: asyncio.Timeout, _: "asyncio.Future[Reply]") -> None:
    """Nobody waits for the job any more: a moment, and its worker is ended."""
    soon = asyncio.get_running_loop().time() + _GRACE_S
    with suppress(RuntimeError):  # it was answered in this very moment
        patience.reschedule(min(soon, patience.when() or soon))


def _settle(ticket: _Ticket, answer: Reply) -> None:
    if not ticket.answer.done():  # the request may have been cancelled meanwhile
        ticket.answer.set_result(answer)

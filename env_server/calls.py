"""Async rewarders: the counterpart of the worker pool for those that wait instead of computing.

They run on one event loop in a thread of its own, the sandbox with them, so that one that blocks stalls neither HTTP
nor the pure rewarders. Calls wait in a fair queue; of each rewarder a bounded number is under way at once, so that one
that hangs keeps nobody else waiting, and each deadline counts from dispatch. A loop that has not turned for half a
minute is given up: everything unanswered becomes a fault, and the service says that it is not ready.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from env_server.admission import pause_s
from env_server.calling import Call, Caller
from env_server.config import CallsConfig
from env_server.fair_queue import FairQueue, Line
from env_server.judges.keeper import ModelKeeper
from env_server.loop_thread import LoopThread
from env_server.sandbox_keeper import SandboxKeeper
from env_server.terms import Priority
from env_server.worker_process import Reply, reply
from rewarders.errors import Overloaded
from rewarders.types import Fault

_WATCH_PAUSE_S = 0.5
_CLOSING_S = 20.0
_JOIN_S = 10.0
_SHUT_DOWN = "the service was shut down first"


@dataclass(eq=False)
class _Ticket:
    """A call and where its answer goes."""

    call: Call
    answer: "asyncio.Future[Reply]"
    """Of the server's loop; only its state is read on the other."""
    priority: Priority
    tenant: str | None
    making: "asyncio.Task[None] | None" = None
    """Of the other loop, while it is under way."""

    @property
    def line(self) -> Line:
        """Where it waits."""
        return Line(self.call.spec.name)

    @property
    def abandoned(self) -> bool:
        """Whether whoever asked has given up, or was told something else meanwhile."""
        return self.answer.done()


class CallPool:
    """Makes calls; every one is answered with a verdict or a fault."""

    def __init__(
        self,
        config: CallsConfig,
        keeper: SandboxKeeper,
        models: ModelKeeper,
        parallel: int,
        *,
        patience_s: float = 30.0,
    ) -> None:
        """Nothing runs before `start`.

        Args:
            config: how many calls at once, and for how long.
            keeper: of the sandbox that goes with them.
            models: judges and reward models.
            parallel: how many calls may use the sandbox at once.
            patience_s: how long the loop may be blocked before it is given up.
        """
        self._config, self._keeper, self.models, self._patience_s = config, keeper, models, patience_s
        self._caller = Caller(keeper, models, asyncio.Semaphore(parallel), config.timeout_s)
        self._thread = LoopThread("calls")
        self._queues = defaultdict[Line, FairQueue[_Ticket]](FairQueue)
        """One for each rewarder: it has places of its own, so its calls compete with no other's."""
        self._under_way: dict[Line, set[_Ticket]] = {}
        self._unanswered: set[_Ticket] = set()
        self._answered, self._answered_per_s = 0, 0.0
        self._watching: asyncio.Task[None] | None = None
        self._trouble: str | None = None

    async def start(self) -> None:
        """Start the thread and, on it, the sandbox. A sandbox that does not start is the keeper's trouble."""
        self._home = asyncio.get_running_loop()
        self._thread.start()
        self._watching = asyncio.create_task(self._watch())
        await self._thread.run(self._open())

    @property
    def trouble(self) -> str | None:
        """Why no call can be made just now, if none can."""
        return self._trouble

    @property
    def unanswered(self) -> int:
        """Calls that wait or are under way."""
        return len(self._unanswered)

    def require_room(self, count: int) -> None:
        """Raises Overloaded when `count` more calls would be too many."""
        if len(self._unanswered) + count > self._config.max_waiting:
            excess = len(self._unanswered) + count - self._config.max_waiting
            raise Overloaded(
                f"{len(self._unanswered)} calls are unanswered, and {count} more would be too many",
                retry_after_s=pause_s(excess, self._answered_per_s),
            )

    def submit(
        self, calls: Sequence[Call], priority: Priority = Priority.NORMAL, tenant: str | None = None
    ) -> "list[asyncio.Future[Reply]]":
        """Take the calls, whether or not there is room; every future is answered, in the order of the calls.

        Whoever does not wait any more cancels the future, and with it the call.
        """
        tickets = [_Ticket(call, self._home.create_future(), priority, tenant) for call in calls]
        self._unanswered.update(tickets)
        for ticket in tickets:
            ticket.answer.add_done_callback(partial(self._forget, ticket))
        if self._watching is None:
            self._answer_all(_SHUT_DOWN)
        elif tickets:
            self._thread.loop.call_soon_threadsafe(self._enqueue, tickets)
        return [ticket.answer for ticket in tickets]

    async def close(self) -> None:
        """End every call and the sandbox; calls still waiting are answered with a fault."""
        if self._watching is None:
            return
        self._watching.cancel()
        self._watching = None
        try:
            async with asyncio.timeout(_CLOSING_S):
                await self._thread.run(self._wind_up())
        except TimeoutError:
            pass  # the loop is blocked; the thread is left behind, and what the backend started ends with the process
        finally:
            await self._thread.stop(_JOIN_S)
            self._answer_all(_SHUT_DOWN)

    async def _watch(self) -> None:
        """Give up on a loop that is blocked, and take it back when it turns again."""
        while True:
            answered = self._answered
            await asyncio.sleep(_WATCH_PAUSE_S)
            self._answered_per_s += ((self._answered - answered) / _WATCH_PAUSE_S - self._answered_per_s) / 16
            if self._thread.silent_s < self._patience_s:
                self._trouble = None
                continue
            self._trouble = f"an async rewarder has blocked its event loop, at {self._thread.whereabouts}"
            self._answer_all(self._trouble)

    def _answer_all(self, why: str) -> None:
        for ticket in list(self._unanswered):
            self._settle(ticket, reply(Fault(kind="RewarderFault", message=why, retryable=True)))

    def _forget(self, ticket: _Ticket, answer: "asyncio.Future[Reply]") -> None:
        self._unanswered.discard(ticket)
        self._answered += 1
        if answer.cancelled():
            with suppress(RuntimeError):  # the other loop is closed
                self._thread.loop.call_soon_threadsafe(self._abandon, ticket)

    def _settle(self, ticket: _Ticket, answer: Reply) -> None:
        if not ticket.answer.done():  # given up meanwhile, or the request was cancelled
            ticket.answer.set_result(answer)

    # What follows runs on the other loop.

    async def _open(self) -> None:
        await self._keeper.start()

    def _enqueue(self, tickets: Sequence[_Ticket]) -> None:
        for ticket in tickets:
            self._queues[ticket.line].put(ticket)
        for line in {ticket.line for ticket in tickets}:
            self._begin(line)

    def _begin(self, line: Line) -> None:
        """What may be under way. A rewarder that hangs holds its own places alone, whatever it does."""
        while taken := self._queues[line].take(None, self._has_place, lambda *_: 1, lambda _: 1.0):
            for ticket in taken:
                self._under_way.setdefault(line, set()).add(ticket)
                ticket.making = asyncio.create_task(self._make(ticket))
                ticket.making.add_done_callback(partial(self._made, ticket))

    def _has_place(self, line: Line) -> bool:
        return len(self._under_way.get(line, ())) < self._config.at_once

    async def _make(self, ticket: _Ticket) -> None:
        answer = await self._caller.answer(ticket.call)
        with suppress(RuntimeError):  # the service closed without us, after something blocked this loop
            self._home.call_soon_threadsafe(self._settle, ticket, answer)

    def _made(self, ticket: _Ticket, _: "asyncio.Task[None]") -> None:
        self._under_way[ticket.line].discard(ticket)
        self._begin(ticket.line)

    def _abandon(self, ticket: _Ticket) -> None:
        """Nobody waits for it any more, in the queue or under way."""
        if ticket.making is not None:
            ticket.making.cancel()
        else:
            self._queues[ticket.line].sweep()

    async def _wind_up(self) -> None:
        self._queues.clear()
        making = [ticket.making for held in self._under_way.values() for ticket in held if ticket.making]
        for one in making:
            one.cancel()
        await asyncio.gather(*making, return_exceptions=True)
        await self.models.close()
        await self._keeper.close()

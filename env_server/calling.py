"""One call of an async rewarder: its attempts, its deadline, and what it comes to. Always a reply, never an error."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from env_server.blame import MAX_ATTEMPTS
from env_server.judges.keeper import ModelKeeper
from env_server.sandbox_keeper import SandboxKeeper
from env_server.tools import CallTools, Meter, Stopwatch
from env_server.worker_process import Reply
from rewarders.errors import AssayError, FaultError, RewarderFault, boundary
from rewarders.registry import RewarderSpec
from rewarders.types import Completion, Fault, Message, Verdict
from sandboxes.errors import SandboxFault

_RETRY_PAUSE_S = 0.2
_UNWINDING_S = 5.0
_MESSAGE_CHARS = 500


@dataclass(frozen=True)
class Call:
    """One async rewarder to be asked about one completion."""

    spec: RewarderSpec
    completion: dict[str, Any]
    reference: BaseModel | None
    params: dict[str, Any]
    prompt: Sequence[Message] = ()
    recorded: Mapping[str, Any] | None = None
    """Of a replay: what a record has under `models`, which answers in their place."""
    fresh: bool = False
    """Of a replay that asks the judges once more: what they answered before is left aside."""
    tenant: str | None = None
    """Who asks; what judges answered to others is not remembered for them."""


@dataclass(frozen=True)
class Caller:
    """Makes calls, on the event loop that the sandbox lives on."""

    keeper: SandboxKeeper
    models: ModelKeeper
    turns: asyncio.Semaphore
    """How many calls may use the sandbox at once; those that wait for it are not on the clock."""
    timeout_s: float

    async def answer(self, call: Call) -> Reply:
        """What the rewarder says; a fault where it says nothing in time, or nothing that another attempt would mend."""
        meter, watch = Meter(), Stopwatch()
        for attempt in range(1, MAX_ATTEMPTS + 1):
            await asyncio.sleep(_RETRY_PAUSE_S * (attempt - 1))
            outcome = await self._attempt(call, attempt, meter, watch)
            if isinstance(outcome, Verdict) or not outcome.retryable or watch.spent_s >= self.timeout_s:
                break
        verdict, fault = (outcome, None) if isinstance(outcome, Verdict) else (None, outcome)
        return Reply(
            verdict=verdict,
            fault=fault,
            cpu_s=meter.cpu_s,
            wall_s=watch.spent_s,
            sandbox=meter.record,
            models=meter.models,
            observed=self.models.calibrations.objection(call.spec, call.params, meter.identities),
        )

    async def _attempt(self, call: Call, attempt: int, meter: Meter, watch: Stopwatch) -> Verdict | Fault:
        """In a task of its own: whatever a plug-in does to it, it is ended, and its tools with it."""
        tools = self._tools(call, meter, watch)
        task = asyncio.create_task(_judge(call, tools, attempt), name=call.spec.name)
        try:
            await self._wait(task, watch)
            in_time = task.done()
        finally:
            await _end(task)
            await tools.end()
        return _outcome(task, call.spec.name) if in_time else self._overdue(call, attempt)

    def _tools(self, call: Call, meter: Meter, watch: Stopwatch) -> CallTools:
        recorded = None
        if call.recorded is not None:
            from env_server.judges.recorded import RecordedModels

            recorded = RecordedModels(call.recorded, call.prompt)
        return CallTools(
            self.keeper, self.turns, meter, watch,
            models=self.models, prompt=call.prompt, recorded=recorded, fresh=call.fresh,
            tenant=call.tenant,
        )  # fmt: skip

    async def _wait(self, task: asyncio.Task[Any], watch: Stopwatch) -> None:
        """Until it is done or its time is spent; looked at again where a queue stopped the watch meanwhile."""
        while not task.done() and (left_s := self.timeout_s - watch.spent_s) > 0:
            await asyncio.wait({task}, timeout=left_s)

    def _overdue(self, call: Call, attempt: int) -> Fault:
        message = f"{call.spec.name} did not answer within {self.timeout_s:g} s"
        return Fault(kind="RewarderFault", message=message, retryable=True, attempt=attempt)


async def _judge(call: Call, tools: CallTools, attempt: int) -> Verdict | Fault:
    try:
        with boundary(RewarderFault, call.spec.name):
            return await _ask(call, tools, attempt)
    except AssayError as error:
        kind, retryable = ("RewarderFault", False)
        if isinstance(error, FaultError):
            kind, retryable = type(error).__name__, error.retryable
        return Fault(kind=kind, message=str(error)[:_MESSAGE_CHARS], retryable=retryable, attempt=attempt)


async def _ask(call: Call, tools: CallTools, attempt: int) -> Verdict | Fault:
    spec = call.spec
    completion, params = Completion.model_validate(call.completion), spec.check_params(call.params)
    try:
        verdict: Any = await spec.function(completion, call.reference, params, tools)  # type: ignore[misc]
    except SandboxFault as error:
        message = f"{spec.name}: {error}"[:_MESSAGE_CHARS]
        return Fault(kind="SandboxFault", message=message, retryable=error.retryable, attempt=attempt)
    except RecursionError:  # the completion chose how deep there is to go
        return Verdict(score=0.0, reason="too_costly", evidence={"spent": "stack"})
    if not isinstance(verdict, Verdict):
        raise RewarderFault(f"{spec.name} returned {type(verdict).__name__} instead of a Verdict")
    return verdict


async def _end(task: asyncio.Task[Any]) -> None:
    """A plug-in that will not be cancelled is left behind, without its tools."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_UNWINDING_S)


def _outcome(task: "asyncio.Task[Verdict | Fault]", name: str) -> Verdict | Fault:
    """Of a task that ended by itself, in whatever way a plug-in may end it."""
    if task.cancelled():
        return Fault(kind="RewarderFault", message=f"{name} was cancelled from within")
    error = task.exception()
    if error is not None:  # not an Exception: SystemExit and the like
        return Fault(kind="RewarderFault", message=f"{name} raised {type(error).__name__}")
    return task.result()

"""What an async rewarder is handed: tools that are metered, that end with its call, and that the record tells of."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import JsonValue

from env_server.judges.keeper import NO_MODELS, ModelKeeper
from env_server.sandbox_keeper import SandboxKeeper
from rewarders.llm_judge.question import JudgeReply, Question
from rewarders.tools import Judge, RewardModel
from rewarders.types import Message
from sandboxes.errors import SandboxFault, SandboxUnavailable
from sandboxes.types import Program, Sandbox, SandboxResult, Submission

if TYPE_CHECKING:
    from env_server.judges.judge import ConfiguredJudge
    from env_server.judges.recorded import RecordedModels
    from env_server.judges.reward_model import ConfiguredRewardModel

T = TypeVar("T")
_CLOSING_S = 10.0


@dataclass
class Stopwatch:
    """Seconds since a call was dispatched, without those it spent waiting for its turn at the sandbox."""

    _started: float = field(default_factory=time.monotonic)
    _queued_s: float = 0.0
    _waits: list[float] = field(default_factory=list)
    """When those began that are not over."""

    @property
    def spent_s(self) -> float:
        """Up to now."""
        now = time.monotonic()
        return now - self._started - self._queued_s - (now - min(self._waits, default=now))

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """What happens meanwhile is not the call's doing."""
        since = time.monotonic()
        self._waits.append(since)
        try:
            yield
        finally:
            self._waits.remove(since)
            self._queued_s += time.monotonic() - since


@dataclass
class Meter:
    """What one call used, and what ran or judged it."""

    cpu_s: float = 0.0
    runs: int = 0
    exchanges: list[dict[str, JsonValue]] = field(default_factory=list)
    """Every question that was put to a model, and what it answered."""
    _instruments: dict[str, dict[str, JsonValue]] = field(default_factory=dict)

    def count(self, program: Program, result: SandboxResult) -> SandboxResult:
        """Add one run, and give its result back."""
        self.runs += 1
        self.cpu_s += result.cpu_s
        instrument: dict[str, JsonValue] = {
            "backend": result.backend,
            "language": program.language,
            "policy_digest": result.policy_digest,
            "limits": program.limits.model_dump(mode="json"),
        }
        self._instruments.setdefault(repr(instrument), instrument)
        return result

    @property
    def record(self) -> dict[str, JsonValue] | None:
        """Everything about the sandbox that could have changed the verdict; None if nothing was run."""
        return {"runs": self.runs, "instruments": list(self._instruments.values())} if self.runs else None

    @property
    def models(self) -> dict[str, JsonValue] | None:
        """Everything that a replay needs instead of the models; None if none was asked."""
        return {"exchanges": [*self.exchanges]} if self.exchanges else None

    @property
    def identities(self) -> set[str]:
        """Of the judges that were asked."""
        return {str(one["identity"]) for one in self.exchanges if "identity" in one}


class CallTools:
    """The `Tools` of one call."""

    def __init__(
        self,
        keeper: SandboxKeeper,
        turns: asyncio.Semaphore,
        meter: Meter,
        watch: Stopwatch,
        *,
        models: ModelKeeper = NO_MODELS,
        prompt: Sequence[Message] = (),
        recorded: "RecordedModels | None" = None,
        fresh: bool = False,
        tenant: str | None = None,
    ) -> None:
        """`recorded` answers in the place of the models; `fresh` has judges answer anew; they remember for `tenant`."""
        self._keeper, self._models, self._turns, self._meter, self._watch = keeper, models, turns, meter, watch
        self._prompt, self._recorded, self._fresh, self._tenant = prompt, recorded, fresh, tenant
        self._sandbox: MeteredSandbox | None = None

    @property
    def prompt(self) -> Sequence[Message]:
        """The task's prompt."""
        return self._prompt

    def judge(self, name: str) -> Judge:
        """The judge of that name. Raises JudgeFault."""
        if self._recorded:
            return self._recorded.judge(name)
        return MeteredJudge(self._models.judge(name), self._meter, self._watch, self._fresh, self._tenant)

    def reward_model(self, name: str) -> RewardModel:
        """The reward model of that name. Raises ModelFault."""
        if self._recorded:
            return self._recorded.reward_model(name)
        return MeteredRewardModel(self._models.reward_model(name), self._meter, self._watch)

    @property
    def sandbox(self) -> Sandbox:
        """Where programs run.

        Raises:
            SandboxMisconfigured: the service has none, or the one configured cannot work here.
            SandboxUnavailable: it has not come up yet.
        """
        if self._sandbox is None:
            self._sandbox = MeteredSandbox(self._keeper.started(), self._turns, self._meter, self._watch)
        return self._sandbox

    async def end(self) -> None:
        """The call is over: end what it left running."""
        if self._sandbox:
            await self._sandbox.close()


@dataclass(frozen=True)
class MeteredJudge:
    """A judge as one call sees it: each question has deadlines of its own, so the call's clock stands still."""

    _inner: "ConfiguredJudge"
    _meter: Meter
    _watch: Stopwatch
    _fresh: bool = False
    """Whatever the rewarder says."""
    _tenant: str | None = None

    @property
    def name(self) -> str:
        """As in the configuration."""
        return self._inner.name

    async def ask(self, question: Question, sample: int = 0, *, fresh: bool = False) -> JudgeReply:
        """Ask, and put question and answer on the record. Raises JudgeFault."""
        with self._watch.stopped():
            exchange = await self._inner.ask(question, sample, fresh=fresh or self._fresh, tenant=self._tenant)
        self._meter.exchanges.append(exchange.record)
        return exchange.reply


@dataclass(frozen=True)
class MeteredRewardModel:
    """A reward model as one call sees it."""

    _inner: "ConfiguredRewardModel"
    _meter: Meter
    _watch: Stopwatch

    @property
    def name(self) -> str:
        """As in the configuration."""
        return self._inner.name

    async def score(self, prompt: Sequence[Message], answer: str) -> float | None:
        """Ask, and put the raw number on the record. Raises ModelFault."""
        with self._watch.stopped():
            raw = await self._inner.score(prompt, answer)
        settings = self._inner.config.model_dump(mode="json", include={"url", "model", "route", "turn", "output"})
        self._meter.exchanges.append({"reward_model": self.name, **settings, "raw": raw})
        return raw


class MeteredSandbox:
    """A sandbox as one call sees it. Not to be used from other threads than the call's."""

    def __init__(self, inner: Sandbox, turns: asyncio.Semaphore, meter: Meter, watch: Stopwatch) -> None:
        self._inner, self._turns, self._meter, self._watch = inner, turns, meter, watch
        self._asking, self._users, self._has_turn = asyncio.Lock(), 0, False
        self._running: set[asyncio.Task[Any]] = set()
        self._open: set[AsyncExitStack] = set()
        self._over = False

    @property
    def backend(self) -> str:
        """Which backend, as on the record."""
        return self._inner.backend

    def policy_digest(self, language: str) -> str:
        """As the backend says. Raises SandboxMisconfigured."""
        return self._inner.policy_digest(language)

    @asynccontextmanager
    async def open(self, program: Program) -> AsyncIterator[Submission]:
        """A sandbox for one submission. Raises SandboxFault on entering."""
        async with self._turn(), AsyncExitStack() as stack:
            self._open.add(stack)
            try:
                submission = await stack.enter_async_context(self._inner.open(program))
                yield MeteredSubmission(self, program, submission)
            finally:
                self._open.discard(stack)

    async def run(self, program: Program, stdin: bytes = b"") -> SandboxResult:
        """Open, run once, close. Raises SandboxFault."""
        async with self._turn():
            return self._meter.count(program, await self.do(self._inner.run(program, stdin)))

    async def run_linked(self, judge: Program, candidate: Program) -> tuple[SandboxResult, SandboxResult]:
        """Run two programs with a socket between them. Raises SandboxFault."""
        async with self._turn():
            judged, ran = await self.do(self._inner.run_linked(judge, candidate))
        return self._meter.count(judge, judged), self._meter.count(candidate, ran)

    async def run_submitted(self, program: Program, submission: Submission, stdin: bytes) -> SandboxResult:
        """One run of an open submission. Raises SandboxFault."""
        self._refuse_when_over()
        return self._meter.count(program, await self.do(submission.run(stdin)))

    async def close(self) -> None:
        """End what this call left running or open. The backend itself goes on serving the others."""
        self._over = True
        try:
            async with asyncio.timeout(_CLOSING_S):
                for task in self._running:
                    task.cancel()
                await asyncio.gather(*self._running, return_exceptions=True)
                while self._open:
                    await self._open.pop().aclose()
        except (SandboxFault, TimeoutError):
            pass  # there is a verdict by now, or a better reason for having none
        finally:
            self._give_turn_back()

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Let the backend work in a task of ours, so that it can be ended with the call whoever waits for it."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await task

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One turn a call, however many programs it runs at once: two calls that each want a second never meet."""
        async with self._asking:
            if self._users == 0:
                with self._watch.stopped():
                    await self._turns.acquire()
                self._has_turn = True
            self._users += 1
        try:
            self._refuse_when_over()
            yield
        finally:
            self._users -= 1
            if self._users == 0:
                self._give_turn_back()

    def _give_turn_back(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._turns.release()

    def _refuse_when_over(self) -> None:
        if self._over:
            raise SandboxUnavailable("the call that this sandbox belonged to is over")


@dataclass(frozen=True)
class MeteredSubmission:
    """An open submission of a metered sandbox."""

    _sandbox: MeteredSandbox
    _program: Program
    _submission: Submission

    async def run(self, stdin: bytes = b"") -> SandboxResult:
        """Run it once. Raises SandboxFault."""
        return await self._sandbox.run_submitted(self._program, self._submission, stdin)

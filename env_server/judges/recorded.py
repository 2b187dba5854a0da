"""Models answered from a record instead of the network: the same questions get the same answers, and no others do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from env_server.judges.judge import reply_of
from rewarders.errors import JudgeFault, ModelFault
from rewarders.llm_judge.question import JudgeReply, Question
from rewarders.tools import Judge, RewardModel
from rewarders.types import Message
from sandboxes.errors import SandboxMisconfigured
from sandboxes.types import Sandbox


@dataclass
class RecordedModels:
    """The `Tools` of a call that is replayed; `models` is what the ledger has under `instrument`."""

    models: Mapping[str, Any]
    prompt: Sequence[Message] = ()
    _given: set[int] = field(default_factory=set)

    @property
    def sandbox(self) -> Sandbox:
        """Raises SandboxMisconfigured: runs of programs are not on the record."""
        raise SandboxMisconfigured("a replay from the record runs no programs")

    def judge(self, name: str) -> Judge:
        """The judge of that name, as it answered then."""
        return _RecordedJudge(self, name)

    def reward_model(self, name: str) -> RewardModel:
        """The reward model of that name, as it answered then."""
        return _RecordedRewardModel(self, name)

    def take(self, **wanted: Any) -> dict[str, Any] | None:
        """The first exchange that fits and was not given yet; None if there is none."""
        for place, exchange in enumerate(self.models["exchanges"]):
            if place not in self._given and all(exchange.get(key) == value for key, value in wanted.items()):
                self._given.add(place)
                return dict(exchange)
        return None


@dataclass(frozen=True)
class _RecordedJudge:
    record: RecordedModels
    name: str

    async def ask(self, question: Question, sample: int = 0, *, fresh: bool = False) -> JudgeReply:
        exchange = self.record.take(judge=self.name, question=question.digest, sample=sample)
        if exchange is None:
            raise JudgeFault(f"what judge {self.name} is asked is not on the record")
        return reply_of(question, exchange)


@dataclass(frozen=True)
class _RecordedRewardModel:
    record: RecordedModels
    name: str

    async def score(self, prompt: Sequence[Message], answer: str) -> float | None:
        exchange = self.record.take(reward_model=self.name)
        if exchange is None:
            raise ModelFault(f"what reward model {self.name} is asked is not on the record")
        raw: float | None = exchange["raw"]
        return raw

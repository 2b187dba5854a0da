"""What an `async def` rewarder may reach for. Calls are metered, time-boxed and recorded by whoever provides them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from rewarders.types import Message
from sandboxes.types import Sandbox

if TYPE_CHECKING:
    from rewarders.llm_judge.question import JudgeReply, Question


class Judge(Protocol):
    """A language model that is asked for verdicts."""

    @property
    def name(self) -> str:
        """As in `[judges.NAME]`."""
        ...

    async def ask(self, question: "Question", sample: int = 0, *, fresh: bool = False) -> "JudgeReply":
        """Ask, or give what it answered before.

        Args:
            question: what to ask.
            sample: 0 is the judge's best answer; each other number is another draw.
            fresh: do not answer from the cache.

        Raises:
            JudgeFault: it cannot be asked: not there, over its budget, out of order.
        """
        ...


class RewardModel(Protocol):
    """A model that gives a conversation one number."""

    @property
    def name(self) -> str:
        """As in `[reward_models.NAME]`."""
        ...

    async def score(self, prompt: Sequence[Message], answer: str) -> float | None:
        """The raw, finite number; None where the model refuses this text, as one that is too long.

        Raises:
            ModelFault: it cannot be asked, or what it gives is not finite.
        """
        ...


class Tools(Protocol):
    """Handed to `async def f(completion, reference, params, tools)`, fresh for each call."""

    @property
    def sandbox(self) -> Sandbox:
        """Where programs run.

        Raises:
            SandboxMisconfigured: the service has none; its `[sandbox]` section turns it off.
        """
        ...

    @property
    def prompt(self) -> Sequence[Message]:
        """The task's prompt, as the policy was shown it."""
        ...

    def judge(self, name: str) -> Judge:
        """The judge of `[judges.NAME]`. Raises JudgeFault: the service has none of that name."""
        ...

    def reward_model(self, name: str) -> RewardModel:
        """The model of `[reward_models.NAME]`. Raises ModelFault: the service has none of that name."""
        ...

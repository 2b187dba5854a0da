"""Where a step gets its rollouts from: drawn in turn with learning, or beside it (see `trainer.pipeline.pipeline`)."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from env_server.schemas import Run, ScoredItem
from rewarders.types import Task
from trainer.algorithms import Dapo
from trainer.config import TrainConfig
from trainer.data import TaskOrder
from trainer.distributed.leading import led
from trainer.drawing import draw, draw_groups
from trainer.gathering import Gathered, gather
from trainer.grading import Grader
from trainer.models import Policy
from trainer.rollouts import Rollout
from trainer.samplers import Sampler, SampleRequest
from trainer.stopwatch import Phase, phase

Answer = TypeVar("Answer")
Taking = Callable[[], AbstractContextManager[None]]
"""Takes a turn; see `trainer.pipeline.turns`."""


class Supply(Protocol):
    """Rollouts for one step after the other. Every rank asks for them in its learner's thread, and all get the same."""

    def gather(self, step: int) -> Gathered:
        """What step `step` learns from. Raises TrainingError, ConfigError: see samplers and graders."""
        ...

    def take_weights(self, step: int) -> None:
        """The policy has learnt from step `step`: sample with it from now on."""
        ...

    def with_newest(self, ask: Callable[[Sampler], Answer]) -> Answer:
        """The answer of something that needs the sampler, with the newest weights; on rank 0 alone, within `led`."""
        ...

    def in_flight(self, done: int) -> bytes:
        """What a checkpoint of step `done` has to keep beside the weights, for `read_in_flight`."""
        ...

    def close(self) -> None:
        """End what is under way."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """Draws and grades what the configuration and the step say."""

    config: TrainConfig
    policy: Policy
    order: TaskOrder
    sampler: Sampler
    grader: Grader

    def apart(self, sampler: Sampler | None = None) -> "Source":
        """The same for another thread, with a sampler of its own if it has one: tokenizers are not for several."""
        policy = replace(self.policy, tokenizer=copy.deepcopy(self.policy.tokenizer))
        return replace(self, policy=policy, sampler=sampler or self.sampler)

    def draw_round(self, step: int, version: int, taking: Taking, turn: int, prompts: int) -> list[Rollout]:
        """A round of a step: the tasks of each are a function of the seed alone, so that a resumed run draws the
        same."""
        drawn = self._tasks(step, turn, prompts), self._request(step, version, turn)
        longest = self.config.sampling.max_prompt_tokens
        with taking(), phase(Phase.SAMPLING):
            return draw(self.policy, self.sampler, *drawn, max_prompt_tokens=longest)

    def groups(self, step: int, version: int) -> Iterator[list[Rollout]]:
        """The groups of a step of one round, as they finish."""
        drawn = self._tasks(step, 0, self.config.sampling.prompts_per_step), self._request(step, version, 0)
        longest = self.config.sampling.max_prompt_tokens
        groups = draw_groups(self.policy, self.sampler, *drawn, max_prompt_tokens=longest)
        while True:
            with phase(Phase.SAMPLING):
                group = next(groups, None)
            if group is None:
                return
            yield group

    def grade(self, rollouts: Sequence[Rollout], step: int) -> list[ScoredItem]:
        """Ask for the rewards of rollouts that were drawn for a step."""
        with phase(Phase.GRADING):
            return self.grader.grade(rollouts, Run(id=self.config.run.id, step=step))

    def whole(self, step: int, version: int, taking: Taking = nullcontext) -> Gathered:
        """Draw and grade all rounds of a step, one after the other; each is sampled within a block of `taking`."""
        return gather(
            partial(self.draw_round, step, version, taking),
            partial(self.grade, step=step),
            groups=self.config.sampling.prompts_per_step,
            rounds=rounds(self.config),
        )

    def _tasks(self, step: int, turn: int, prompts: int) -> list[Task]:
        return self.order.for_step(step, turn)[:prompts]

    def _request(self, step: int, version: int, turn: int) -> SampleRequest:
        config, sampling = self.config, self.config.sampling
        return SampleRequest(
            group_size=sampling.group_size,
            max_new_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            seed=f"{config.run.seed}/{step}" if turn == 0 else f"{config.run.seed}/{step}/{turn}",
            weight_version=f"step-{version}",
        )


class InTurn:
    """Each step is drawn with the weights of the step before, while nothing else happens."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def gather(self, step: int) -> Gathered:
        """See `Supply.gather`."""
        return led(partial(self._source.whole, step, step - 1))

    def take_weights(self, step: int) -> None:
        """See `Supply.take_weights`."""
        with phase(Phase.SYNC):
            self._source.sampler.take_weights(self._source.policy.model, f"step-{step}")

    def with_newest(self, ask: Callable[[Sampler], Answer]) -> Answer:
        """See `Supply.with_newest`."""
        return ask(self._source.sampler)

    def in_flight(self, done: int) -> bytes:
        """Nothing is."""
        return b""

    def close(self) -> None:
        """Nothing is under way."""


def rounds(config: TrainConfig) -> int:
    """Most rounds of sampling in a step."""
    return config.algorithm.sampling_rounds if isinstance(config.algorithm, Dapo) else 1

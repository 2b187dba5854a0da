"""Who draws, where several ranks share a run.

Threads beside the learner's take part in no collective: two that do, in one process, would meet another rank's in
another order. So a rank's own thread samples with a whole copy of the weights, which learners have gathered, and needs
nobody; what it has sampled waits until the learners meet.
"""

import threading
from dataclasses import dataclass, field

from rewarders.errors import ConfigError
from trainer.config import TrainConfig
from trainer.distributed.ranks import count, leads
from trainer.models import Policy
from trainer.pipeline.portions import Portion
from trainer.pipeline.snapshots import Snapshots, WholeSnapshots
from trainer.pipeline.supply import rounds
from trainer.samplers import Sampler
from trainer.samplers.gathered import GatheredSampler, whole_copy
from trainer.samplers.sending import SendingSampler


@dataclass(frozen=True, slots=True)
class Part:
    """What a rank does of the drawing."""

    sampler: Sampler | None
    """Draws the rank's share of any prompts by itself; None where another rank draws all."""
    snapshots: Snapshots
    drawers: int = 1
    """Ranks that draw."""


def part_of(sampler: Sampler, policy: Policy, config: TrainConfig) -> Part:
    """What this rank does with the sampler of the run.

    Raises:
        ConfigError: ranks cannot share the rounds of a step and be ahead of it.
    """
    match sampler:
        case GatheredSampler() if rounds(config) > 1:
            raise ConfigError(
                f"pipeline.max_staleness = {config.pipeline.max_staleness} and algorithm.sampling_rounds = "
                f"{rounds(config)}: {count()} ranks that sample with hf cannot agree on a round while they learn",
                hint='take sampler.kind = "vllm_server", one round, max_staleness = 0, or one process',
            )
        case GatheredSampler(share=share):
            return Part(share, WholeSnapshots(policy.model, share.model), count())
        case SendingSampler(alone=alone):
            return Part(alone, WholeSnapshots(policy.model, whole_copy(config).model if leads() else None))
        case _:
            return Part(sampler, Snapshots(policy.model))


@dataclass(slots=True)
class Sampled:
    """What a rank has sampled since the last meeting."""

    portions: list[Portion] = field(default_factory=list)
    draws: list[int] = field(default_factory=list)
    """Those of which it has sampled all of its share."""


class Unsent:
    """What a rank has sampled, until it is handed over to the one that grades."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sampled = Sampled()

    def add(self, portion: Portion) -> None:
        """One more is sampled."""
        with self._lock:
            self._sampled.portions.append(portion)

    def note_drawn(self, draw: int) -> None:
        """All of this rank's share of a draw is sampled."""
        with self._lock:
            self._sampled.draws.append(draw)

    def taken(self) -> Sampled:
        """All of it; nothing is left here."""
        with self._lock:
            sampled, self._sampled = self._sampled, Sampled()
        return sampled

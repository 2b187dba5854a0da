"""Sampling in other processes where the policy is sharded: rank 0 does it, the others help to gather the weights."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from rewarders.errors import ConfigError
from trainer.distributed.leading import helping, led
from trainer.samplers import Sample, Sampler, SampleRequest
from trainer.weights import GATHERING, gather_along


class SendingSampler:
    """On rank 0 it asks the sampler it stands for; no other rank has one."""

    def __init__(self, sampler: Sampler | None) -> None:
        self.alone = sampler
        """What it stands for: for a model that is whole, it needs no other rank."""

    def sample(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> list[list[Sample]]:
        """See `Sampler.sample`; on rank 0."""
        return self._own.sample(prompts, request)

    def stream(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> Iterator[tuple[int, list[Sample]]]:
        """See `Sampler.stream`; on rank 0."""
        return self._own.stream(prompts, request)

    def take_weights(self, model: Any, version: str) -> None:
        """See `Sampler.take_weights`; on every rank. Each parameter is whole only while it is sent."""
        with helping(GATHERING, partial(gather_along, model)):
            led(lambda: self._own.take_weights(model, version))

    def close(self) -> None:
        """See `Sampler.close`."""
        if self.alone is not None:
            self.alone.close()

    @property
    def _own(self) -> Sampler:
        if self.alone is None:
            raise ConfigError("only rank 0 has a sampler", hint="this is a mistake in the trainer: please report it")
        return self.alone

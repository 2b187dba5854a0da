"""The `hf` sampler where the policy is sharded: each rank has a whole copy and completes its share of the prompts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from trainer.distributed.leading import announced, helping
from trainer.distributed.ranks import count, gathered, rank
from trainer.distributed.sharding import all_names, whole_parameters
from trainer.lora import adapted_layers, of_adapter
from trainer.samplers import Sample, SampleRequest
from trainer.samplers.hf import HfSampler

_SHARE = "complete your share of the prompts"


class GatheredSampler:
    """Asked on rank 0, within `led`; draws what one process would, since draws belong to rows."""

    def __init__(self, sampler: HfSampler) -> None:
        """The sampler has a model of its own, with an adapter if the policy has one, and the same weights beneath."""
        self._sampler = sampler

    def sample(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> list[list[Sample]]:
        """`group_size` completions of each prompt, in the order of the prompts."""
        with announced(_SHARE, prompts, request):
            return self._completed(prompts, request)

    def stream(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> Iterator[tuple[int, list[Sample]]]:
        """The same, with the number of each prompt; none before all are done."""
        yield from enumerate(self.sample(prompts, request))

    @torch.no_grad()
    def take_weights(self, model: Any, version: str) -> None:
        """Gather what is trained of a sharded model into every rank's copy, in its precision: all have to call this.

        An adapter is not merged: rounded with the weights it adapts, it would be another policy than the one trained.
        """
        own = dict(self._sampler.model.named_parameters())
        for name, value in whole_parameters(model, of_adapter if adapted_layers(model) else all_names):
            own[name].copy_(value)

    def close(self) -> None:
        """Drop the copy."""
        self._sampler.close()

    @contextmanager
    def helping(self) -> Iterator["GatheredSampler"]:
        """Within the block, this rank does its share when rank 0 samples."""
        with helping(_SHARE, self._completed):
            yield self

    def _completed(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> list[list[Sample]]:
        bounds = [len(prompts) * part // count() for part in range(count() + 1)]
        first, end = bounds[rank()], bounds[rank() + 1]
        mine = self._sampler.sample(prompts[first:end], request, before=first) if first < end else []
        return [samples for share in gathered(mine) for samples in share]

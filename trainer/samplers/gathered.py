"""The `hf` sampler where the policy is sharded: each rank has a whole copy and completes its share of the prompts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from trainer.config import TrainConfig
from trainer.distributed.leading import announced, helping
from trainer.distributed.ranks import count, gathered, rank
from trainer.distributed.sharding import all_names, whole_parameters
from trainer.lora import adapted_layers, add_adapter, of_adapter
from trainer.masters import lower
from trainer.models import Policy, load_policy
from trainer.samplers import Sample, SampleRequest
from trainer.samplers.hf import HfSampler

_SHARE = "complete your share of the prompts"

Completed = list[list[Sample]]
Run = Callable[[Callable[[], Completed]], Completed]


class Share:
    """This rank's share of any prompts. It completes them as one process would, since draws belong to rows, and asks no
    other rank."""

    def __init__(self, sampler: HfSampler) -> None:
        self._sampler = sampler

    @property
    def model(self) -> Any:
        """What samples."""
        return self._sampler.model

    def sample(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> Completed:
        """`group_size` completions of each prompt of the share, in the order of the prompts."""
        first, end = _bounds(len(prompts))
        return self._sampler.sample(prompts[first:end], request, before=first) if first < end else []

    def stream(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> Iterator[tuple[int, list[Sample]]]:
        """The same as they end, with the number that each prompt has among all."""
        first, end = _bounds(len(prompts))
        if first < end:
            for number, samples in self._sampler.stream(prompts[first:end], request, before=first):
                yield first + number, samples

    def take_weights(self, model: Any, version: str) -> None:
        """Sample from this very model, a whole one, from now on."""
        self._sampler.take_weights(model, version)

    def close(self) -> None:
        """Drop the copy."""
        self._sampler.close()


class GatheredSampler:
    """Asked on rank 0, within `led`; draws what one process would."""

    def __init__(self, share: Share) -> None:
        """Its model has an adapter if the policy has one, and the same weights beneath."""
        self.share = share
        self.run: Run = _at_once
        """How a rank completes its share, for instance in the thread that has the sampler."""

    def sample(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> Completed:
        """`group_size` completions of each prompt, in the order of the prompts."""
        with announced(_SHARE, prompts, request):
            return self._completed(prompts, request)

    def stream(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> Iterator[tuple[int, list[Sample]]]:
        """The same, with the number of each prompt; none before all are done."""
        yield from enumerate(self.sample(prompts, request))

    def take_weights(self, model: Any, version: str) -> None:
        """Gather a sharded model into every rank's copy: all have to call this."""
        gather_into(self.share.model, model)

    def close(self) -> None:
        """Drop the copy."""
        self.share.close()

    @contextmanager
    def helping(self) -> Iterator["GatheredSampler"]:
        """Within the block, this rank does its share when rank 0 samples."""
        with helping(_SHARE, self._completed):
            yield self

    def _completed(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> Completed:
        mine = self.run(partial(self.share.sample, prompts, request))
        return [samples for share in gathered(mine) for samples in share]


def whole_copy(config: TrainConfig) -> Policy:
    """The policy that the run started from, adapter and all, in the precision it computes in: to be sampled from.

    Raises:
        ConfigError: see `load_policy`.
    """
    copied = load_policy(config.model)
    if config.lora.rank:
        add_adapter(copied.model, config.lora, config.run.seed)
    lower(copied.model, getattr(torch, config.model.arithmetic))
    return copied


@torch.no_grad()
def gather_into(copied: Any, model: Any) -> None:
    """Put what is trained of a sharded model into a whole copy of it, in the copy's precision.

    All ranks have to call this; one without a copy gives None, and helps. An adapter is not merged: rounded with the
    weights it adapts, it would be another policy than the one trained.
    """
    own = dict(copied.named_parameters()) if copied is not None else {}
    for name, value in whole_parameters(model, of_adapter if adapted_layers(model) else all_names):
        if own:
            own[name].copy_(value)


def _bounds(prompts: int) -> tuple[int, int]:
    """Where this rank's share of so many begins and ends."""
    return prompts * rank() // count(), prompts * (rank() + 1) // count()


def _at_once(work: Callable[[], Completed]) -> Completed:
    return work()

"""Weights on their way from the trainer to what samples with them.

Names and shapes are those of the Hugging Face model; vLLM fuses and shards them itself. What is sent is what is
computed with: a float32 policy that is sampled in bfloat16 travels as bfloat16, rounded once, by the trainer.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any, Final, Protocol

import torch
from torch import Tensor

from trainer.distributed.leading import announced
from trainer.distributed.sharding import all_names, is_sharded, whole_parameters
from trainer.lora import adapter_tensors, merged, of_adapter

GATHERING: Final = "gather the weights"


class Engine(Protocol):
    """Whatever runs a method on every vLLM worker behind it: a server, or an engine in this process."""

    name: str
    """Whom an error is about."""

    def call(self, method: str, **arguments: Any) -> list[Any]:
        """The answer of each worker. Raises TrainingError where one fails."""
        ...


class WeightTransfer(Protocol):
    """One way for weights to travel."""

    def send(self, model: Any, *, checked: bool) -> None:
        """Put the weights of a transformers model into every engine.

        Args:
            model: what is trained.
            checked: compare digests of what was sent and what arrived, where this way can.

        Raises:
            TrainingError: an engine did not take them, or took something else. What it holds now is unknown.
        """
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...


def wire_tensors(model: Any, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """Name and value of every parameter as it is sent; one that is tied to another is sent once.

    Of a sharded model only one parameter at a time is whole. The other ranks are told to gather along: call this on
    rank 0, within `led`, where the others have `gather_along` to help with.
    """
    for name, whole in merged(_gathered(model), model):
        yield name, whole.to(dtype).contiguous()


def wire_adapter(model: Any, dtype: torch.dtype) -> dict[str, Tensor]:
    """The adapter of the model alone, in peft's names, as it is sent. Called like `wire_tensors`."""
    return {name: value.to(dtype) for name, value in adapter_tensors(_gathered(model, of_adapter)).items()}


def _gathered(model: Any, wanted: Callable[[str], bool] = all_names) -> Iterator[tuple[str, Tensor]]:
    with announced(GATHERING, wanted) if is_sharded(model) else nullcontext():
        yield from whole_parameters(model, wanted)


def gather_along(model: Any, wanted: Callable[[str], bool]) -> None:
    """What other ranks than 0 do when its `wire_tensors` or `wire_adapter` says so."""
    for _ in whole_parameters(model, wanted):
        pass


def norm_digests(model: Any, dtype: torch.dtype) -> Mapping[str, str]:
    """SHA-256 of the values of every norm's weight, by name.

    These are the parameters that vLLM neither fuses, shards nor repacks, so its own checksums of them can be
    foretold. In float32 an optimiser's step changes each of them; in bfloat16 small steps may round to nothing, so that
    what this finds there is another model, and not each update that was lost.
    """
    norms = ((name, value) for name, value in wire_tensors(model, dtype) if name.endswith("norm.weight"))
    return {name: hashlib.sha256(_bytes(value)).hexdigest() for name, value in norms}


def _bytes(value: Tensor) -> bytes:
    return value.cpu().view(-1).view(torch.uint8).numpy().tobytes()

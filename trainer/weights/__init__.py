"""Weights on their way from the trainer to what samples with them.

Names and shapes are those of the Hugging Face model; vLLM fuses and shards them itself. What is sent is what is
computed with: a float32 policy that is sampled in bfloat16 travels as bfloat16, rounded once, by the trainer.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor


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

    A parameter sharded over several trainers is gathered: all of them have to iterate.
    """
    for name, parameter in model.named_parameters():
        whole = parameter.full_tensor() if hasattr(parameter, "full_tensor") else parameter
        yield name, whole.detach().to(dtype).contiguous()


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

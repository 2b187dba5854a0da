"""Optimiser state that waits in the host's memory between steps, so that layers have the device to themselves."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor


def offload(optimizer: torch.optim.Optimizer, waits_on: str = "cpu") -> None:
    """Keep the moments on `waits_on`, and bring them to their weights for each step.

    On CUDA the host's memory is pinned. What a step computes is the same, bit for bit.
    """
    place = torch.device(waits_on)
    optimizer.register_step_pre_hook(lambda *_: _move(optimizer, _to_its_weight))
    optimizer.register_step_post_hook(lambda *_: _move(optimizer, lambda moment, _: _waiting(moment, place)))


def _to_its_weight(moment: Tensor, weight: Tensor) -> Tensor:
    return moment.to(weight.device, non_blocking=True)


def _waiting(moment: Tensor, place: torch.device) -> Tensor:
    return torch.empty_like(moment, device=place, pin_memory=moment.is_cuda and place.type == "cpu").copy_(moment)


def _move(optimizer: torch.optim.Optimizer, moved: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Of a sharded weight, this rank's shard. The number of steps stays: it is not worth moving."""
    for weight, known in optimizer.state.items():
        for name, value in known.items():
            if isinstance(value, DTensor):
                value._local_tensor = moved(value._local_tensor, weight)
            elif isinstance(value, Tensor) and value.dim():
                known[name] = moved(value, weight)

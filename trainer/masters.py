"""Float32 weights behind a model that computes in bfloat16: small steps that bfloat16 would round away add up in them.

The model is rounded once after each step, so that whoever samples with it, or is sent it, has the very policy that is
trained. Gradients are summed in float32.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from trainer.distributed.ranks import leads
from trainer.distributed.sharding import is_sharded, whole_parameters
from trainer.lora import adapted_layers


class MasterAdamW(torch.optim.AdamW):
    """AdamW on masters of a model's weights, which are rounded into the model after each step."""

    def __init__(self, model: nn.Module, compute: torch.dtype, **options: Any) -> None:
        """Round the model's weights to `compute`; see `torch.optim.AdamW` for the options."""
        self.pairs = _lowered(model, compute)
        super().__init__([master for _, master in self.pairs], **options)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move the masters, then the model."""
        loss = super().step(closure)
        for weight, master in self.pairs:
            weight.copy_(master)
        return loss


def lower(model: nn.Module, compute: torch.dtype) -> None:
    """Round a frozen model's weights. Buffers, such as the frequencies of positions, stay as they are."""
    for weight in model.parameters():
        weight.data = weight.data.to(compute)


def exact(named: Iterable[tuple[str, Tensor]], model: nn.Module, optimizer: Any) -> Iterator[tuple[str, Tensor]]:
    """The parameters of a model by name, each as its master has it where the optimiser keeps one."""
    pairs = optimizer.pairs if isinstance(optimizer, MasterAdamW) else ()
    known = {id(weight): master for weight, master in pairs}
    masters = {name: known[id(weight)] for name, weight in model.named_parameters() if id(weight) in known}
    for name, value in named:
        yield name, masters.get(name, value)


def exact_state(model: nn.Module, optimizer: Any) -> dict[str, Tensor] | None:
    """Every tensor that a model saves, as it is learnt and not as it is computed with.

    In the memory of rank 0's host; gathered one by one, by all ranks. None where the model's own are just these.
    """
    if not (adapted_layers(model) or is_sharded(model) or isinstance(optimizer, MasterAdamW)):
        return None
    found = {name: value.cpu() for name, value in exact(whole_parameters(model), model, optimizer) if leads()}
    kept = model.state_dict().keys()
    return found | {name: value.cpu() for name, value in model.named_buffers() if name in kept}


def _lowered(model: nn.Module, compute: torch.dtype) -> list[tuple[nn.Parameter, Tensor]]:
    """Each weight that is trained, with what it was before it was rounded."""
    pairs = [(weight, weight.detach().clone()) for weight in model.parameters() if weight.requires_grad]
    lower(model, compute)
    for weight, master in pairs:
        weight.register_post_accumulate_grad_hook(_Adding(master))
    return pairs


class _Adding:
    """Moves a gradient to the master as soon as it is there."""

    def __init__(self, master: Tensor) -> None:
        self._master = master

    def __call__(self, weight: Tensor) -> None:
        if weight.grad is None:
            return
        wide = weight.grad.to(self._master.dtype)
        self._master.grad = wide if self._master.grad is None else self._master.grad.add_(wide)
        weight.grad = None

"""The optimiser and its learning rate, which is a pure function of the step."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from rewarders.errors import NonFiniteLoss
from trainer.config import OptimSection
from trainer.distributed.ranks import summed
from trainer.distributed.sharding import is_sharded
from trainer.masters import MasterAdamW
from trainer.offload import offload
from trainer.stopwatch import Phase, phase


def build_optimizer(model: Any, config: OptimSection, compute: str = "same") -> torch.optim.Optimizer:
    """AdamW over every weight that is trained, in one fused kernel.

    With `compute` = "bfloat16" the model is rounded, and what it was is moved in its place; see `trainer.masters`. A
    sharded model does that itself.
    """
    options: dict[str, Any] = {
        "lr": config.lr,
        "betas": (config.beta1, config.beta2),
        "eps": config.eps,
        "weight_decay": config.weight_decay,
        "fused": True,
    }
    optimizer: torch.optim.Optimizer
    if compute == "bfloat16" and not is_sharded(model):
        optimizer = MasterAdamW(model, torch.bfloat16, **options)
    else:
        optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], **options)
    if config.offload:
        offload(optimizer)
    return optimizer


def set_learning_rate(optimizer: torch.optim.Optimizer, config: OptimSection, step: int) -> float:
    """Set and return the learning rate of training step `step`, counted from 1."""
    rate = config.lr * schedule(config, step)
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def schedule(config: OptimSection, step: int) -> float:
    """Share of the peak rate at `step`: a linear warm-up, then constant or a linear decay."""
    if step < config.warmup_steps:
        return step / config.warmup_steps
    if step <= config.warmup_steps or not config.decay_until_step:
        return 1.0
    span = max(config.decay_until_step - config.warmup_steps, 1)
    done = min((step - config.warmup_steps) / span, 1.0)
    return 1.0 - done * (1.0 - config.final_lr_share)


def descend(
    model: Any, optimizer: torch.optim.Optimizer, losses: Iterable[Tensor], max_grad_norm: float
) -> tuple[float, float]:
    """One optimiser step on the sum of the losses, each of which is computed and gone back through by itself.

    With several ranks, on the sum over all of theirs. Returns the loss and the norm of its gradient, before that was
    scaled down.

    Raises:
        NonFiniteLoss: before the optimiser has moved.
    """
    total = 0.0
    for loss in losses:
        total += loss.item()
        with phase(Phase.BACKWARD):
            loss.backward()
    total = _finite(summed(torch.tensor(total, dtype=torch.float64)).item(), "loss")  # every rank finds the same
    with phase(Phase.OPTIMISER):
        norm = _finite(_whole(nn.utils.clip_grad_norm_(trained_weights(optimizer), max_grad_norm)), "gradient norm")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return total, norm


def trained_weights(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """What the optimiser moves, in its order."""
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _whole(norm: Tensor) -> float:
    return float((norm.full_tensor() if isinstance(norm, DTensor) else norm).item())


def _finite(number: float, name: str) -> float:
    if not math.isfinite(number):
        raise NonFiniteLoss(
            f"the {name} is {number}; the weights are as they were before this optimiser step",
            hint="lower optim.lr, or look at the last rollouts in rollouts.jsonl",
        )
    return number

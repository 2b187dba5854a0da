"""The optimiser and its learning rate, which is a pure function of the step."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from rewarders.errors import NonFiniteLoss
from trainer.config import OptimSection


def build_optimizer(model: Any, config: OptimSection) -> torch.optim.Optimizer:
    """AdamW over every weight that is trained, in one fused kernel."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(
        trained,
        lr=config.lr,
        betas=(config.beta1, config.beta2),
        eps=config.eps,
        weight_decay=config.weight_decay,
        fused=True,
    )


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

    Returns the loss and the norm of its gradient, before that was scaled down.

    Raises:
        NonFiniteLoss: before the optimiser has moved.
    """
    total = 0.0
    for loss in losses:
        total += _finite(loss, "loss")
        loss.backward()
    norm = _finite(nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm), "gradient norm")
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total, norm


def _finite(value: Tensor, name: str) -> float:
    number = value.item()
    if not math.isfinite(number):
        raise NonFiniteLoss(
            f"the {name} is {number}; the weights are as they were before this optimiser step",
            hint="lower optim.lr, or look at the last rollouts in rollouts.jsonl",
        )
    return number

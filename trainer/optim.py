"""The optimiser and its learning rate, which is a pure function of the step."""

from typing import Any

import torch

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

"""Weights for tokens that the sampler drew with other probabilities than the trainer computes.

Pure. K tokens of N rollouts; `row [K]` numbers the rollout of each token. Nothing here has a gradient.
"""

import torch
from torch import Tensor

from trainer.config import CorrectionSection
from trainer.losses import exp_of_gap


@torch.no_grad()
def correction_weights(
    old_logp: Tensor, sampler_logp: Tensor, row: Tensor, rows: int, settings: CorrectionSection
) -> Tensor:
    """What each token's gain is multiplied by, `[K]`: 1 everywhere where sampler and trainer agree.

    `old_logp` is the trainer's with the weights that the step begins with. A log-probability that the sampler did not
    report (NaN) says nothing: its ratio is 1.
    """
    gap = (old_logp - sampler_logp).nan_to_num(nan=0.0)
    if settings.kind == "none":
        return torch.ones_like(gap)
    if settings.level == "sequence":
        gap = torch.zeros(rows, dtype=gap.dtype, device=gap.device).index_add(0, row, gap)[row]
    ratio = exp_of_gap(gap)
    if settings.kind == "truncate":
        return ratio.clamp(max=settings.high)
    return torch.where((ratio >= settings.low) & (ratio <= settings.high), ratio, torch.zeros_like(ratio))

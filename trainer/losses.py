"""Token losses and what they are divided by. Pure: tensors in, tensors out, nothing reduced behind your back.

Shapes: N rollouts, T completion tokens. A loss is a gain negated; `step.py` does that once.
"""

import torch
from torch import Tensor

from trainer.algorithms import Aggregation

_MAX_LOG_RATIO = 20.0
"""exp(20) is 5e8: far beyond any clip, and still finite when squared in float32."""


def token_weights(mask: Tensor, aggregation: Aggregation, max_tokens: int) -> Tensor:
    """Weight of each token in the loss of one optimiser step, `[N, T] -> [N, T]`.

    The loss is `(weights * token_loss).sum()`. Computed once over every row that counts, so cutting the rows
    into micro-batches afterwards cannot change the gradient.

    - sequence_mean: `1 / (N * length_i)`, the mean of sequence means (GRPO, arXiv 2402.03300, eq. 3)
    - token_mean: `1 / (all tokens)` (DAPO, arXiv 2503.14476, eq. 8)
    - constant_length: `1 / (N * max_tokens)`, whatever the lengths are (Dr. GRPO, arXiv 2503.20783)

    An empty completion weighs nothing but counts as a row.
    """
    kept = mask.to(torch.float64)
    rows = max(len(mask), 1)
    match aggregation:
        case Aggregation.SEQUENCE_MEAN:
            return kept / (rows * kept.sum(1, keepdim=True).clamp_min(1))
        case Aggregation.TOKEN_MEAN:
            return kept / kept.sum().clamp_min(1)
        case Aggregation.CONSTANT_LENGTH:
            return kept / (rows * max_tokens)


def ratio(logp: Tensor, old_logp: Tensor) -> Tensor:
    """`pi / pi_old` of each token, finite whatever happened."""
    return exp_of_gap(logp - old_logp)


def exp_of_gap(gap: Tensor) -> Tensor:
    """A ratio from its logarithm, bounded so that it is finite."""
    return gap.clamp(-_MAX_LOG_RATIO, _MAX_LOG_RATIO).exp()


def clipped_gain(r: Tensor, advantage: Tensor, clip_low: float, clip_high: float, dual: float | None = None) -> Tensor:
    """`min(r A, clip(r, 1 - clip_low, 1 + clip_high) A)`, elementwise (PPO, arXiv 1707.06347, eq. 7).

    On policy r is 1 and the gradient is REINFORCE's. Past the clip, on the side the advantage pulls to, it
    is 0. With `dual`, a negative advantage costs at most `dual |A|` (arXiv 1912.09729, eq. 5).
    """
    gain = torch.minimum(r * advantage, r.clamp(1 - clip_low, 1 + clip_high) * advantage)
    return gain if dual is None else torch.where(advantage < 0, gain.maximum(dual * advantage), gain)


def sequence_ratio(logp: Tensor, old_logp: Tensor, row: Tensor, rows: int) -> Tensor:
    """`exp(mean_t log(pi / pi_old))` of each token's sequence, with the gradient of that token alone (GSPO, arXiv
    2507.18071, eq. 7 and 17).

    `row [K]` numbers the sequence of each token. The value is the same for all tokens of a sequence, and their mean has
    the gradient of the sequence's ratio.
    """
    gap = (logp - old_logp).detach()
    length = torch.zeros(rows, dtype=gap.dtype, device=gap.device).index_add(0, row, torch.ones_like(gap))
    mean = torch.zeros_like(length).index_add(0, row, gap) / length.clamp_min(1)
    own = logp - logp.detach()
    return exp_of_gap(mean[row] + own)


def weighted_gain(logp: Tensor, r: Tensor, advantage: Tensor, clip_low: float, clip_high: float) -> Tensor:
    """`sg(clip(r, 1 - clip_low, 1 + clip_high)) A log pi`, elementwise (CISPO, arXiv 2506.13585, eq. 4).

    The clip bounds a weight and not the gain, so that every token keeps a gradient.
    """
    return r.detach().clamp(1 - clip_low, 1 + clip_high) * advantage * logp


def reinforce_gain(logp: Tensor, advantage: Tensor) -> Tensor:
    """`log pi * A`, elementwise: the score function's estimator, right for on-policy rollouts only."""
    return logp * advantage


def k1(logp: Tensor, reference_logp: Tensor) -> Tensor:
    """`log pi - log ref`: unbiased for KL(pi, ref) as a number; as a loss its gradient is 0 on average."""
    return logp - reference_logp


def k2(logp: Tensor, reference_logp: Tensor) -> Tensor:
    """`(log pi - log ref)^2 / 2`: biased as a number, but its gradient is that of the KL divergence."""
    return (logp - reference_logp).square() / 2


def k3(logp: Tensor, reference_logp: Tensor) -> Tensor:
    """`ref / pi - 1 - log(ref / pi)`: unbiased and never negative (Schulman 2020); GRPO's penalty."""
    gap = (reference_logp - logp).clamp(-_MAX_LOG_RATIO, _MAX_LOG_RATIO)
    return gap.exp() - 1 - gap


def k3_straight_through(logp: Tensor, reference_logp: Tensor) -> Tensor:
    """k3's value with k2's gradient, which is that of the KL divergence."""
    right = k2(logp, reference_logp)
    return k3(logp, reference_logp).detach() + right - right.detach()


def value_loss(value: Tensor, old_value: Tensor, returns: Tensor, clip: float | None) -> Tensor:
    """`max((V - R)^2, (clip(V, V_old - clip, V_old + clip) - R)^2) / 2`, elementwise; without a clip `(V - R)^2 / 2`.

    The clip keeps the critic, like the policy, near what it was when the batch was drawn (Schulman et al. 2017).
    """
    loss = (value - returns).square()
    if clip is not None:
        near = torch.minimum(torch.maximum(value, old_value - clip), old_value + clip)
        loss = loss.maximum((near - returns).square())
    return loss / 2

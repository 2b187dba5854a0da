"""What the policy is to gain from each token, by algorithm; the loss is its negative."""

from torch import Tensor

from trainer.algorithms import AlgorithmSection, Cispo, Clipped, DualClipped, Gspo
from trainer.losses import clipped_gain, ratio, reinforce_gain, sequence_ratio, weighted_gain


def token_gain(
    algorithm: AlgorithmSection, logp: Tensor, old_logp: Tensor, advantage: Tensor, row: Tensor, rows: int
) -> tuple[Tensor, Tensor]:
    """Gain of each token, and whether its ratio is outside of the clip: `[K], [K]`.

    Args:
        algorithm: which one.
        logp: of the policy, `[K]`, with gradient.
        old_logp: of the policy that sampled, by the trainer.
        advantage: of each token's rollout.
        row: number of each token's rollout.
        rows: how many rollouts there are.
    """
    if not isinstance(algorithm, Clipped):
        return reinforce_gain(logp, advantage), (logp != logp).detach()
    r = ratio(logp, old_logp)
    if isinstance(algorithm, Gspo):
        r = sequence_ratio(logp, old_logp, row, rows)
    low, high = algorithm.clip_low, algorithm.clip_high
    outside = ((r - 1 < -low) | (r - 1 > high)).detach()
    if isinstance(algorithm, Cispo):
        return weighted_gain(logp, r, advantage, low, high), outside
    dual = algorithm.dual_clip if isinstance(algorithm, DualClipped) else None
    return clipped_gain(r, advantage, low, high, dual), outside

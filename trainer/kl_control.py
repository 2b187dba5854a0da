"""The weight of the KL penalty, led to a target (Ziegler et al., arXiv 1909.08593, section 2.2)."""

_MOST_ERROR = 0.2


def adapted(coefficient: float, kl: float, *, target: float, sequences: int, horizon: int) -> float:
    """The coefficient after a batch: it grows while the policy is farther from the reference than the target.

    `coefficient * (1 + clip(kl / target - 1, -0.2, 0.2) * sequences / horizon)`. A batch larger than the horizon
    counts as one: beyond five horizons the weight would change its sign, and pay for divergence.

    Args:
        coefficient: the weight that was used, per nat.
        kl: divergence that was seen, in nats per *sequence*: the sum over its tokens. A mean over tokens would be far
            below any target meant for sequences, and the coefficient would only ever shrink.
        target: in nats per sequence.
        sequences: in the batch.
        horizon: sequences over which a steady error of 1 doubles the coefficient, before clipping.
    """
    error = min(max(kl / target - 1, -_MOST_ERROR), _MOST_ERROR)
    return coefficient * (1 + error * min(sequences / horizon, 1.0))

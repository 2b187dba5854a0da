"""From the reward of a rollout to the advantage of each of its tokens."""

from dataclasses import dataclass, replace

from torch import Tensor

from trainer.advantages import estimate, whitened
from trainer.algorithms import AlgorithmSection, Dapo, Ppo
from trainer.returns import at_the_end, gae, soft_overlong
from trainer.rollouts import Batch

NO_SIGNAL = 1e-6
"""An advantage below this is the rounding of equal rewards."""


@dataclass(frozen=True, slots=True)
class Credit:
    """What the policy and the critic are to learn from a batch."""

    advantage: Tensor
    """`[N, T]`, 0 where there is no token."""
    returns: Tensor | None = None
    """`[N, T]` what the critic should have said; None without a critic."""


def shaped(algorithm: AlgorithmSection, batch: Batch, longest: int) -> Batch:
    """The batch with the rewards that are learnt from: `dapo` punishes completions near the longest length."""
    if not isinstance(algorithm, Dapo) or algorithm.overlong_buffer == 0:
        return batch
    return replace(batch, reward=batch.reward + soft_overlong(batch.length, longest, algorithm.overlong_buffer))


def assign(algorithm: AlgorithmSection, batch: Batch, penalty: Tensor | None, values: Tensor | None) -> Credit:
    """Spread the rewards of scored rollouts over their tokens.

    Args:
        algorithm: PPO, which needs `values`, or one that compares groups.
        batch: N rollouts that all have a reward.
        penalty: `[N, T]` taken from the reward of each token, 0 where there is none; None for no penalty.
        values: `[N, T]` what the critic expected before each token.
    """
    if isinstance(algorithm, Ppo):
        if values is None:
            raise TypeError("ppo needs the values of a critic")
        return _with_critic(algorithm, batch, penalty, values.double())
    if penalty is not None:
        batch = replace(batch, reward=batch.reward - penalty.sum(1))
    known = estimate(algorithm, batch)
    known = known.masked_fill(known.abs() < NO_SIGNAL, 0.0)
    return Credit(known[:, None] * batch.mask)


def _with_critic(algorithm: Ppo, batch: Batch, penalty: Tensor | None, values: Tensor) -> Credit:
    reward = at_the_end(batch.reward, batch.length, values.shape[1])
    if penalty is not None:
        reward = reward - penalty
    advantage, returns = gae(reward, values, batch.mask, gamma=algorithm.gamma, gae_lambda=algorithm.gae_lambda)
    return Credit(whitened(advantage, batch.mask) * batch.mask, returns)


def by_rollout(advantage: Tensor, batch: Batch) -> Tensor:
    """The mean advantage of each rollout's tokens, `[N]`: what a log shows."""
    return advantage.sum(1) / batch.length.clamp_min(1).to(advantage.dtype)


def explained(values: Tensor, returns: Tensor, mask: Tensor) -> float:
    """Share of the variance of the returns that the critic foresaw: 1 is all, 0 no more than their mean would."""
    known, expected = returns[mask].double(), values[mask].double()
    spread = known.var(correction=0).item()
    return 1 - (known - expected).var(correction=0).item() / spread if spread > 0 else 0.0

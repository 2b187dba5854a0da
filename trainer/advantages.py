"""One function per estimator: rewards of grouped rollouts in, one advantage a rollout out.

All take `reward [N]` (finite; unscored rollouts are already gone) and `group [N]` (any integers), and work
in the rewards' own precision. Give them float64: the mean of equal float32 rewards is off by rounding, and
GRPO would divide that rounding by `eps` and train on it.
"""

import torch
from torch import Tensor

from trainer.algorithms import AlgorithmSection, Cispo, Dapo, DrGrpo, Gdpo, Grpo, Gspo, Ppo, ReinforcePlusPlus, Rloo
from trainer.rollouts import Batch

WHITENING_EPS = 1e-8


def estimate(algorithm: AlgorithmSection, batch: Batch) -> Tensor:
    """The advantages of a group algorithm for rollouts that all have a reward, `[N]`."""
    reward, group = batch.reward, batch.group
    match algorithm:
        case Gdpo():
            return gdpo(batch.parts, batch.part_weights, group, algorithm.std_eps)
        case Grpo() | Dapo() | Gspo() | Cispo():
            return grpo(reward, group, algorithm.std_eps)
        case DrGrpo():
            return dr_grpo(reward, group)
        case Rloo():
            return rloo(reward, group)
        case ReinforcePlusPlus():
            return whitened(dr_grpo(reward, group) if algorithm.baseline else reward, batch.length)
        case Ppo():
            raise TypeError("PPO's advantages are of tokens and need a critic: see trainer.credit")


def grpo(reward: Tensor, group: Tensor, eps: float) -> Tensor:
    """`(R - mean) / (std + eps)` within each group, unbiased standard deviation (arXiv 2402.03300, eq. 3).

    A group of one, like a unanimous group, has nothing to compare with: its advantage is 0.
    """
    index, size = _groups(group)
    centred = dr_grpo(reward, group)
    squares = torch.zeros_like(size, dtype=reward.dtype).index_add(0, index, centred.square())
    std = (squares / (size - 1).clamp_min(1)).sqrt()
    return centred / (std[index] + eps)


def dr_grpo(reward: Tensor, group: Tensor) -> Tensor:
    """`R - mean` within each group: nothing favours very easy and very hard tasks (arXiv 2503.20783).

    A group of one has advantage 0.
    """
    index, size = _groups(group)
    mean = torch.zeros_like(size, dtype=reward.dtype).index_add(0, index, reward) / size
    return reward - mean[index]


def rloo(reward: Tensor, group: Tensor) -> Tensor:
    """`R_i` less the mean of the others, which is `G / (G - 1) * (R_i - mean)` (arXiv 2402.14740).

    A group of one has no others: its advantage is 0, not its reward.
    """
    index, size = _groups(group)
    scale = size.to(reward.dtype) / (size - 1).clamp_min(1)
    return scale[index] * dr_grpo(reward, group)


def gdpo(parts: Tensor, weights: Tensor, group: Tensor, eps: float) -> Tensor:
    """`grpo` of each component, `[N, C]`, summed by weight, `[N, C]`, and whitened over the batch (arXiv 2601.05242).

    A component about which a group is unanimous says nothing there, however large it is.
    """
    total = torch.zeros(len(parts), dtype=parts.dtype, device=parts.device)
    for part, weight in zip(parts.T, weights.T, strict=True):
        total = total + weight * grpo(part, group, eps)
    return whitened(total, torch.ones_like(group))


def whitened(advantage: Tensor, tokens: Tensor) -> Tensor:
    """Mean 0 and unbiased standard deviation 1 over the tokens of the batch (REINFORCE++, arXiv 2501.03262; PPO).

    Either `[N]`, each rollout's advantage and how many tokens have it, or `[N, T]` and a mask. Equal rewards have
    nothing to compare with: all advantages are 0.
    """
    weight = tokens.to(advantage.dtype)
    count = weight.sum().clamp_min(1)
    centred = advantage - (weight * advantage).sum() / count
    variance = (weight * centred.square()).sum() / (count - 1).clamp_min(1)
    return centred / (variance.sqrt() + WHITENING_EPS)


def _groups(group: Tensor) -> tuple[Tensor, Tensor]:
    """Index of each rollout's group, `[N]`, and the size of each group."""
    _, index, size = group.unique(return_inverse=True, return_counts=True)
    return index, size

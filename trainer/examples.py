"""A batch with everything about it that stays fixed while the weights move."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.algorithms import AlgorithmSection, Clipped
from trainer.credit import assign, explained
from trainer.learner import Learner
from trainer.logprobs import batch_logprobs
from trainer.losses import k1, k2, k3
from trainer.rollouts import Batch

_PENALTIES = {"k1": k1, "k2": k2, "k3": k3}


@dataclass(frozen=True, slots=True)
class Examples:
    """N scored rollouts of at most T tokens."""

    batch: Batch
    advantage: Tensor
    """`[N, T]`"""
    old_logp: Tensor | None = None
    """`[N, T]` by the trainer with the weights that sampled; None while the policy still has them."""
    reference_logp: Tensor | None = None
    """`[N, T]`"""
    old_values: Tensor | None = None
    """`[N, T]`"""
    returns: Tensor | None = None
    """`[N, T]`"""

    def rows(self, index: Tensor) -> "Examples":
        """The rollouts at `index`, a mask or row numbers."""
        return Examples(
            self.batch.rows(index),
            self.advantage[index],
            *(
                None if known is None else known[index]
                for known in (self.old_logp, self.reference_logp, self.old_values, self.returns)
            ),
        )


def prepare(learner: Learner, batch: Batch) -> tuple[Examples, dict[str, float]]:
    """Score what was drawn with everything that is compared with, and say what that showed."""
    settings, algorithm = learner.settings, learner.settings.algorithm

    def logprobs(of: object) -> Tensor:
        return batch_logprobs(of, batch, temperature=settings.temperature, cut=settings.cut)

    old = logprobs(learner.model) if algorithm.needs_old else None
    with learner.as_reference() if algorithm.beta > 0 else nullcontext() as before:
        reference = None if before is None else logprobs(before)
    values = learner.critic.values(batch, settings.cut) if learner.critic else None
    penalty, seen = None, {}
    if old is not None and reference is not None:
        seen["kl_sequence"] = ((old - reference) * batch.mask).sum().item() / len(batch.length)
        if algorithm.kl_in == "reward":
            penalty = learner.kl_weight * _PENALTIES[algorithm.kl](old, reference).double() * batch.mask
    credit = assign(algorithm, batch, penalty, values)
    if values is not None and credit.returns is not None:
        seen["value_explained"] = explained(values, credit.returns, batch.mask)
    return Examples(batch, credit.advantage, old, reference, values, credit.returns), seen


def optimiser_steps(examples: Examples, algorithm: AlgorithmSection, *, always: bool) -> Iterator[Examples]:
    """The rows of each optimiser step: neighbours, so that most groups stay whole. Those without signal are left out,
    unless there is `always` something to learn."""
    epochs, parts = (algorithm.epochs, algorithm.minibatches) if isinstance(algorithm, Clipped) else (1, 1)
    rows = torch.arange(len(examples.advantage), device=examples.advantage.device)
    for _ in range(epochs):
        for index in rows.tensor_split(parts):
            part = examples.rows(index)
            if len(index) and (always or bool(part.advantage.any())):
                yield part

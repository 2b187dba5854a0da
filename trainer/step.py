"""One training step: graded rollouts in, new weights out."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from rewarders.errors import NonFiniteLoss
from trainer.advantages import estimate
from trainer.algorithms import AlgorithmSection, Clipped
from trainer.config import CorrectionSection
from trainer.correction import correction_weights, effective_share
from trainer.gains import token_gain
from trainer.logprobs import batch_logprobs, by_length, completion_logits, entropy, token_logprobs
from trainer.losses import k2, k3, k3_straight_through, token_weights
from trainer.rollouts import Batch

_DIVERGENCES = {"k2": k2, "k3": k3, "k3_straight_through": k3_straight_through}
NO_SIGNAL = 1e-6
"""An advantage below this is the rounding of equal rewards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSettings:
    """What a step needs to know."""

    algorithm: AlgorithmSection
    correction: CorrectionSection
    temperature: float
    max_new_tokens: int
    micro_batch: int
    max_grad_norm: float


def train_step(
    model: Any,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    settings: StepSettings,
    reference: nn.Module | None = None,
) -> dict[str, float]:
    """Update the policy on graded rollouts and say what happened.

    Raises:
        NonFiniteLoss: before the optimiser has moved on it.
    """
    algorithm, advantage = settings.algorithm, batch_advantages(settings.algorithm, batch)
    scored = ~batch.reward.isnan()
    batch, advantage = batch.rows(scored), advantage[scored]  # an unscored rollout is absent, not a zero
    if len(advantage) == 0 or not (algorithm.learns_without_signal or bool(advantage.any())):
        return {"stepped": 0.0}  # nothing to learn, but Adam would move on its momentum

    examples = _Examples(batch, advantage, *_fixed_logprobs(model, batch, settings, reference))
    tally = _Tally()
    for part in _optimiser_steps(examples, algorithm):
        moved = _optimise(model, optimizer, part, settings, tally)
        if isinstance(algorithm, Clipped) and algorithm.target_kl is not None and moved > algorithm.target_kl:
            break
    return tally.summary()


def batch_advantages(algorithm: AlgorithmSection, batch: Batch) -> Tensor:
    """The advantage of each rollout, `[N]`: exactly 0 where there is no signal, NaN where there is no reward.

    Unscored rollouts are no part of their group's statistics either.
    """
    scored = ~batch.reward.isnan()
    advantage = torch.full_like(batch.reward, math.nan)
    known = estimate(algorithm, batch.rows(scored))
    advantage[scored] = known.masked_fill(known.abs() < NO_SIGNAL, 0.0)
    return advantage


@dataclass(frozen=True, slots=True)
class _Examples:
    """A batch with everything about it that stays fixed while the weights move."""

    batch: Batch
    advantage: Tensor  # [N]
    old_logp: Tensor | None  # [N, T]; None while the policy is still the one that sampled
    reference_logp: Tensor | None  # [N, T]

    def rows(self, index: Tensor) -> "_Examples":
        old = None if self.old_logp is None else self.old_logp[index]
        reference = None if self.reference_logp is None else self.reference_logp[index]
        return _Examples(self.batch.rows(index), self.advantage[index], old, reference)


def _fixed_logprobs(
    model: Any, batch: Batch, settings: StepSettings, reference: nn.Module | None
) -> tuple[Tensor | None, Tensor | None]:
    algorithm = settings.algorithm
    several = isinstance(algorithm, Clipped) and algorithm.epochs * algorithm.minibatches > 1

    def logprobs(of: Any) -> Tensor:
        return batch_logprobs(of, batch, temperature=settings.temperature, micro_batch=settings.micro_batch)

    return logprobs(model) if several else None, logprobs(reference) if algorithm.beta > 0 else None


def _optimiser_steps(examples: _Examples, algorithm: AlgorithmSection) -> Iterator[_Examples]:
    """The rows of each optimiser step: neighbours, so that most groups stay whole."""
    epochs, parts = (algorithm.epochs, algorithm.minibatches) if isinstance(algorithm, Clipped) else (1, 1)
    rows = torch.arange(len(examples.advantage), device=examples.advantage.device)
    for _ in range(epochs):
        for index in rows.tensor_split(parts):
            part = examples.rows(index)
            if algorithm.learns_without_signal or bool(part.advantage.any()):
                yield part


def _optimise(
    model: Any, optimizer: torch.optim.Optimizer, examples: _Examples, settings: StepSettings, tally: "_Tally"
) -> float:
    """One optimiser step; how far the policy was from the one that sampled, in nats a token.

    Rows that cannot move the weights are skipped, but weigh in the denominator.
    """
    batch, algorithm = examples.batch, settings.algorithm
    weights = token_weights(batch.mask, algorithm.aggregation, settings.max_new_tokens)
    order = by_length(batch)
    if not algorithm.learns_without_signal:
        order = order[examples.advantage[order] != 0]
    loss, before = 0.0, tally.total("moved")
    for index in order.split(settings.micro_batch):
        micro = _micro_loss(model, examples.rows(index), weights[index], settings, tally)
        loss += _finite(micro, "loss")
        micro.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
    tally.stepped(loss, _finite(norm, "gradient norm"))
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return tally.mean_since("moved", before)


def _micro_loss(model: Any, examples: _Examples, weights: Tensor, settings: StepSettings, tally: "_Tally") -> Tensor:
    """These rows' share of the loss; `weights [n, T]` already hold the whole step's denominator."""
    batch, algorithm, mask = examples.batch, settings.algorithm, examples.batch.mask
    logits, tokens = completion_logits(model, batch)
    logp = token_logprobs(logits, tokens, settings.temperature)  # [K], as everything below
    old = logp.detach() if examples.old_logp is None else examples.old_logp[mask]
    advantage = examples.advantage.to(logp.dtype)[:, None].expand_as(mask)[mask]
    row, rows = mask.nonzero()[:, 0], len(mask)
    gain, outside = token_gain(algorithm, logp, old, advantage, row, rows)
    if settings.correction.kind != "none":
        weight = correction_weights(old, batch.sampler_logp[mask], row, rows, settings.correction)
        gain = gain * weight
        tally.add("correction_dropped", weight == 0)
        tally.add("correction_effective", effective_share(weight).expand_as(weight))
    if examples.reference_logp is not None:
        divergence = _DIVERGENCES[algorithm.kl](logp, examples.reference_logp[mask])
        gain = gain - algorithm.beta * divergence
        tally.add("kl", divergence.detach())
    with torch.set_grad_enabled(algorithm.entropy_bonus > 0):
        spread = entropy(logits, settings.temperature)
    if algorithm.entropy_bonus > 0:
        gain = gain + algorithm.entropy_bonus * spread
    if isinstance(algorithm, Clipped):
        tally.add("clip_share", outside)
    tally.add("entropy", spread.detach())
    tally.add("moved", k3(old, logp.detach()))
    tally.mismatch((old - batch.sampler_logp[mask]).abs())
    return -(gain * weights[mask].to(gain.dtype)).sum()


def _finite(value: Tensor, name: str) -> float:
    number = value.item()
    if not math.isfinite(number):
        raise NonFiniteLoss(
            f"the {name} is {number}; the weights are as they were before this optimiser step",
            hint="lower optim.lr, or look at the last rollouts in rollouts.jsonl",
        )
    return number


@dataclass(slots=True)
class _Tally:
    """Means over the tokens that were learnt from."""

    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    sums: dict[str, tuple[float, int]] = field(default_factory=dict)
    worst_mismatch: float = 0.0

    def add(self, name: str, values: Tensor) -> None:
        total, count = self.sums.get(name, (0.0, 0))
        self.sums[name] = (total + values.double().sum().item(), count + values.numel())

    def total(self, name: str) -> tuple[float, int]:
        return self.sums.get(name, (0.0, 0))

    def mean_since(self, name: str, before: tuple[float, int]) -> float:
        total, count = self.total(name)
        return (total - before[0]) / max(1, count - before[1])

    def mismatch(self, gap: Tensor) -> None:
        self.add("mismatch_mean", gap)
        self.worst_mismatch = max(self.worst_mismatch, gap.max().item())

    def stepped(self, loss: float, norm: float) -> None:
        self.losses.append(loss)
        self.norms.append(norm)

    def summary(self) -> dict[str, float]:
        """Means over optimiser steps and learnt tokens; `mismatch_*` compare sampler and trainer in nats."""
        means = {name: total / count for name, (total, count) in self.sums.items()}
        return {
            "stepped": float(len(self.losses)),
            "loss": sum(self.losses) / len(self.losses),
            "grad_norm": sum(self.norms) / len(self.norms),
            **means,
            "mismatch_max": self.worst_mismatch,
        }

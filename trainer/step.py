"""One training step: graded rollouts in, new weights out."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.algorithms import Aggregation, Clipped
from trainer.correction import correction_weights
from trainer.credit import by_rollout, shaped
from trainer.critic import Critic, token_values
from trainer.distributed.ranks import summed
from trainer.examples import Examples, optimiser_steps, prepare
from trainer.gains import token_gain
from trainer.kl_control import adapted
from trainer.learner import Learner
from trainer.logprobs import Entropy, completion_logprobs
from trainer.losses import k2, k3, k3_straight_through, token_weights, value_loss
from trainer.optim import descend
from trainer.packing import Cut
from trainer.rollouts import Batch
from trainer.tally import Tally, of_all_ranks

_DIVERGENCES = {"k2": k2, "k3": k3, "k3_straight_through": k3_straight_through}


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a step did."""

    metrics: dict[str, float]
    advantage: Tensor
    """`[N]` mean over the tokens of each rollout; NaN where it was unscored."""


def train_step(learner: Learner, batch: Batch, step: int = 1) -> Learnt:
    """Update the policy, and the critic where there is one, on graded rollouts.

    Args:
        learner: what learns.
        batch: N rollouts; one without a reward is absent and not a zero.
        step: training step, counted from 1.

    Raises:
        NonFiniteLoss: before the optimiser has moved on it.
    """
    algorithm = learner.settings.algorithm
    advantage = torch.full_like(batch.reward, math.nan)
    scored = ~batch.reward.isnan()
    if algorithm.mask_truncated and learner.critic:
        scored &= ~batch.truncated  # there is no group whose comparison they belong to
    if not bool(scored.any()):
        return Learnt({"stepped": 0.0}, advantage)
    examples, seen = prepare(learner, shaped(algorithm, batch.rows(scored), learner.settings.max_new_tokens))
    advantage[scored] = by_rollout(examples.advantage, examples.batch)
    if algorithm.mask_truncated:
        examples = examples.rows(~examples.batch.truncated)
    if not (learner.learns_without_signal or bool(examples.advantage.any())):
        return Learnt({"stepped": 0.0, **seen}, advantage)  # nothing to learn, but Adam would move on its momentum
    metrics = {**_descents(learner, examples, step).summary(), **seen}
    if metrics["stepped"]:
        metrics |= _adapt(learner, seen, len(examples.advantage))
    return Learnt(metrics, advantage)


def _descents(learner: Learner, examples: Examples, step: int) -> Tally:
    """All the optimiser steps on a batch."""
    algorithm, tally = learner.settings.algorithm, Tally()
    for place, part in enumerate(optimiser_steps(examples, algorithm, always=learner.learns_without_signal)):
        if learner.critic:
            _descend_critic(learner, learner.critic, part, tally)
        if learner.critic and step <= learner.critic.settings.warmup_steps:
            continue
        moved = _descend_policy(learner, part, (step - 1) * algorithm.most_steps + place, tally)
        if isinstance(algorithm, Clipped) and algorithm.target_kl is not None and moved > algorithm.target_kl:
            break
    return tally


def _adapt(learner: Learner, seen: dict[str, float], sequences: int) -> dict[str, float]:
    """Lead the weight of the KL penalty to its target, and say what it was."""
    algorithm = learner.settings.algorithm
    if algorithm.kl_target is None:
        return {}
    used = learner.kl_weight
    learner.beta = adapted(
        used, seen["kl_sequence"], target=algorithm.kl_target, sequences=sequences, horizon=algorithm.kl_horizon
    )
    return {"kl_weight": used}


def _descend_policy(learner: Learner, examples: Examples, update: int, tally: Tally) -> float:
    """One optimiser step; how far the policy was from the one that sampled, in nats a token.

    Rows that cannot move the weights are skipped, but weigh in the denominator.
    """
    own = Tally()
    losses = _policy_losses(learner, examples, update, own)
    tally.descended("policy", *descend(learner.model, learner.optimizer, losses, learner.settings.max_grad_norm))
    seen = of_all_ranks(own)
    tally.take(seen)
    return seen.mean("moved")


def _policy_losses(learner: Learner, examples: Examples, update: int, tally: Tally) -> Iterator[Tensor]:
    settings, batch = learner.settings, examples.batch
    weights = token_weights(batch.mask, settings.algorithm.aggregation, settings.max_new_tokens)
    moving = None if settings.algorithm.learns_without_signal else (examples.advantage != 0).any(1)
    for index in settings.cut.share(batch, moving):
        yield _micro_loss(learner, examples.rows(index), weights[index], tally)
    if learner.pretraining:
        whole = weights.new_zeros(1)
        for loss in learner.pretraining.losses(learner.model, update, settings.cut):
            whole += loss.detach()
            yield loss
        tally.add("ptx_loss", summed(whole))


def _micro_loss(learner: Learner, examples: Examples, weights: Tensor, tally: Tally) -> Tensor:
    """These rows' share of the loss; `weights [n, T]` already hold the whole step's denominator."""
    settings, algorithm = learner.settings, learner.settings.algorithm
    batch, mask = examples.batch, examples.batch.mask
    wanted: Entropy = "gradient" if algorithm.entropy_bonus > 0 else "value"
    logp, spread = completion_logprobs(learner.model, batch, temperature=settings.temperature, entropy=wanted)
    old = logp.detach() if examples.old_logp is None else examples.old_logp[mask]
    row, rows = mask.nonzero()[:, 0], len(mask)
    gain, outside = token_gain(algorithm, logp, old, examples.advantage.to(logp.dtype)[mask], row, rows)
    if settings.correction.kind != "none":
        weight = correction_weights(old, batch.sampler_logp[mask], row, rows, settings.correction)
        gain = gain * weight
        tally.add("correction_dropped", weight == 0)
        tally.weigh("correction_effective", weight)
    if examples.reference_logp is not None:
        reference = examples.reference_logp[mask]
        tally.add("kl", k3(logp.detach(), reference))
        if algorithm.kl_in == "loss":
            gain = gain - learner.kl_weight * _DIVERGENCES[algorithm.kl](logp, reference)
    if algorithm.entropy_bonus > 0:
        gain = gain + algorithm.entropy_bonus * spread
    if isinstance(algorithm, Clipped):
        tally.add("clip_share", outside)
    tally.add("entropy", spread.detach())
    tally.add("moved", k3(old, logp.detach()))
    gap = (old - batch.sampler_logp[mask]).abs()
    tally.add("mismatch_mean", gap)
    tally.largest_of("mismatch_max", gap)
    return -(gain * weights[mask].to(gain.dtype)).sum()


def _descend_critic(learner: Learner, critic: Critic, examples: Examples, tally: Tally) -> None:
    """One optimiser step of the critic, on the mean over all tokens."""
    losses = _value_losses(critic, examples, learner.settings.cut)
    tally.descended("critic", *descend(critic.model, critic.optimizer, losses, learner.settings.max_grad_norm))


def _value_losses(critic: Critic, examples: Examples, cut: Cut) -> Iterator[Tensor]:
    if examples.returns is None or examples.old_values is None:
        raise TypeError("a critic learns from returns and its old values")
    weights = token_weights(examples.batch.mask, Aggregation.TOKEN_MEAN, 0)
    for index in cut.share(examples.batch):
        part = examples.batch.rows(index)
        value = token_values(critic.model, part)
        old, returns = (known[index][part.mask].to(value.dtype) for known in (examples.old_values, examples.returns))
        loss = value_loss(value, old, returns, critic.settings.value_clip)
        yield (loss * weights[index][part.mask].to(loss.dtype)).sum()

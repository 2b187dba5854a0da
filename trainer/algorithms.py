"""The [algorithm] section: one model per algorithm, so that an option of another algorithm is an error.

| name         | advantage                      | loss aggregation             | clip of the ratio            |
|--------------|--------------------------------|------------------------------|------------------------------|
| grpo         | (R - mean) / (std + std_eps)   | mean of sequence means       | 0.2 / 0.2                    |
| dr_grpo      | R - mean                       | sum / (rows x max_new_tokens)| 0.2 / 0.2                    |
| dapo         | (R - mean) / (std + std_eps)   | mean over all tokens         | 0.2 / 0.28                   |
| gspo         | (R - mean) / (std + std_eps)   | mean of sequence means       | 3e-4 / 4e-4, of the sequence |
| cispo        | (R - mean) / (std + std_eps)   | mean over all tokens         | a weight of at most 1 + 4    |
| gdpo         | each component as in grpo, then whitened | mean of sequence means | 0.2 / 0.2                  |
| reinforce_pp | R, whitened over the batch     | mean over all tokens         | 0.2 / 0.2                    |
| rloo         | R - mean of the others         | mean over all tokens         | none                         |
| ppo          | GAE with a critic, whitened    | mean over all tokens         | 0.2 / 0.2                    |
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from trainer.section import NonNegative, Positive, Section, Share

ClipWidth = Annotated[float, Field(gt=0.0, lt=1.0)]


class Aggregation(StrEnum):
    """What the tokens' losses are divided by: see `trainer.losses.token_weights`."""

    SEQUENCE_MEAN = "sequence_mean"
    TOKEN_MEAN = "token_mean"
    CONSTANT_LENGTH = "constant_length"


class Algorithm(Section):
    """What every algorithm has."""

    aggregation: ClassVar[Aggregation]
    beta: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of the KL divergence from the starting model, in nats a token; above 0 that model is kept in memory."""
    kl: Literal["k1", "k2", "k3", "k3_straight_through"] = "k3"
    """Its estimate. k3, which is GRPO's, is never negative, but as a loss has another gradient than the divergence; k2
    has the right one; `k3_straight_through` has k3's value and k2's gradient; k1 is for rewards."""
    kl_in: Literal["loss", "reward"] = "loss"
    """Whether the penalty is a part of the loss, or is taken from the reward before advantages are estimated."""
    kl_target: Annotated[float, Field(gt=0.0)] | None = None
    """Divergence to keep to, in nats per sequence (the sum over its tokens): `beta` is then where its weight begins."""
    kl_horizon: Positive = 10_000
    """Sequences over which the weight follows the target; see `trainer.kl_control`."""
    mask_truncated: bool = False
    """Leave completions that were cut off at the longest length out of the loss; their rewards still count in their
    group."""
    entropy_bonus: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of the policy's entropy, in nats a token, in what is maximised."""

    @property
    def learns_without_signal(self) -> bool:
        """Whether rollouts of equal rewards move the weights all the same."""
        return (self.beta > 0 and self.kl_in == "loss") or self.entropy_bonus > 0

    @property
    def most_steps(self) -> int:
        """Optimiser steps that a batch may take."""
        return 1

    @property
    def needs_old(self) -> bool:
        """Whether the weights that sampled will be needed when they have moved on, or before the first step."""
        return self.beta > 0 and (self.kl_in == "reward" or self.kl_target is not None)

    @model_validator(mode="after")
    def _the_penalty_has_a_gradient(self) -> Self:
        if self.kl == "k1" and self.kl_in == "loss" and self.beta > 0:
            raise ValueError('k1 as a loss has a gradient of 0 on average: set kl_in = "reward", or another estimate')
        if self.kl == "k3_straight_through" and self.kl_in == "reward":
            raise ValueError("in a reward there is no gradient to pass through: take k1, which is unbiased, or k3")
        if self.kl_target is not None and self.beta == 0:
            raise ValueError("kl_target needs a beta above 0 to begin with")
        if self.kl_in == "reward" and hasattr(self, "std_eps"):
            raise ValueError('kl_in = "reward" would be part of the spread of rewards that this algorithm divides by')
        return self


class Clipped(Algorithm):
    """An algorithm that may take several optimiser steps on a batch, held by a clipped ratio."""

    epochs: Annotated[int, Field(ge=1)] = 1
    """Passes over each batch of rollouts."""
    minibatches: Annotated[int, Field(ge=1)] = 1
    """Optimiser steps in one pass."""
    clip_low: ClipWidth = 0.2
    """The ratio earns nothing below 1 - clip_low."""
    clip_high: Annotated[float, Field(gt=0.0, le=10.0)] = 0.2
    """The ratio earns nothing above 1 + clip_high."""
    target_kl: Annotated[float, Field(gt=0.0)] | None = None
    """Nats a token that a batch may move the policy: an optimiser step that finds more is the batch's last."""

    @property
    def most_steps(self) -> int:
        """Of all passes."""
        return self.epochs * self.minibatches

    @property
    def needs_old(self) -> bool:
        """Also for the second optimiser step."""
        return self.most_steps > 1 or super().needs_old

    @model_validator(mode="after")
    def _a_target_can_be_missed(self) -> Self:
        if self.target_kl is not None and self.most_steps == 1:
            raise ValueError("target_kl ends the optimiser steps of a batch early, and there is only one")
        return self


class DualClipped(Clipped):
    """A clipped ratio whose loss is bounded on the other side too."""

    dual_clip: Annotated[float, Field(gt=1.0)] | None = None
    """A bad token costs at most this many times its advantage, however likely it has become (arXiv 1912.09729)."""


class Grpo(DualClipped):
    """Group relative policy optimisation (DeepSeekMath, arXiv 2402.03300)."""

    aggregation: ClassVar[Aggregation] = Aggregation.SEQUENCE_MEAN
    name: Literal["grpo"]
    std_eps: Annotated[float, Field(gt=0.0)] = 1e-4
    """Added to a group's standard deviation, in units of reward."""


class DrGrpo(DualClipped):
    """GRPO without the two biases, of length and of difficulty (arXiv 2503.20783)."""

    aggregation: ClassVar[Aggregation] = Aggregation.CONSTANT_LENGTH
    name: Literal["dr_grpo"]


class Dapo(DualClipped):
    """Token-level loss, a wider upper clip, and groups drawn anew that have no signal (arXiv 2503.14476)."""

    aggregation: ClassVar[Aggregation] = Aggregation.TOKEN_MEAN
    name: Literal["dapo"]
    sampling_rounds: Annotated[int, Field(ge=1, le=64)] = 1
    """Most rounds of sampling in a step: after the first, prompts are drawn for the groups that had no signal. 1 takes
    groups as they come."""
    overlong_buffer: NonNegative = 0
    """Tokens before the longest length over which the reward falls by up to 1 (soft overlong); 0 for none."""
    clip_high: Annotated[float, Field(gt=0.0, le=10.0)] = 0.28
    """The ratio earns nothing above 1 + clip_high."""
    std_eps: Annotated[float, Field(gt=0.0)] = 1e-4
    """Added to a group's standard deviation, in units of reward."""


class Gdpo(DualClipped):
    """GRPO with each component of the reward normalised by itself (arXiv 2601.05242).

    Completions that earn the same by different components have the same reward, and here not the same advantage.
    """

    aggregation: ClassVar[Aggregation] = Aggregation.SEQUENCE_MEAN
    name: Literal["gdpo"]
    std_eps: Annotated[float, Field(gt=0.0)] = 1e-4
    """Added to a component's standard deviation in its group, in units of reward."""


class Gspo(Clipped):
    """The ratio of whole sequences, by the geometric mean of their tokens' (arXiv 2507.18071)."""

    aggregation: ClassVar[Aggregation] = Aggregation.SEQUENCE_MEAN
    name: Literal["gspo"]
    clip_low: ClipWidth = 3e-4
    """The ratio earns nothing below 1 - clip_low."""
    clip_high: Annotated[float, Field(gt=0.0, le=10.0)] = 4e-4
    """The ratio earns nothing above 1 + clip_high."""
    std_eps: Annotated[float, Field(gt=0.0)] = 1e-4
    """Added to a group's standard deviation, in units of reward."""


class Cispo(Clipped):
    """REINFORCE weighted by a clipped ratio: no token is left without a gradient (MiniMax-M1, arXiv 2506.13585)."""

    aggregation: ClassVar[Aggregation] = Aggregation.TOKEN_MEAN
    name: Literal["cispo"]
    clip_low: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """The weight is at least 1 - clip_low; the paper has no lower bound, which is 1."""
    clip_high: Annotated[float, Field(gt=0.0, le=10.0)] = 4.0
    """The weight is at most 1 + clip_high. Implementations differ: some give the bound itself, some 0.28."""
    std_eps: Annotated[float, Field(gt=0.0)] = 1e-4
    """Added to a group's standard deviation, in units of reward."""


class ReinforcePlusPlus(DualClipped):
    """REINFORCE with the advantages of the whole batch whitened (arXiv 2501.03262)."""

    aggregation: ClassVar[Aggregation] = Aggregation.TOKEN_MEAN
    name: Literal["reinforce_pp"]
    baseline: bool = False
    """Subtract the mean of the group first, as its "baseline" variant does."""


class Rloo(Algorithm):
    """REINFORCE with a leave-one-out baseline (arXiv 2402.14740): on-policy, one optimiser step a batch."""

    aggregation: ClassVar[Aggregation] = Aggregation.TOKEN_MEAN
    name: Literal["rloo"]


class Ppo(DualClipped):
    """Proximal policy optimisation with a critic, rewarded at the end (arXiv 1707.06347; for language 2203.02155).

    Needs no group: a completion is compared with what the critic expected of it, token by token. See `[critic]`.
    """

    aggregation: ClassVar[Aggregation] = Aggregation.TOKEN_MEAN
    name: Literal["ppo"]
    kl: Literal["k1", "k2", "k3", "k3_straight_through"] = "k1"
    """The estimate of the divergence; k1 in the reward is unbiased."""
    kl_in: Literal["loss", "reward"] = "reward"
    """Whether the penalty is a part of the loss, or is taken from the reward of each token."""
    gamma: Share = 1.0
    """Discount of a token."""
    gae_lambda: Share = 1.0
    """1 trusts the reward alone, 0 the critic's next value (GAE, arXiv 1506.02438). Below 1 the first of many tokens
    learn only what the critic has already understood: of a reward 100 tokens away, 0.95 leaves 0.6 %."""

    @property
    def learns_without_signal(self) -> bool:
        """Always: equal rewards still differ from what the critic expected."""
        return True


AlgorithmSection = Annotated[
    Grpo | DrGrpo | Dapo | Gdpo | Gspo | Cispo | ReinforcePlusPlus | Rloo | Ppo, Field(discriminator="name")
]

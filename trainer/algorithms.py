"""The [algorithm] section: one model per algorithm, so that an option of another algorithm is an error.

| name    | advantage                      | loss aggregation             | clip       |
|---------|--------------------------------|------------------------------|------------|
| grpo    | (R - mean) / (std + std_eps)   | mean of sequence means       | 0.2 / 0.2  |
| dr_grpo | R - mean                       | sum / (rows x max_new_tokens)| 0.2 / 0.2  |
| dapo    | (R - mean) / (std + std_eps)   | mean over all tokens         | 0.2 / 0.28 |
| rloo    | R - mean of the others         | mean over all tokens         | none       |
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

ClipWidth = Annotated[float, Field(gt=0.0, lt=1.0)]


class Aggregation(StrEnum):
    """What the tokens' losses are divided by: see `trainer.losses.token_weights`."""

    SEQUENCE_MEAN = "sequence_mean"
    TOKEN_MEAN = "token_mean"
    CONSTANT_LENGTH = "constant_length"


class Algorithm(BaseModel):
    """What every algorithm has."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    aggregation: ClassVar[Aggregation]
    beta: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of the k3 estimate of the KL divergence from the starting model; above 0 it is kept in memory."""


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


class Grpo(Clipped):
    """Group relative policy optimisation (DeepSeekMath, arXiv 2402.03300)."""

    aggregation: ClassVar[Aggregation] = Aggregation.SEQUENCE_MEAN
    name: Literal["grpo"]
    std_eps: Annotated[float, Field(gt=0.0)] = 1e-4
    """Added to a group's standard deviation, in units of reward."""


class DrGrpo(Clipped):
    """GRPO without the two biases, of length and of difficulty (arXiv 2503.20783)."""

    aggregation: ClassVar[Aggregation] = Aggregation.CONSTANT_LENGTH
    name: Literal["dr_grpo"]


class Dapo(Clipped):
    """Token-level loss and a wider upper clip (arXiv 2503.14476). Its dynamic sampling is left out."""

    aggregation: ClassVar[Aggregation] = Aggregation.TOKEN_MEAN
    name: Literal["dapo"]
    clip_high: Annotated[float, Field(gt=0.0, le=10.0)] = 0.28
    """The ratio earns nothing above 1 + clip_high."""
    std_eps: Annotated[float, Field(gt=0.0)] = 1e-4
    """Added to a group's standard deviation, in units of reward."""


class Rloo(Algorithm):
    """REINFORCE with a leave-one-out baseline (arXiv 2402.14740): on-policy, one optimiser step a batch."""

    aggregation: ClassVar[Aggregation] = Aggregation.TOKEN_MEAN
    name: Literal["rloo"]


AlgorithmSection = Annotated[Grpo | DrGrpo | Dapo | Rloo, Field(discriminator="name")]

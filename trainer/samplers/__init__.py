"""What a sampler promises: token ids in, token ids and their log-probabilities out.

Log-probabilities are taken at the sampling temperature, over the whole vocabulary. There is no top_p and no
top_k: both renormalise over a truncated vocabulary, so the reported probability of a token would differ
from the policy's by the mass cut off, and the ratio the step is built on would carry that difference
without anyone seeing it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rewarders.types import FinishReason


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRequest:
    """How to complete a batch of prompts."""

    group_size: int
    """Completions of each prompt."""
    max_new_tokens: int
    temperature: float
    """0 takes the likeliest token each time."""
    seed: str
    """Decides every draw: the same weights, prompts and seed give the same completions."""
    weight_version: str
    """Name of the weights now in the sampler; it comes back on each sample."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion as the policy produced it."""

    tokens: tuple[int, ...]
    """The stop token included, where there is one: the policy chose it."""
    logprobs: tuple[float, ...]
    """Of each token, at the sampling temperature; at temperature 0, at temperature 1."""
    finish_reason: FinishReason
    weight_version: str


class Sampler(Protocol):
    """Completes prompts with the weights it took last."""

    def sample(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> list[list[Sample]]:
        """`group_size` completions of each prompt, in the order of the prompts."""
        ...

    def stream(self, prompts: Sequence[Sequence[int]], request: SampleRequest) -> Iterator[tuple[int, list[Sample]]]:
        """The same completions: the number of each prompt and its completions, once the last of them has finished."""
        ...

    def take_weights(self, model: Any, version: str) -> None:
        """Sample with the weights of this transformers model from now on; `version` is what requests call them."""
        ...

    def close(self) -> None:
        """Give back what sampling needs; there is no sampling afterwards."""
        ...

"""Rollouts, and the batch of tensors a step is computed on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rewarders.types import Completion, FinishReason, Task
from trainer.samplers import Sample


@dataclass(frozen=True, slots=True)
class Rollout:
    """One completion of one task, before it is graded."""

    task: Task
    prompt: tuple[int, ...]
    """Token ids the completion continues."""
    group: int
    """Index of the prompt within the step; completions of one prompt are compared with one another."""
    index: int
    """Index within the group."""
    sample: Sample
    text: str

    def staleness(self, step: int) -> int:
        """By how many versions its weights are older than those that step `step` begins with."""
        return step - 1 - int(self.sample.weight_version.removeprefix("step-"))

    @property
    def completion(self) -> Completion:
        """The completion as the reward service takes it."""
        return Completion(
            text=self.text, finish_reason=self.sample.finish_reason, policy_version=self.sample.weight_version
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """N rollouts of G prompts as tensors; P and T are the longest prompt and the longest completion."""

    prompts: Tensor
    """`[G, P]` token ids, padded on the left."""
    prompt_length: Tensor
    """`[G]`"""
    tokens: Tensor
    """`[N, T]` token ids, padded on the right."""
    length: Tensor
    """`[N]`"""
    sampler_logp: Tensor
    """`[N, T]` what the sampler reported."""
    truncated: Tensor
    """`[N]` whether the completion was cut off at the longest length."""
    reward: Tensor
    """`[N]` float64; NaN where unscored."""
    group: Tensor
    """`[N]` row of `prompts`."""
    parts: Tensor
    """`[N, C]` float64: what each component of the rubric added to the reward; 0 for one that a rubric lacks."""
    part_weights: Tensor
    """`[N, C]` float64: the size of its weight in the rubric."""

    @property
    def mask(self) -> Tensor:
        """`[N, T]`, true where there is a token."""
        places = torch.arange(self.tokens.shape[1], device=self.tokens.device)
        return places < self.length[:, None]

    def rows(self, index: Tensor) -> "Batch":
        """The rollouts at `index`, a mask or row numbers; prompts stay as they are."""
        return replace(
            self,
            tokens=self.tokens[index],
            length=self.length[index],
            sampler_logp=self.sampler_logp[index],
            truncated=self.truncated[index],
            reward=self.reward[index],
            group=self.group[index],
            parts=self.parts[index],
            part_weights=self.part_weights[index],
        )


Part = tuple[float, float]
"""What a component added to the reward, and the size of its weight."""


def pack(
    rollouts: Sequence[Rollout],
    rewards: Sequence[float | None],
    device: torch.device,
    parts: Sequence[Mapping[str, Part]] = (),
) -> Batch:
    """Tensors of graded rollouts; a reward of None becomes NaN, which the step leaves out.

    Args:
        rollouts: in their order.
        rewards: of each.
        device: where the tensors are to be.
        parts: of each rollout, the parts of its reward by component; none where they do not matter.
    """
    names = list(dict.fromkeys(name for known in parts for name in known))
    table = [[known.get(name, (0.0, 0.0)) for name in names] for known in parts] or [[] for _ in rollouts]
    prompts = {rollout.group: rollout.prompt for rollout in rollouts}
    row = {group: index for index, group in enumerate(prompts)}
    scored = [float("nan") if reward is None else reward for reward in rewards]
    return Batch(
        prompts=_padded(list(prompts.values()), torch.long, device, left=True),
        prompt_length=torch.tensor([len(prompt) for prompt in prompts.values()], device=device),
        tokens=_padded([rollout.sample.tokens for rollout in rollouts], torch.long, device),
        length=torch.tensor([len(rollout.sample.tokens) for rollout in rollouts], device=device),
        sampler_logp=_padded([rollout.sample.logprobs for rollout in rollouts], torch.float32, device),
        truncated=torch.tensor([r.sample.finish_reason == FinishReason.LENGTH for r in rollouts], device=device),
        reward=torch.tensor(scored, dtype=torch.float64, device=device),
        group=torch.tensor([row[rollout.group] for rollout in rollouts], device=device),
        parts=_column(table, 0, device),
        part_weights=_column(table, 1, device),
    )


def _column(table: Sequence[Sequence[Part]], place: int, device: torch.device) -> Tensor:
    return torch.tensor([[part[place] for part in row] for row in table], dtype=torch.float64, device=device)


def _padded(rows: Sequence[Sequence[float]], dtype: torch.dtype, device: torch.device, *, left: bool = False) -> Tensor:
    width = max(len(row) for row in rows)
    blank = [[0] * (width - len(row)) for row in rows]
    filled = [[*pad, *row] if left else [*row, *pad] for pad, row in zip(blank, rows, strict=True)]
    return torch.tensor(filled, dtype=dtype, device=device)

"""A policy that vLLM can serve on a CPU, servers of it, and what the trainer makes of their samples."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rewarders.types import Message, Task
from trainer.config import TrainConfig
from trainer.logprobs import batch_logprobs
from trainer.models import Policy, load_policy
from trainer.packing import Cut
from trainer.rollouts import Rollout, pack
from trainer.samplers import Sample, Sampler, SampleRequest
from trainer.samplers.building import built_sampler
from trainer.samplers.section import SamplerSection
from trainer.tiny import build_tiny_model

PROMPTS = tuple(tuple(6 + (5 * row + place) % 12 for place in range(3 + 4 * row)) for row in range(5))


def build_servable_model(path: Path) -> None:
    """Heads of 32: vLLM on CPUs has no smaller ones."""
    build_tiny_model(path, "0123456789+=", hidden=64, layers=2, heads=2, seed=7)


def run_config(model: Path, run_dir: Path, dtype: str = "float32", **sampler: Any) -> TrainConfig:
    """A run that samples as `sampler` says, quickly."""
    return TrainConfig.model_validate(
        {
            "run": {"dir": run_dir, "steps": 1},
            "model": {"path": str(model), "device": "cpu", "dtype": dtype},
            "data": {"tasks": "t.jsonl"},
            "algorithm": {"name": "grpo"},
            "sampling": {"max_prompt_tokens": 64, "max_new_tokens": 24, "temperature": 0.8},
            "sampler": {"eager": True, "checksum_every_steps": 5, "timeout_s": 60.0, **sampler},
        }
    )


def asking(config: TrainConfig, urls: Sequence[str], **sampler: Any) -> TrainConfig:
    """The same run with servers that are there already."""
    told = {**config.sampler.model_dump(exclude_unset=True), "spawn": 0, "urls": urls, **sampler}
    return config.model_copy(update={"sampler": SamplerSection.model_validate(told)})


@contextmanager
def sampling(config: TrainConfig) -> Iterator[tuple[Policy, Sampler]]:
    """A policy, and a sampler that has its weights as `step-0`."""
    policy = load_policy(config.model)
    with built_sampler(config, policy) as sampler:
        sampler.take_weights(policy.model, "step-0")
        yield policy, sampler


class Optimiser:
    """Real steps on a loss that means nothing: what moves weights is all the same to a sampler."""

    def __init__(self, model: Any, lr: float = 1e-3) -> None:
        self._model = model
        self._optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
        self._draw = torch.Generator().manual_seed(0)

    def step(self) -> None:
        """Change every weight."""
        ids = torch.randint(3, 18, (4, 16), generator=self._draw).to(self._model.device)
        self._model(input_ids=ids, labels=ids).loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad()


def request(version: str, **changes: Any) -> SampleRequest:
    """Three completions of each prompt, with the weights called so."""
    chosen = {"group_size": 3, "max_new_tokens": 24, "temperature": 0.8, "seed": f"t/{version}", **changes}
    return SampleRequest(weight_version=version, **chosen)


def difference(policy: Policy, groups: list[list[Sample]], temperature: float = 0.8) -> Tensor:
    """Sizes of the differences of all tokens between what the sampler reports and the trainer computes, in a row."""
    task = Task(id="t", prompt=(Message(role="user", content="1"),), rubric="math.v1", reference={})
    rollouts = [
        Rollout(task, PROMPTS[number], number, index, sample, "")
        for number, group in enumerate(groups)
        for index, sample in enumerate(group)
    ]
    batch = pack(rollouts, [None] * len(rollouts), policy.device)
    logp = batch_logprobs(policy.model, batch, temperature=temperature, cut=Cut(64))
    return (logp - batch.sampler_logp).abs()[batch.mask]


def differences_after_syncs(policy: Policy, sampler: Sampler, count: int, temperature: float = 0.8) -> list[float]:
    """Train, sync, sample and compare, over and over: the mean difference each time."""
    optimiser, means = Optimiser(policy.model), []
    for step in range(1, count + 1):
        optimiser.step()
        sampler.take_weights(policy.model, f"step-{step}")
        samples = sampler.sample(PROMPTS, request(f"step-{step}", temperature=temperature, group_size=2))
        means.append(difference(policy, samples, temperature).mean().item())
    return means

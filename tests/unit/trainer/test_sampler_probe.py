"""Every planted fault is refused, and named. The sampler is a real one with the fault built around it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.config import ModelSection, TrainConfig
from trainer.logprobs import batch_logprobs
from trainer.models import Policy, load_policy
from trainer.packing import Cut
from trainer.rollouts import Rollout, pack
from trainer.samplers import Sample, Sampler, SampleRequest
from trainer.samplers.hf import HfSampler
from trainer.samplers.probe import Parity, SamplerDisagrees, check_parity

Prompts = Sequence[Sequence[int]]
Samples = list[list[Sample]]


class Planted:
    """Samples honestly after `asked` has changed the question, and reports what `told` makes of it."""

    def __init__(self, sampler: Sampler, *, asked: Any = None, told: Any = None) -> None:
        self._sampler, self._asked, self._told = sampler, asked, told

    def sample(self, prompts: Prompts, request: SampleRequest) -> Samples:
        if self._asked:
            prompts, request = self._asked(prompts, request)
        samples = self._sampler.sample(prompts, request)
        return self._told(prompts, samples) if self._told else samples

    def take_weights(self, model: Any, version: str) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "run": {"dir": tmp_path, "steps": 1, "seed": 5},
            "model": {"path": "m", "device": "cpu"},
            "data": {"tasks": "t.jsonl"},
            "algorithm": {"name": "grpo"},
            "sampling": {"temperature": 0.6, "max_new_tokens": 12},
        }
    )


@pytest.fixture
def tasks(make_task: Callable[..., Any]) -> list[Any]:
    return [make_task(f"t{number}", f"{number}+{number}=") for number in range(40)]


def honest(policy: Policy) -> HfSampler:
    return HfSampler(policy.model, stop_ids=policy.stop_ids)


def rescored(policy: Policy, prompts: Prompts, samples: Samples, task: Any, temperature: float) -> Samples:
    rollouts = [Rollout(task, tuple(p), n, 0, group[0], "") for n, (p, group) in enumerate(zip(prompts, samples))]  # noqa: B905
    batch = pack(rollouts, [None] * len(rollouts), torch.device("cpu"))
    logp = batch_logprobs(policy.model, batch, temperature=temperature, cut=Cut(64))
    return [
        [replace(group[0], logprobs=tuple(row[: len(group[0].tokens)].tolist()))]
        for row, group in zip(logp, samples, strict=True)
    ]


def refusal(config: TrainConfig, policy: Policy, sampler: Sampler, tasks: list[Any], **others: Any) -> str:
    with pytest.raises(SamplerDisagrees) as raised:
        check_parity(config, policy, sampler, tasks, "step-0", others.get("other_weights"))
    return str(raised.value)


def test_a_sampler_that_agrees_is_let_through(config: TrainConfig, policy: Policy, tasks: list[Any]):
    parity = check_parity(config, policy, honest(policy), tasks, "step-0")
    assert isinstance(parity, Parity)
    assert parity.mean < 1e-5
    assert parity.largest < 1e-4
    assert parity.tokens > 16


def test_the_same_prompts_are_asked_each_time_and_no_more_than_configured(
    config: TrainConfig, policy: Policy, tasks: list[Any]
):
    asked: list[Any] = []

    def noted(prompts: Prompts, request: SampleRequest) -> tuple[Prompts, SampleRequest]:
        asked.append((prompts, request))
        return prompts, request

    for _ in range(2):
        check_parity(config, policy, Planted(honest(policy), asked=noted), tasks, "step-0")
    assert asked[0] == asked[1]
    assert len(asked[0][0]) == 16
    assert asked[0][1].seed == "5/parity"


def test_raw_log_probabilities_are_named(config: TrainConfig, policy: Policy, tasks: list[Any]):
    told = lambda prompts, samples: rescored(policy, prompts, samples, tasks[0], 1.0)  # noqa: E731
    assert "raw log-probabilities" in refusal(config, policy, Planted(honest(policy), told=told), tasks)


def test_a_temperature_that_is_not_applied_is_named(config: TrainConfig, policy: Policy, tasks: list[Any]):
    config = config.model_copy(update={"sampling": config.sampling.model_copy(update={"temperature": 2.0})})
    asked = lambda prompts, request: (prompts, replace(request, temperature=1.0))  # noqa: E731
    said = refusal(config, policy, Planted(honest(policy), asked=asked), tasks)
    assert "does not apply the temperature of 2" in said


def test_a_truncated_vocabulary_is_named(config: TrainConfig, policy: Policy, tasks: list[Any]):
    def truncated(prompts: Prompts, samples: Samples) -> Samples:
        kept = 0.8  # what top_p leaves, about: every reported probability is divided by it
        scale = -torch.log(torch.tensor(kept)).item()
        return [
            [replace(s, logprobs=tuple(lp + scale * (1 + 0.3 * (n % 3)) for n, lp in enumerate(s.logprobs)))]
            for (s,) in samples
        ]

    said = refusal(config, policy, Planted(honest(policy), told=truncated), tasks)
    assert "top_p, top_k or min_p" in said


def test_stale_weights_are_named(config: TrainConfig, policy: Policy, model_path: Path, tasks: list[Any]):
    stale = load_policy(ModelSection(path=str(model_path), device="cpu"))
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    others = {"the model the run began with": lambda: stale.model}
    said = refusal(config, policy, honest(stale), tasks, other_weights=others)
    assert "stale: they are those of the model the run began with" in said


def test_a_token_put_before_every_prompt_is_named(config: TrainConfig, policy: Policy, tasks: list[Any]):
    policy.tokenizer.bos_token = "<|system|>"
    start = policy.tokenizer.bos_token_id
    asked = lambda prompts, request: ([[start, *prompt] for prompt in prompts], request)  # noqa: E731
    assert "beginning-of-sequence" in refusal(config, policy, Planted(honest(policy), asked=asked), tasks)


def test_another_precision_is_named(config: TrainConfig, model_path: Path, policy: Policy, tasks: list[Any]):
    coarse = load_policy(ModelSection(path=str(model_path), device="cpu", dtype="bfloat16"))
    assert "rounding to bfloat16" in refusal(config, policy, honest(coarse), tasks)


def test_another_vocabulary_is_named(config: TrainConfig, policy: Policy, tasks: list[Any]):
    told = lambda prompts, samples: [[replace(s, tokens=(9999, *s.tokens[1:]))] for (s,) in samples]  # noqa: E731
    assert "another tokenizer" in refusal(config, policy, Planted(honest(policy), told=told), tasks)


def test_log_probabilities_that_are_not_finite_are_refused(config: TrainConfig, policy: Policy, tasks: list[Any]):
    told = lambda prompts, samples: [[replace(s, logprobs=(float("nan"),) * len(s.tokens))] for (s,) in samples]  # noqa: E731
    assert "not finite" in refusal(config, policy, Planted(honest(policy), told=told), tasks)


def test_what_nothing_explains_is_refused_all_the_same(config: TrainConfig, policy: Policy, tasks: list[Any]):
    def told(prompts: Prompts, samples: Samples) -> Samples:
        return [[replace(s, logprobs=tuple(lp + (-1) ** n for n, lp in enumerate(s.logprobs)))] for (s,) in samples]

    assert "no known cause" in refusal(config, policy, Planted(honest(policy), told=told), tasks)

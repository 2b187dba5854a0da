"""Prompts to rollouts: template the tasks, ask the sampler, decode what it wrote."""

from collections.abc import Sequence

from rewarders.types import Task
from trainer.chat import prompt_ids, written_text
from trainer.models import Policy
from trainer.rollouts import Rollout
from trainer.samplers import Sampler, SampleRequest


def draw(
    policy: Policy, sampler: Sampler, tasks: Sequence[Task], request: SampleRequest, *, max_prompt_tokens: int
) -> list[Rollout]:
    """Complete each task `request.group_size` times; completions of a task follow one another.

    Raises:
        ConfigError: a prompt is too long, or cannot be templated.
    """
    prompts = [prompt_ids(policy.tokenizer, task, max_prompt_tokens) for task in tasks]
    groups = sampler.sample(prompts, request)
    return [
        Rollout(
            task=task,
            prompt=tuple(prompt),
            group=group,
            index=index,
            sample=sample,
            text=written_text(policy.tokenizer, sample.tokens, policy.stop_ids),
        )
        for group, (task, prompt, samples) in enumerate(zip(tasks, prompts, groups, strict=True))
        for index, sample in enumerate(samples)
    ]

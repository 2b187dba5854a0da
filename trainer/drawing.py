"""Prompts to rollouts: template the tasks, ask the sampler, decode what it wrote."""

from collections.abc import Sequence

from rewarders.errors import ConfigError
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
        ConfigError: a prompt is too long, for the configuration or with its completion for the model, or cannot be
            templated.
    """
    prompts = [prompt_ids(policy.tokenizer, task, max_prompt_tokens) for task in tasks]
    _refuse_beyond_positions(policy, tasks, prompts, request.max_new_tokens)
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


def _refuse_beyond_positions(
    policy: Policy, tasks: Sequence[Task], prompts: Sequence[Sequence[int]], max_new_tokens: int
) -> None:
    room = getattr(policy.model.config, "max_position_embeddings", None)
    for task, prompt in zip(tasks, prompts, strict=True):
        if room and len(prompt) + max_new_tokens > room:
            raise ConfigError(
                f"task {task.id}: {len(prompt)} tokens of prompt and sampling.max_new_tokens = {max_new_tokens} "
                f"are more than the {room} positions of the model",
                hint="lower sampling.max_new_tokens, or drop the task",
            )

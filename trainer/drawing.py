"""Prompts to rollouts: template the tasks, ask the sampler, decode what it wrote."""

from collections.abc import Iterator, Sequence

from rewarders.errors import ConfigError
from rewarders.types import Task
from trainer.chat import prompt_ids, written_text
from trainer.models import Policy
from trainer.rollouts import Rollout
from trainer.samplers import Sample, Sampler, SampleRequest


def draw(
    policy: Policy, sampler: Sampler, tasks: Sequence[Task], request: SampleRequest, *, max_prompt_tokens: int
) -> list[Rollout]:
    """Complete each task `request.group_size` times; completions of a task follow one another.

    Raises:
        ConfigError: a prompt is too long, for the configuration or with its completion for the model, or cannot be
            templated.
    """
    prompts = _prompts(policy, tasks, request, max_prompt_tokens)
    groups = enumerate(zip(tasks, prompts, sampler.sample(prompts, request), strict=True))
    return [rollout for group, drawn in groups for rollout in _rollouts(policy, group, *drawn)]


def draw_groups(
    policy: Policy, sampler: Sampler, tasks: Sequence[Task], request: SampleRequest, *, max_prompt_tokens: int
) -> Iterator[list[Rollout]]:
    """The same completions, each task's as soon as the last of them has finished. Raises as `draw`."""
    prompts = _prompts(policy, tasks, request, max_prompt_tokens)
    for group, samples in sampler.stream(prompts, request):
        yield _rollouts(policy, group, tasks[group], prompts[group], samples)


def _prompts(
    policy: Policy, tasks: Sequence[Task], request: SampleRequest, max_prompt_tokens: int
) -> list[Sequence[int]]:
    prompts: list[Sequence[int]] = [prompt_ids(policy.tokenizer, task, max_prompt_tokens) for task in tasks]
    _refuse_beyond_positions(policy, tasks, prompts, request.max_new_tokens)
    return prompts


def _rollouts(
    policy: Policy, group: int, task: Task, prompt: Sequence[int], samples: Sequence[Sample]
) -> list[Rollout]:
    return [
        Rollout(
            task=task,
            prompt=tuple(prompt),
            group=group,
            index=index,
            sample=sample,
            text=written_text(policy.tokenizer, sample.tokens, policy.stop_ids),
        )
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

"""Held-out accuracy with an interval that says how far to trust it."""

import math
from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from env_server.schemas import Run, ScoredItem
from rewarders.errors import ConfigError
from rewarders.types import Task
from trainer.checkpoint import Checkpoint
from trainer.config import EvalSection, TrainConfig
from trainer.data import load_task_set
from trainer.drawing import draw
from trainer.export import resolve_checkpoint
from trainer.grading import Grader, check_fault_budget, component_means
from trainer.lora import ADAPTER, add_adapter, read_adapter
from trainer.masters import lower
from trainer.models import Policy, load_policy, use_threads
from trainer.record import locked
from trainer.rollouts import Rollout
from trainer.samplers import Sampler, SampleRequest
from trainer.samplers.building import built_sampler

_SCORE_TOLERANCE = 1e-9
"""Weighted means are rounded to a grid of 2^-40, so a full reward may be that much short of 1."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the held-out tasks say about a policy. Unscored completions are counted and otherwise left out."""

    accuracy: float
    """pass@1: mean over tasks of the share of completions that passed."""
    low: float
    """Lower end of the Wilson 95 % interval of the accuracy."""
    high: float
    """Upper end of the Wilson 95 % interval of the accuracy."""
    tasks: int
    """Tasks with a scored completion."""
    completions: int
    unscored: int
    reward: float
    components: dict[str, float]
    """Mean score of each component."""
    length: float
    """Mean tokens of a completion."""

    def metrics(self) -> dict[str, float]:
        """As lines of metrics.jsonl name it."""
        unknown = {"components"} if self.tasks else {"components", "accuracy", "reward"}
        plain = {f"held_out/{key}": value for key, value in asdict(self).items() if key not in unknown}
        return plain | {f"held_out/component/{name}": mean for name, mean in self.components.items()}


def evaluate(
    policy: Policy, sampler: Sampler, grader: Grader, tasks: Sequence[Task], config: TrainConfig, *, step: int
) -> Evaluation:
    """Complete and grade the held-out tasks; the same weights give the same answer every time.

    Raises:
        ConfigError: there are no held-out tasks.
        FaultBudgetExceeded: too many completions are unscored for the accuracy to mean anything.
    """
    chosen = tasks[: config.eval.limit] if config.eval.limit else tasks
    if not chosen:
        raise ConfigError("there is no held-out task", hint="set data.held_out, or give tasks the held-out split")
    request = SampleRequest(
        group_size=config.eval.samples,
        max_new_tokens=config.sampling.max_new_tokens,
        temperature=config.eval.temperature,
        seed=f"{config.run.seed}/eval",
        weight_version=f"step-{step}",
    )
    rollouts = draw(policy, sampler, chosen, request, max_prompt_tokens=config.sampling.max_prompt_tokens)
    graded = grader.grade(rollouts, Run(id=f"{config.run.id}/held-out", step=step))
    check_fault_budget(graded, config.grading.fault_budget, step)
    return summarise(rollouts, graded, config.eval)


def summarise(rollouts: Sequence[Rollout], graded: Sequence[ScoredItem], config: EvalSection) -> Evaluation:
    """Count what passed. Where nothing was scored, the interval is [0, 1] and the means are 0."""
    passes: dict[int, list[bool]] = defaultdict(list)
    rewards = [item.reward for item in graded if item.reward is not None]
    for rollout, item in zip(rollouts, graded, strict=True):
        passed = _passed(item, config)
        if passed is not None:
            passes[rollout.group].append(passed)
    accuracy = _mean([_mean(shares) for shares in passes.values()])
    low, high = wilson(accuracy * len(passes), len(passes))
    return Evaluation(
        accuracy=accuracy,
        low=low,
        high=high,
        tasks=len(passes),
        completions=len(rollouts),
        unscored=len(graded) - sum(map(len, passes.values())),
        reward=_mean(rewards),
        components=component_means(graded),
        length=_mean([len(rollout.sample.tokens) for rollout in rollouts]),
    )


def wilson(successes: float, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval for a share; `[0, 1]` without trials.

    Trials are tasks, not completions: several completions of one task are not independent.
    """
    if trials == 0:
        return 0.0, 1.0
    share, spread = successes / trials, z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def _passed(item: ScoredItem, config: EvalSection) -> bool | None:
    """Whether the completion passed; None where a failure of ours leaves that open."""
    if item.reward is None:
        return None
    if config.pass_component is None:
        return item.reward >= config.pass_reward - _SCORE_TOLERANCE
    named = [part for part in item.components if part.rewarder == config.pass_component]
    if not named:
        raise ConfigError(
            f"eval.pass_component = {config.pass_component}: rubric {item.rubric} has no such part",
            hint=f"it has {', '.join(part.rewarder for part in item.components)}",
        )
    if any(part.verdict is None for part in named):
        return None
    return all(part.verdict is not None and part.verdict.score == 1.0 for part in named)


def _mean(values: Sequence[Any]) -> float:
    return sum(values) / len(values) if values else 0.0


def as_trained(config: TrainConfig, found: Checkpoint | None) -> Policy:
    """The policy that a run of this configuration would sample with: adapter by itself, rounded to its arithmetic.

    Raises:
        ConfigError: there is no such model; or the checkpoint's adapter is missing, or has another shape.
    """
    adapted = config.lora.rank and (found is None or (found.path / ADAPTER).is_dir())
    if found and not adapted and config.lora.sync == "adapter":
        raise ConfigError(f'{found.path} has no adapter, and lora.sync = "adapter"', hint='set lora.sync = "merged"')
    policy = load_policy(config.model, found.path if found and not adapted else None)
    if adapted:
        add_adapter(policy.model, config.lora, config.run.seed)
    if found and adapted:
        read_adapter(found.path / ADAPTER, policy.model)
    lower(policy.model, getattr(torch, config.model.arithmetic))
    return policy


def evaluate_model(config: TrainConfig, grader: Grader, checkpoint: Path | None) -> dict[str, Any]:
    """Evaluate the configured model, or a checkpoint in its place; says which beside what it found.

    Raises:
        ConfigError: as `evaluate`, or there is no such model or checkpoint.
    """
    use_threads(config.run.threads)
    found = resolve_checkpoint(checkpoint) if checkpoint else None
    tasks = load_task_set(config.data)
    policy = as_trained(config, found)
    step = found.step if found else 0
    # Servers that others started may be a run's at this moment, and would lose its weights to us.
    alone = locked(config.run.dir) if config.sampler.urls else nullcontext()
    with alone, built_sampler(config, policy) as sampler:
        sampler.take_weights(policy.model, f"step-{step}")
        result = evaluate(policy, sampler, grader, tasks.held_out, config, step=step)
    return {"model": str(found.path if found else config.model.path), "step": step, **asdict(result)}

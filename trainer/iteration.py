"""One training step, from the tasks to the log."""

import math
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from env_server.schemas import Run
from trainer.algorithms import Dapo
from trainer.config import TrainConfig
from trainer.data import TaskOrder, TaskSet
from trainer.detectors.alarms import heed, metrics_of
from trainer.detectors.watch import Findings, Watch
from trainer.drawing import draw
from trainer.evaluate import evaluate
from trainer.gathering import Gathered, gather
from trainer.grading import Grader, check_fault_budget, component_means, reward_parts
from trainer.learner import Learner, set_learning_rates
from trainer.models import Policy
from trainer.nonfinite import naming_rollouts
from trainer.record import RunRecord
from trainer.rollouts import Rollout, pack
from trainer.samplers import Sampler, SampleRequest
from trainer.step import Learnt, train_step


@dataclass(frozen=True, slots=True)
class Training:
    """What a run is built of."""

    config: TrainConfig
    tasks: TaskSet
    order: TaskOrder
    policy: Policy
    learner: Learner
    sampler: Sampler
    grader: Grader
    record: RunRecord
    watch: Watch
    identity: dict[str, Any]
    done: int


def take_step(training: Training, step: int) -> dict[str, float]:
    """Draw, grade, inspect, learn, hand the weights on; what it logs.

    Raises:
        TrainingError: too many faults, a loss that is no number, a detector that stops the run.
    """
    config, started = training.config, time.perf_counter()
    gathered = _gathered(training, step)
    findings, alarms = _inspected(training, gathered, step)
    gathering_ended = time.perf_counter()
    learnt = _learn(training, gathered, findings, step)
    training.sampler.take_weights(training.policy.model, f"step-{step}")
    ended = time.perf_counter()
    metrics = {**_describe(gathered, learnt.advantage), **learnt.metrics, **findings.metrics}
    metrics |= {"rounds": float(gathered.rounds)} if rounds(config) > 1 else {}
    if config.eval.every_steps and step % config.eval.every_steps == 0:
        metrics |= evaluated(training, step)
    late = training.watch.after(metrics, gathered.graded)
    metrics |= metrics_of(late)
    _log(training, step, metrics, gathered, findings, learnt.advantage)
    training.record.alarms([*alarms, *(alarm.line(step) for alarm in late)])
    heed(step, late, done=step)
    spent = {"sample_s": gathered.sample_s, "grade_s": gathered.grade_s, "train_s": ended - gathering_ended}
    training.record.timings(step, {**spent, "step_s": ended - started, "whole_s": time.perf_counter() - started})
    return metrics


def _inspected(training: Training, gathered: Gathered, step: int) -> tuple[Findings, list[dict[str, Any]]]:
    """What the rollouts give away before anything is learnt from them, and the lines that say so."""
    rollouts, graded = gathered.rollouts, gathered.graded
    check_fault_budget(graded, training.config.grading.fault_budget, step)
    training.record.see_rubrics(graded)
    findings = training.watch.before(rollouts, graded)
    lines = [alarm.line(step, rollouts, graded) for alarm in findings.alarms]
    heed(step, findings.alarms, lines, done=step - 1)
    return findings, lines


def _learn(training: Training, gathered: Gathered, findings: Findings, step: int) -> Learnt:
    """Learn from what was kept and not masked; advantages are those of all rollouts."""
    graded, learner, device = gathered.graded, training.learner, training.policy.device
    rewards = [None if row in findings.masked else item.reward for row, item in enumerate(graded)]
    batch = pack(gathered.rollouts, rewards, device, list(map(reward_parts, graded)))
    kept = torch.tensor(gathered.kept, device=device)
    rate = set_learning_rates(learner, training.config, step)
    with naming_rollouts(learner, batch, graded, step):
        learnt = train_step(learner, batch.rows(kept), step)
    advantage = torch.zeros_like(batch.reward)  # what a round left behind had no signal
    advantage[kept] = learnt.advantage
    advantage[batch.reward.isnan()] = math.nan
    return Learnt({**learnt.metrics, "lr": rate}, advantage)


def _gathered(training: Training, step: int) -> Gathered:
    config = training.config
    return gather(
        partial(_draw, training, step),
        lambda drawn: training.grader.grade(drawn, Run(id=config.run.id, step=step)),
        groups=config.sampling.prompts_per_step,
        rounds=rounds(config),
    )


def rounds(config: TrainConfig) -> int:
    """Most rounds of sampling in a step."""
    return config.algorithm.sampling_rounds if isinstance(config.algorithm, Dapo) else 1


def _draw(training: Training, step: int, turn: int, prompts: int) -> list[Rollout]:
    """A round of a step: the tasks of each are a function of the seed alone, so that a resumed run draws the same."""
    config, sampling = training.config, training.config.sampling
    tasks = training.order.for_step(step, turn)[:prompts]
    request = SampleRequest(
        group_size=sampling.group_size,
        max_new_tokens=sampling.max_new_tokens,
        temperature=sampling.temperature,
        seed=f"{config.run.seed}/{step}" if turn == 0 else f"{config.run.seed}/{step}/{turn}",
        weight_version=f"step-{step - 1}",
    )
    return draw(training.policy, training.sampler, tasks, request, max_prompt_tokens=sampling.max_prompt_tokens)


def _describe(gathered: Gathered, advantage: Tensor) -> dict[str, float]:
    """What the rollouts were like, before they taught anything."""
    rollouts, graded = gathered.rollouts, gathered.graded
    rewards = torch.tensor([item.reward for item in graded if item.reward is not None], dtype=torch.float64)
    lengths = [len(rollout.sample.tokens) for rollout in rollouts]
    telling = {rollout.group for rollout, gain in zip(rollouts, advantage.nan_to_num().tolist(), strict=True) if gain}
    return {
        **({"reward_mean": rewards.mean().item()} if len(rewards) else {}),
        **{f"component/{name}": mean for name, mean in component_means(graded).items()},
        "signal_share": len(telling) / len({rollout.group for rollout in rollouts}),
        "unscored_share": 1 - len(rewards) / len(graded),
        "length_mean": sum(lengths) / len(lengths),
        "truncated_share": sum(r.sample.finish_reason == "length" for r in rollouts) / len(rollouts),
        "tokens": float(sum(lengths)),
    }


def evaluated(training: Training, step: int) -> dict[str, float]:
    """How the held-out tasks go now, as metrics.jsonl names it."""
    found = evaluate(
        training.policy,
        training.sampler,
        training.grader,
        training.tasks.held_out,
        training.config,
        step=step,
    )
    return found.metrics()


def _log(
    training: Training,
    step: int,
    metrics: dict[str, float],
    gathered: Gathered,
    findings: Findings,
    advantage: Tensor,
) -> None:
    record, run = training.record, training.config.run
    if findings.evidence:
        record.evidence({"step": step, **findings.evidence})
    record.metrics(step, metrics)
    if step % run.rollouts_every_steps == 0:
        known = [None if value != value else value for value in advantage.tolist()]
        record.rollouts(step, gathered.rollouts, gathered.graded, known, run.rollouts_kept)

"""One training step, from the tasks to the log."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from trainer.config import TrainConfig
from trainer.data import TaskSet
from trainer.detectors.alarms import Alarm, heed, metrics_of
from trainer.detectors.watch import Findings, Watch
from trainer.distributed.leading import led
from trainer.evaluate import evaluate
from trainer.gathering import Gathered
from trainer.grading import Grader, check_fault_budget, component_means, reward_parts
from trainer.learner import Learner, set_learning_rates
from trainer.models import Policy
from trainer.nonfinite import naming_rollouts
from trainer.pipeline.supply import Supply, rounds
from trainer.profile.flops import texts_work, work
from trainer.record import RunRecord
from trainer.rollouts import pack
from trainer.samplers import Sampler
from trainer.step import Learnt, train_step
from trainer.stopwatch import lap


@dataclass(frozen=True, slots=True)
class Training:
    """What a run is built of."""

    config: TrainConfig
    tasks: TaskSet
    policy: Policy
    learner: Learner
    sampler: Sampler
    supply: Supply
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
    started = time.perf_counter()
    gathered = training.supply.gather(step)
    findings, alarms = led(partial(_inspected, training, gathered, step))
    gathering_ended = time.perf_counter()
    learnt = _learn(training, gathered, findings, step)
    training.supply.take_weights(step)
    ended = time.perf_counter()
    spent = {"sample_s": gathered.sample_s, "grade_s": gathered.grade_s, "train_s": ended - gathering_ended}
    spent |= {"step_s": ended - started}
    metrics, late = led(partial(_told, training, step, gathered, findings, alarms, learnt))
    spent |= {"whole_s": time.perf_counter() - started, **lap(), **_work(training, gathered, learnt, step)}
    led(lambda: training.record.timings(step, spent))
    heed(step, late, done=step)
    return metrics


def _work(training: Training, gathered: Gathered, learnt: Learnt, step: int) -> dict[str, float]:
    """What the step computed with, for `trainer profile`."""
    algorithm, pretraining = training.config.algorithm, training.learner.pretraining
    found = work(gathered.rollouts, learnt.advantage.tolist(), gathered.kept, algorithm)
    if pretraining:
        first = (step - 1) * algorithm.most_steps
        updates = range(first, first + int(learnt.metrics["stepped"]))
        found |= texts_work([text.learnt for update in updates for text in pretraining.texts(update)])
    return found


def _told(
    training: Training,
    step: int,
    gathered: Gathered,
    findings: Findings,
    alarms: list[dict[str, Any]],
    learnt: Learnt,
) -> tuple[dict[str, float], Sequence[Alarm]]:
    """What the step was like, once it is logged, and the alarms it raised."""
    config = training.config
    metrics = {**_describe(gathered, learnt.advantage), **learnt.metrics, **findings.metrics}
    metrics |= {"rounds": float(gathered.rounds)} if rounds(config) > 1 else {}
    metrics |= _staleness(gathered, step) if config.pipeline.max_staleness else {}
    if config.eval.every_steps and step % config.eval.every_steps == 0:
        metrics |= evaluated(training, step)
    late = training.watch.after(metrics, gathered.graded)
    metrics |= metrics_of(late)
    _log(training, step, metrics, gathered, findings, learnt.advantage)
    training.record.alarms([*alarms, *(alarm.line(step) for alarm in late)])
    return metrics, late


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


def _staleness(gathered: Gathered, step: int) -> dict[str, float]:
    """By how many versions the weights that sampled lag behind those that learn."""
    lags = [rollout.staleness(step) for rollout in gathered.rollouts]
    return {"staleness_mean": sum(lags) / len(lags), "staleness_max": float(max(lags))}


def evaluated(training: Training, step: int) -> dict[str, float]:
    """How the held-out tasks go now, as metrics.jsonl names it."""
    policy, grader, tasks, config = training.policy, training.grader, training.tasks.held_out, training.config
    found = training.supply.with_newest(
        lambda sampler: evaluate(policy, sampler, grader, tasks, config, step=step),
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

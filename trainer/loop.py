"""The whole run: prompts -> sampler -> groups -> grader -> step -> weights."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from env_server.schemas import Run, ScoredItem
from trainer import checkpoint as checkpoints
from trainer.algorithms import Dapo
from trainer.chat import written_text
from trainer.config import TrainConfig
from trainer.data import TaskOrder, TaskSet, load_task_set
from trainer.detectors.alarms import StoppedByDetector, heed, metrics_of
from trainer.detectors.watch import Watch
from trainer.drawing import draw
from trainer.evaluate import evaluate
from trainer.gathering import Gathered, gather
from trainer.grading import Grader, check_fault_budget, component_means, reward_parts
from trainer.interruption import Interruption
from trainer.learner import Learner, build_learner, set_learning_rates
from trainer.model_source import template_digest
from trainer.models import Policy, load_policy, use_threads
from trainer.narration import Narrator, held_out_line
from trainer.nonfinite import naming_rollouts
from trainer.pretraining import pretraining_digest
from trainer.provenance import provenance
from trainer.record import RunRecord, locked
from trainer.rollouts import Rollout, pack
from trainer.samplers import Sampler, SampleRequest
from trainer.samplers.building import built_sampler
from trainer.samplers.probe import check_parity
from trainer.step import train_step


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended."""

    step: int
    """Training steps done."""
    complete: bool
    """False if a signal ended the run early."""
    checkpoint: Path
    metrics: dict[str, float]
    """Of the last step."""


@dataclass(frozen=True, slots=True)
class _Training:
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


def train(config: TrainConfig, grader: Grader, console: Console) -> Finished:
    """Train from the run directory's newest checkpoint, or from the model, up to `run.steps`.

    Raises:
        ConfigError, TrainingError: see the modules this one calls; the last checkpoint stays good.
    """
    with locked(config.run.dir), Interruption() as interruption, _built(config, grader) as training:
        metrics: dict[str, float] = {}
        path = config.run.dir / "checkpoints" / f"step-{training.done:06d}"
        step = training.done
        _start_sampling(training, console)
        if step:
            console.print(f"going on from {path}", highlight=False, soft_wrap=True)
        elif config.eval.every_steps:
            metrics = _evaluate(training, 0)
            training.record.metrics(0, metrics)
            console.print(f"step 0/{config.run.steps}  {held_out_line(metrics)}", highlight=False)
        heed(step, training.watch.standing(), done=step)
        narrator = Narrator(config.run.steps)
        with _progress(console, config.run.steps, step) as progress:
            while step < config.run.steps and not interruption.asked:
                step += 1
                with _saved_if_stopped(training):
                    metrics = _step(training, step)
                for alarm in training.watch.raised:
                    console.print(alarm.sentence, style="yellow", highlight=False, markup=False, soft_wrap=True)
                console.print(narrator.line(step, metrics), highlight=False, markup=False, soft_wrap=True)
                if step % config.checkpoint.every_steps == 0 or step == config.run.steps or interruption.asked:
                    path = _save(training, step)
                progress.advance(progress.task_ids[0])
        return Finished(step, step >= config.run.steps, path, metrics)


@contextmanager
def _built(config: TrainConfig, grader: Grader) -> Iterator[_Training]:
    """Everything is made here and nowhere else."""
    use_threads(config.run.threads)
    tasks = load_task_set(config.data)
    digests = {"data.tasks": tasks.digests["train"], **pretraining_digest(config.ptx), **template_digest(config.model)}
    identity = checkpoints.identity_of(config, digests)
    found = checkpoints.latest(config.run.dir / "checkpoints")
    if found:
        checkpoints.check_identity(found, identity)
    policy = load_policy(config.model, found.path if found else None)
    learner = build_learner(config, policy, found)
    done = found.step if found else 0
    record = RunRecord(config.run.dir, found.offsets if found else {}, next_step=done + 1 if done else 0)
    try:
        record.manifest(config, {"tasks": tasks.digests, **provenance(config, policy)})
        record.track(config.tracking, config)
        decode = partial(written_text, policy.tokenizer, stop_ids=())
        with built_sampler(config, policy) as sampler:
            yield _Training(
                config=config,
                tasks=tasks,
                order=tasks.order(
                    seed=config.run.seed, prompts_per_step=config.sampling.prompts_per_step, rounds=_rounds(config)
                ),
                policy=policy,
                learner=learner,
                sampler=sampler,
                grader=grader,
                record=record,
                watch=Watch(
                    config.detectors, decode, record.history("metrics.jsonl"), record.history("evidence.jsonl")
                ),
                identity=identity,
                done=done,
            )
    finally:
        record.close()


def _start_sampling(training: _Training, console: Console) -> None:
    """Give the sampler the weights to go on with, and refuse one that does not mean by them what the trainer means."""
    config, version = training.config, f"step-{training.done}"
    training.sampler.take_weights(training.policy.model, version)
    if config.sampler.kind == "hf" or not config.sampler.parity_prompts:
        return
    beginning = {"the model the run began with": lambda: load_policy(config.model).model}
    tasks = training.tasks.train
    parity = check_parity(config, training.policy, training.sampler, tasks, version, beginning if training.done else {})
    console.print(
        f"sampler and trainer differ by {parity.mean:.1e} nats a token over {parity.tokens} tokens",
        highlight=False,
    )


def _step(training: _Training, step: int) -> dict[str, float]:
    """One step of training, and what it logs."""
    config, started = training.config, time.perf_counter()
    gathered = _gathered(training, step)
    rollouts, graded = gathered.rollouts, gathered.graded
    check_fault_budget(graded, config.grading.fault_budget, step)
    training.record.see_rubrics(graded)
    findings = training.watch.before(rollouts, graded)
    alarms = [alarm.line(step, rollouts, graded) for alarm in findings.alarms]
    heed(step, findings.alarms, alarms, done=step - 1)
    gathering_ended = time.perf_counter()
    rewards = [None if row in findings.masked else item.reward for row, item in enumerate(graded)]
    parts = list(map(reward_parts, graded))
    batch = pack(rollouts, rewards, training.policy.device, parts)
    rate = set_learning_rates(training.learner, config, step)
    kept = torch.tensor(gathered.kept, device=training.policy.device)
    with naming_rollouts(training.learner, batch, graded, step):
        learnt = train_step(training.learner, batch.rows(kept), step)
    training.sampler.take_weights(training.policy.model, f"step-{step}")
    advantage = torch.zeros_like(batch.reward)  # what a round left behind had no signal
    advantage[kept] = learnt.advantage
    advantage[batch.reward.isnan()] = math.nan
    ended = time.perf_counter()
    metrics = {**_describe(rollouts, graded, batch.group, advantage), **learnt.metrics, "lr": rate}
    metrics |= {"rounds": float(gathered.rounds)} if _rounds(config) > 1 else {}
    if config.eval.every_steps and step % config.eval.every_steps == 0:
        metrics |= _evaluate(training, step)
    metrics |= findings.metrics
    late = training.watch.after(metrics, graded)
    metrics |= metrics_of(late)
    if findings.evidence:
        training.record.evidence({"step": step, **findings.evidence})
    _log(training, step, metrics, rollouts, graded, advantage)
    training.record.alarms([*alarms, *(alarm.line(step) for alarm in late)])
    heed(step, late, done=step)
    spent = {
        "sample_s": gathered.sample_s,
        "grade_s": gathered.grade_s,
        "train_s": ended - gathering_ended,
    }
    training.record.timings(step, {**spent, "step_s": ended - started, "whole_s": time.perf_counter() - started})
    return metrics


@contextmanager
def _saved_if_stopped(training: _Training) -> Iterator[None]:
    """A detector that ends the run leaves a checkpoint of what was done, and then its alarm on record."""
    try:
        yield
    except StoppedByDetector as stop:
        newest = checkpoints.latest(training.config.run.dir / "checkpoints")
        if stop.done > (newest.step if newest else 0):
            _save(training, stop.done)
        training.record.alarms(stop.lines)
        raise


def _gathered(training: _Training, step: int) -> Gathered:
    config = training.config
    return gather(
        partial(_draw, training, step),
        lambda drawn: training.grader.grade(drawn, Run(id=config.run.id, step=step)),
        groups=config.sampling.prompts_per_step,
        rounds=_rounds(config),
    )


def _rounds(config: TrainConfig) -> int:
    return config.algorithm.sampling_rounds if isinstance(config.algorithm, Dapo) else 1


def _draw(training: _Training, step: int, turn: int, prompts: int) -> list[Rollout]:
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


def _describe(rollouts: list[Rollout], graded: list[ScoredItem], group: Tensor, advantage: Tensor) -> dict[str, float]:
    """What the rollouts were like, before they taught anything."""
    rewards = torch.tensor([item.reward for item in graded if item.reward is not None], dtype=torch.float64)
    lengths = [len(rollout.sample.tokens) for rollout in rollouts]
    groups = len(group.unique())
    moved = {"reward_mean": rewards.mean().item()} if len(rewards) else {}
    return {
        **moved,
        **{f"component/{name}": mean for name, mean in component_means(graded).items()},
        "signal_share": len(group[advantage.nan_to_num() != 0].unique()) / groups,
        "unscored_share": 1 - len(rewards) / len(graded),
        "length_mean": sum(lengths) / len(lengths),
        "truncated_share": sum(r.sample.finish_reason == "length" for r in rollouts) / len(rollouts),
        "tokens": float(sum(lengths)),
    }


def _evaluate(training: _Training, step: int) -> dict[str, float]:
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
    training: _Training,
    step: int,
    metrics: dict[str, float],
    rollouts: list[Rollout],
    graded: list[ScoredItem],
    advantage: Tensor,
) -> None:
    training.record.metrics(step, metrics)
    if step % training.config.run.rollouts_every_steps == 0:
        known = [None if value != value else value for value in advantage.tolist()]
        training.record.rollouts(step, rollouts, graded, known, training.config.run.rollouts_kept)


def _save(training: _Training, step: int) -> Path:
    config = training.config
    return checkpoints.save(
        config.run.dir / "checkpoints",
        training.policy,
        training.learner.optimizer,
        step=step,
        identity=training.identity,
        offsets=training.record.offsets(),
        keep=config.checkpoint.keep,
        critic=training.learner.critic,
        kl_weight=training.learner.beta,
    )


def _progress(console: Console, steps: int, done: int) -> Progress:
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    progress.add_task("training", total=steps, completed=done)
    return progress

"""The whole run: prompts -> sampler -> groups -> grader -> step -> weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from trainer import checkpoint as checkpoints
from trainer.chat import written_text
from trainer.config import TrainConfig
from trainer.data import load_task_set
from trainer.detectors.alarms import StoppedByDetector, heed
from trainer.detectors.watch import Watch
from trainer.grading import Grader
from trainer.interruption import Interruption
from trainer.iteration import Training, evaluated, rounds, take_step
from trainer.learner import build_learner
from trainer.model_source import template_digest
from trainer.models import load_policy, use_threads
from trainer.narration import Narrator, held_out_line
from trainer.pretraining import pretraining_digest
from trainer.provenance import provenance
from trainer.record import RunRecord
from trainer.samplers.building import built_sampler
from trainer.samplers.probe import check_parity


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


def train(config: TrainConfig, grader: Grader, console: Console) -> Finished:
    """Train from the run directory's newest checkpoint, or from the model, up to `run.steps`.

    The caller holds the directory: see `trainer.record.locked`.

    Raises:
        ConfigError, TrainingError: see the modules this one calls; the last checkpoint stays good.
    """
    with Interruption() as interruption, _built(config, grader) as training:
        metrics: dict[str, float] = {}
        path = config.run.dir / "checkpoints" / f"step-{training.done:06d}"
        step = training.done
        _start_sampling(training, console)
        if step:
            console.print(f"going on from {path}", highlight=False, soft_wrap=True)
        elif config.eval.every_steps:
            metrics = evaluated(training, 0)
            training.record.metrics(0, metrics)
            training.watch.remember(metrics)
            console.print(f"step 0/{config.run.steps}  {held_out_line(metrics)}", highlight=False)
        heed(step, training.watch.standing(), done=step)
        narrator = Narrator(config.run.steps)
        with _progress(console, config.run.steps, step) as progress:
            while step < config.run.steps and not interruption.asked:
                step += 1
                with _saved_if_stopped(training):
                    metrics = take_step(training, step)
                for alarm in training.watch.raised:
                    console.print(alarm.sentence, style="yellow", highlight=False, markup=False, soft_wrap=True)
                console.print(narrator.line(step, metrics), highlight=False, markup=False, soft_wrap=True)
                if step % config.checkpoint.every_steps == 0 or step == config.run.steps or interruption.asked:
                    path = _save(training, step)
                progress.advance(progress.task_ids[0])
        return Finished(step, step >= config.run.steps, path, metrics)


@contextmanager
def _built(config: TrainConfig, grader: Grader) -> Iterator[Training]:
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
            yield Training(
                config=config,
                tasks=tasks,
                order=tasks.order(
                    seed=config.run.seed, prompts_per_step=config.sampling.prompts_per_step, rounds=rounds(config)
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


def _start_sampling(training: Training, console: Console) -> None:
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


@contextmanager
def _saved_if_stopped(training: Training) -> Iterator[None]:
    """A detector that ends the run leaves a checkpoint of what was done, and then its alarm on record."""
    try:
        yield
    except StoppedByDetector as stop:
        newest = checkpoints.latest(training.config.run.dir / "checkpoints")
        if stop.done > (newest.step if newest else 0):
            _save(training, stop.done)
        training.record.alarms(stop.lines)
        raise


def _save(training: Training, step: int) -> Path:
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
        reference=training.learner.reference_digest,
    )


def _progress(console: Console, steps: int, done: int) -> Progress:
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    progress.add_task("training", total=steps, completed=done)
    return progress

"""The whole run: prompts -> sampler -> groups -> grader -> step -> weights."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from trainer import checkpoint as checkpoints
from trainer.chat import written_text
from trainer.config import TrainConfig
from trainer.data import load_task_set
from trainer.detectors.alarms import StoppedByDetector, heed
from trainer.detectors.watch import Watch
from trainer.distributed.leading import led
from trainer.distributed.ranks import any_rank, count, leads
from trainer.distributed.sharding import section_to_load
from trainer.grading import Grader
from trainer.interruption import Interruption
from trainer.iteration import Training, evaluated, take_step
from trainer.learner import build_learner
from trainer.model_source import template_digest
from trainer.models import Policy, load_policy, use_threads
from trainer.narration import Narrator, held_out_line
from trainer.pipeline.choices import Choices
from trainer.pipeline.in_flight import read_in_flight
from trainer.pipeline.pipeline import Pipeline
from trainer.pipeline.sharing import part_of
from trainer.pipeline.supply import InTurn, Source, Supply, rounds
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
        step = training.done
        path = config.run.dir / "checkpoints" / f"step-{step:06d}"
        _start_sampling(training, console)
        metrics = led(partial(_beginning, training, path, console))
        narrator = Narrator(config.run.steps)
        stopping = any_rank(interruption.asked)
        with _progress(console, config.run.steps, step) as progress:
            while step < config.run.steps and not stopping:
                step += 1
                with _saved_if_stopped(training):
                    metrics = take_step(training, step)
                if leads():
                    _narrate(console, narrator, training, step, metrics)
                stopping = any_rank(interruption.asked)
                if step % config.checkpoint.every_steps == 0 or step == config.run.steps or stopping:
                    path = _save(training, step)
                progress.advance(progress.task_ids[0])
        return Finished(step, step >= config.run.steps, path, metrics)


def _beginning(training: Training, path: Path, console: Console) -> dict[str, float]:
    """Say where the run begins; of its very beginning, how the held-out tasks go."""
    config, step, metrics = training.config, training.done, dict[str, float]()
    if step:
        console.print(f"going on from {path}", highlight=False, soft_wrap=True)
    elif config.eval.every_steps:
        metrics = evaluated(training, 0)
        training.record.metrics(0, metrics)
        training.watch.remember(metrics)
        console.print(f"step 0/{config.run.steps}  {held_out_line(metrics)}", highlight=False)
    heed(step, training.watch.standing(), done=step)
    return metrics


def _narrate(console: Console, narrator: Narrator, training: Training, step: int, metrics: dict[str, float]) -> None:
    for alarm in training.watch.raised:
        console.print(alarm.sentence, style="yellow", highlight=False, markup=False, soft_wrap=True)
    console.print(narrator.line(step, metrics), highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _built(config: TrainConfig, grader: Grader) -> Iterator[Training]:
    """Everything is made here and nowhere else."""
    use_threads(config.run.threads)
    tasks = load_task_set(config.data)
    digests = {"data.tasks": tasks.digests["train"], **pretraining_digest(config.ptx), **template_digest(config.model)}
    if config.pipeline.stragglers and config.sampler.kind == "hf":
        digests["sampling.rows_at_once"] = f"{config.sampling.rows_at_once}"  # decides what finishes last
    identity = checkpoints.identity_of(config, digests)
    found = checkpoints.latest(config.run.dir / "checkpoints")
    if found:
        checkpoints.check_identity(found, identity)
    policy = load_policy(section_to_load(config.model), found.path if found and not config.lora.rank else None)
    facts = {"tasks": tasks.digests, **provenance(config, policy), "ranks": count()} if leads() else {}
    learner = build_learner(config, policy, found)
    record = _record(config, found, facts) if leads() else _ELSEWHERE
    try:
        order = tasks.order(
            seed=config.run.seed, prompts_per_step=config.sampling.prompts_per_step, rounds=rounds(config)
        )
        with (
            built_sampler(config, policy) as sampler,
            closing(_supply(Source(config, policy, order, sampler, grader), found)) as supply,
        ):
            yield Training(
                config=config,
                tasks=tasks,
                policy=policy,
                learner=learner,
                sampler=sampler,
                supply=supply,
                grader=grader,
                record=record,
                watch=_watch(config, policy, record) if leads() else _ELSEWHERE,
                identity=identity,
                done=found.step if found else 0,
            )
    finally:
        if leads():
            record.close()


_ELSEWHERE: Any = None
"""What only rank 0 has."""


def _record(config: TrainConfig, found: checkpoints.Checkpoint | None, facts: Mapping[str, Any]) -> RunRecord:
    record = RunRecord(config.run.dir, found.offsets if found else {}, next_step=found.step + 1 if found else 0)
    with ExitStack() as on_failure:
        on_failure.callback(record.close)
        record.manifest(config, facts)
        record.track(config.tracking, config)
        on_failure.pop_all()
    return record


def _watch(config: TrainConfig, policy: Policy, record: RunRecord) -> Watch:
    decode = partial(written_text, policy.tokenizer, stop_ids=())
    return Watch(config.detectors, decode, record.history("metrics.jsonl"), record.history("evidence.jsonl"))


def _supply(source: Source, found: checkpoints.Checkpoint | None) -> Supply:
    """Rollouts in turn with learning, or beside it as far as the configuration lets them be behind."""
    if not source.config.pipeline.max_staleness:
        return InTurn(source)
    part = part_of(source.sampler, source.policy, source.config)
    choices = Choices(source.config.run.dir, going_on=found is not None) if leads() else None
    in_flight = read_in_flight(found.path) if found else ()
    return Pipeline(source, part, choices, done=found.step if found else 0, in_flight=in_flight)


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
        if leads():
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
        offsets=led(lambda: training.record.offsets()),
        keep=config.checkpoint.keep,
        critic=training.learner.critic,
        kl_weight=training.learner.beta,
        reference=training.learner.reference_digest,
        in_flight=training.supply.in_flight(step),
    )


def _progress(console: Console, steps: int, done: int) -> Progress:
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    progress.add_task("training", total=steps, completed=done)
    return progress

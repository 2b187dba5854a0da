"""`trainer profile`: run some steps, or read what a run left, and say where the time went."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from rewarders.errors import ConfigError
from trainer.config import TrainConfig
from trainer.grading import Grader
from trainer.models import resolve_device, use_threads
from trainer.plan import skeleton
from trainer.profile.figures import device_of, figures, ranks_of, read_config
from trainer.profile.flops import shape_of
from trainer.profile.peak import Peak, known_peak, measured_peak, of_ranks
from trainer.stopwatch import exact
from trainer.trackers import TrackingSection

Graders = Callable[[TrainConfig], AbstractContextManager[Grader]]


def profile_steps(
    config: TrainConfig, steps: int, graders: Graders, console: Console, peak: float | None
) -> dict[str, Any]:
    """Run `steps` steps and one before them to warm up, in a directory that is removed afterwards.

    Nothing is evaluated and nobody is told. The model is the configuration's, and not that of a checkpoint.

    Raises:
        ConfigError, TrainingError: as `trainer.loop.train`.
    """
    from trainer.loop import train

    with _aside(config, steps + 1) as copy, graders(copy) as grader, exact():
        train(copy, grader, console)
        return profile_run(copy.run.dir, peak)


def profile_run(run: Path, peak: float | None) -> dict[str, Any]:
    """What a run directory tells.

    The peak is that of the device's data sheet, or is measured on this machine, times the run's ranks: give `peak`, in
    operations a second of all devices together, for a run that was elsewhere.

    Raises:
        ConfigError: `run` holds no run of two steps.
    """
    config = read_config(run)
    try:
        shape = shape_of(skeleton(config.model))
    except ConfigError:  # the model is not here any more: times are
        shape = None
    known = Peak(peak, "as given") if peak else of_ranks(_peak(config, device_of(run)), ranks_of(run))
    return figures(run, shape, known)


@contextmanager
def _aside(config: TrainConfig, steps: int) -> Iterator[TrainConfig]:
    """The same configuration in a directory of its own, beside the run's: its disk has room for checkpoints."""
    config.run.dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="profile-", dir=config.run.dir.parent) as directory:
        changed = {
            "run": config.run.model_copy(
                update={"dir": Path(directory), "id": f"{config.run.id}-profile"[-200:], "steps": steps}
            ),
            "checkpoint": config.checkpoint.model_copy(update={"every_steps": steps}),
            "eval": config.eval.model_copy(update={"every_steps": 0}),
            "tracking": TrackingSection(),
        }
        yield config.model_copy(update=changed)


def _peak(config: TrainConfig, name: str) -> Peak:
    """By the data sheet of the device that the run names, or else of what this machine has."""
    use_threads(config.run.threads)
    try:
        device = resolve_device(config.model.device)
    except ConfigError:  # a run from a machine that has another
        device = torch.device("cpu")
    return known_peak(name, config.model.arithmetic) or measured_peak(device, config.model.arithmetic)

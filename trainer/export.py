"""Hand a trained model over as an ordinary Hugging Face directory."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rewarders.errors import ConfigError
from trainer.atomic import atomic_directory
from trainer.checkpoint import TRAINER_ONLY, Checkpoint, latest, read


def resolve_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint at `path`, or the newest one of the run at `path`. Raises ConfigError for neither."""
    found = read(path) or latest(path / "checkpoints") or latest(path)
    if found is None:
        raise ConfigError(
            f"{path} holds no whole checkpoint",
            hint="name a run directory, or one of its checkpoints/step-NNNNNN",
        )
    return found


def export(checkpoint: Checkpoint, to: Path) -> None:
    """Copy a checkpoint's model and tokenizer to `to`, whole or not at all. Raises as `model_directory`."""
    with model_directory(to) as draft:
        shutil.copytree(checkpoint.path, draft, ignore=shutil.ignore_patterns(*TRAINER_ONLY), dirs_exist_ok=True)


@contextmanager
def model_directory(path: Path) -> Iterator[Path]:
    """Yield a directory to write a model to, which then takes the place of `path`.

    Raises:
        ConfigError: `path` holds something that is not a model, which nobody asked us to remove.
    """
    if path.exists() and not (path / "config.json").exists() and (path.is_file() or any(path.iterdir())):
        raise ConfigError(f"{path} exists and is not a model directory", hint="name another one, or remove it")
    with atomic_directory(path) as draft:
        yield draft

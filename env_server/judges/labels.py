"""Labelled data for calibrating a judge: JSONL, one item a line. Pure but for reading the file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from env_server import strict_json
from rewarders.digests import digest_bytes
from rewarders.errors import ConfigError, RequestError
from rewarders.registry import first_problem
from rewarders.types import Completion, Task, Wire

_MAX_VALUES = 100_000


class Labelled(Wire):
    """A completion of a task, and whether it deserves the reward."""

    task: Task
    completion: Completion
    label: bool
    """What people hold to be true."""
    labels: Annotated[tuple[bool, ...], Field(strict=False)] = ()
    """What each of them said by himself, where that was kept: for the agreement among them."""


@dataclass(frozen=True)
class LabelledData:
    """A whole file."""

    items: Sequence[Labelled]
    digest: str


def read_labelled(path: Path) -> LabelledData:
    """Raises ConfigError naming file, line and field."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}", hint="give a JSONL file of labelled items"
        ) from error
    lines = enumerate(data.splitlines(), start=1)
    items = [_item(path, number, line) for number, line in lines if line.strip()]
    if len({one.label for one in items}) < 2:
        raise ConfigError(f"{path} holds {len(items)} items that all have one label", hint="label good and bad ones")
    return LabelledData(items, digest_bytes(data))


def _item(path: Path, number: int, line: bytes) -> Labelled:
    try:
        return Labelled.model_validate(strict_json.parse(line, max_values=_MAX_VALUES))
    except RequestError as error:
        raise ConfigError(f"{path}, line {number}: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{path}, line {number}: {first_problem(error)}") from error

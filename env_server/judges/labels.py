"""Labelled data for calibrating a judge: JSONL, one item a line. Pure but for reading the file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from env_server import strict_json
from rewarders.digests import digest, digest_bytes
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
    """Each of them once."""
    digest: str
    repeated: int = 0
    """Rows that said again what another one says: one trial, however often it is written down."""


def read_labelled(path: Path) -> LabelledData:
    """Raises ConfigError naming file, line and field."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}", hint="give a JSONL file of labelled items"
        ) from error
    lines = enumerate(data.splitlines(), start=1)
    rows = [(number, _item(path, number, line)) for number, line in lines if line.strip()]
    items = _different(path, rows)
    if len({one.label for one in items}) < 2:
        raise ConfigError(f"{path} holds {len(items)} items that all have one label", hint="label good and bad ones")
    return LabelledData(items, digest_bytes(data), repeated=len(rows) - len(items))


def _different(path: Path, rows: Sequence[tuple[int, Labelled]]) -> list[Labelled]:
    """Each item once, by what a judge is asked about. Raises ConfigError: one has two labels."""
    found: dict[str, tuple[int, Labelled]] = {}
    for number, one in rows:
        first, known = found.setdefault(_trial(one), (number, one))
        if known.label != one.label:
            raise ConfigError(f"{path}: lines {first} and {number} label the same completion differently")
    return [one for _, one in found.values()]


def _trial(one: Labelled) -> str:
    """Digest of the question, the reference and the answer, whatever the task is called and who wrote the answer."""
    prompt = [message.model_dump(mode="json") for message in one.task.prompt]
    turns = [message.model_dump(mode="json") for message in one.completion.messages or ()]
    return digest([prompt, one.task.reference, " ".join(one.completion.text.split()), turns])


def _item(path: Path, number: int, line: bytes) -> Labelled:
    try:
        return Labelled.model_validate(strict_json.parse(line, max_values=_MAX_VALUES))
    except RequestError as error:
        raise ConfigError(f"{path}, line {number}: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{path}, line {number}: {first_problem(error)}") from error

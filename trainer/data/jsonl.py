"""JSONL files: a line that is not what it should be is named by its number."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rewarders.errors import ConfigError
from rewarders.types import Message
from trainer.section import Section

Row = TypeVar("Row", bound=BaseModel)


class Conversation(Section):
    """One line of a supervised data set."""

    messages: tuple[Message, ...]


def read_rows(path: Path, model: type[Row]) -> list[Row]:
    """Read a JSONL file of `model`s; empty lines are skipped. Raises ConfigError naming file and line."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    return [_row(path, number, line, model) for number, line in enumerate(lines, 1) if line.strip()]


def _row(path: Path, number: int, line: bytes, model: type[Row]) -> Row:
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"]) or model.__name__
        raise ConfigError(f"{path}, line {number}: {where}: {first['msg']}") from error

"""Rows of a data set to tasks, as the source says. Every error names the source, the row and the column."""

import json
import math
import string
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from rewarders.errors import ConfigError
from rewarders.types import Message, Task
from trainer.data.section import HubSource, Lookup

Row = Mapping[str, Any]


def task_of(source: HubSource, row: Row, *, split: str, number: int) -> Task:
    """The task of row `number`, from 0, of a split. Raises ConfigError."""
    where = f"data source {source.name}, split {split}, row {number}"
    name = f"{source.name}/{_text(cell(row, source.id, where), source.id, where) if source.id else f'{split}-{number}'}"
    try:
        return Task(
            id=name,
            prompt=_prompt(source, row, where),
            rubric=source.rubric,
            reference=_filled(source.reference, row, where),
            source=source.name,
            split=split,
        )
    except ValidationError as error:
        raise ConfigError(f"{where}: {said(error)}") from error


def cell(row: Row, column: str, where: str) -> Any:
    """What a column holds; dots lead into nested ones, by name or, in a list, by number.

    Raises:
        ConfigError: there is none, or nothing in it.
    """
    found: Any = row
    for step in [column] if column in row else column.split("."):
        try:
            found = found[int(step)] if isinstance(found, list) else dict(found)[step]
        except (KeyError, IndexError, ValueError, TypeError) as error:
            names = ", ".join(map(str, row))
            raise ConfigError(f"{where}: there is no column {column}", hint=f"it has {names}") from error
    if found is None:
        raise ConfigError(f"{where}: column {column} is empty")
    return found


def difficulty_of(row: Row, column: str, where: str) -> float:
    """The number in a column. Raises ConfigError where it holds something else."""
    value = cell(row, column, where)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{where}: column {column} is {str(value)[:100]!r}, no number to tell how hard the row is")
    return float(value)


def said(error: ValidationError) -> str:
    """The first thing wrong with a row."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _prompt(source: HubSource, row: Row, where: str) -> tuple[Message, ...]:
    system = (Message(role="system", content=source.system),) if source.system else ()
    if source.messages:
        return system + _conversation(cell(row, source.messages, where), source.messages, where)
    return (*system, Message(role="user", content=_rendered(source.prompt, row, where)))


def _conversation(turns: Any, column: str, where: str) -> tuple[Message, ...]:
    if not isinstance(turns, list) or not turns:
        raise ConfigError(f"{where}: column {column} is no list of messages")
    try:
        messages = tuple(Message.model_validate(turn) for turn in turns)
    except ValidationError as error:
        raise ConfigError(f"{where}: column {column}: {said(error)}") from error
    if messages[-1].role == "assistant":
        raise ConfigError(
            f"{where}: column {column} ends with the assistant's turn, which is the policy's to write",
            hint="drop the last message, or use `trainer sft` to learn it",
        )
    return messages


def _rendered(template: str, row: Row, where: str) -> str:
    pieces: list[str] = []
    for literal, column, _, _ in string.Formatter().parse(template):
        pieces.append(literal)
        if column is not None:
            pieces.append(_text(cell(row, column, where), column, where))
    return "".join(pieces)


def _text(value: Any, column: str, where: str) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: column {column} is neither text nor JSON: {error}") from error


def _filled(tree: Any, row: Row, where: str) -> Any:
    """A reference with its lookups answered."""
    if isinstance(tree, dict):
        if "column" in tree:
            return _looked_up(Lookup.model_validate(tree), row, where)
        return {key: _filled(part, row, where) for key, part in tree.items()}
    return [_filled(part, row, where) for part in tree] if isinstance(tree, list) else tree


def _looked_up(lookup: Lookup, row: Row, where: str) -> Any:
    value = cell(row, lookup.column, where)
    if lookup.join is not None:
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            raise ConfigError(f"{where}: column {lookup.column} is no list of texts to join")
        value = lookup.join.join(value)
    if not (lookup.text_after or lookup.boxed):
        return value
    if not isinstance(value, str):
        raise ConfigError(f"{where}: column {lookup.column} is no text to take an answer from")
    mark = lookup.text_after or "\\boxed{"
    _, found, rest = value.rpartition(mark)
    answer = (rest if lookup.text_after else _until_closed(rest)).strip()
    if not found or not answer:
        raise ConfigError(f"{where}: column {lookup.column} has nothing after {mark!r}: it ends in {value[-60:]!r}")
    return answer


def _until_closed(text: str) -> str:
    """Up to the brace that closes one opened before; nothing if none does."""
    depth = 1
    for place, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0:
            return text[:place]
    return ""

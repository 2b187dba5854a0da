"""Everything that the policy wrote: its text, and in a trajectory its turns and the arguments of its tool calls."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from rewarders.types import Completion


@dataclass(frozen=True, slots=True)
class Written:
    """One text of the policy's."""

    text: str
    message: int | None = None
    """Which message of the trajectory it is from; None for the completion's own text."""

    def place(self, span: tuple[int, int]) -> dict[str, JsonValue]:
        """Where in the completion something stands, as evidence."""
        start, end = span
        if self.message is None:
            return {"span": [start, end]}
        return {"message": self.message, "message_span": [start, end]}


def written(completion: Completion) -> Iterator[Written]:
    """The texts, the completion's own first."""
    yield Written(completion.text)
    for number, message in enumerate(completion.messages or ()):
        if message.role != "assistant":
            continue
        if message.content and message.content != completion.text:
            yield Written(message.content, number)
        if message.tool_calls is not None:
            yield Written("\n".join(_strings(message.tool_calls)), number)


def _strings(value: JsonValue) -> list[str]:
    """Every string in some JSON, and in the JSON that its strings hold, without recursion."""
    found, waiting, opened = [], [value], 0
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting += [*node.keys(), *node.values()]
        elif isinstance(node, list):
            waiting += node
        elif isinstance(node, str):
            found.append(node)
            inner = _arguments(node) if opened < 64 else None
            opened += inner is not None
            waiting += [] if inner is None else [inner]
    return found[::-1]


def _arguments(text: str) -> JsonValue:
    """The object that a string spells, as the arguments of a call are spelled; None for any other string."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value

"""Everything that the policy wrote: its text, and in a trajectory its turns and the arguments of its tool calls."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pydantic import JsonValue

from rewarders.types import Completion

_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))|%([2-7][0-9a-fA-F])"
)
_SHOWS_NOTHING = "\u200b"
"""Folding drops it, so that what was escaped can be as long as it was."""


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

    def views(self) -> Iterator["Written"]:
        r"""The text, and at the same offsets the text with `\uXXXX`, `\xXX` and `%XX` read; for folding."""
        yield self
        read = _ESCAPE.sub(_unescaped, self.text) if "\\" in self.text or "%" in self.text else self.text
        if read != self.text:
            yield replace(self, text=read)


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


def _unescaped(escape: re.Match[str]) -> str:
    units = [int(unit, 16) for unit in escape.groups() if unit]
    character = chr(0x10000 + (units[0] - 0xD800 << 10) + units[1] - 0xDC00) if len(units) > 1 else chr(units[0])
    return character.rjust(len(escape[0]), _SHOWS_NOTHING)


def _strings(value: JsonValue) -> list[str]:
    """Every string in some JSON, and in the JSON that its strings hold, without recursion.

    A string within a string is shorter for its escapes, so that the work is linear, times a few levels.
    """
    found, waiting = [], [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting += [*node.keys(), *node.values()]
        elif isinstance(node, list):
            waiting += node
        elif isinstance(node, str):
            found.append(node)
            waiting.append(_inner(node))
    return found[::-1]


def _inner(text: str) -> JsonValue:
    """The JSON that a string spells, as the arguments of a call are spelled; None for any other string."""
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return None
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value

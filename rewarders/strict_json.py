"""JSON as strict as a verdict needs it: one value, every key once, only finite numbers, bounded depth and size.

Where two readers could make different things of the same bytes, as of a key that comes twice, a model will write them.
The one parser for everything that somebody else wrote: requests, what a policy says, what a judge replies.
"""

import json
import math
import re
from enum import StrEnum
from typing import Any

MAX_DEPTH = 64
"""What is parsed is walked recursively later, so its depth is bounded well below Python's own limit."""
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""Possessive, and content with a missing quote at the end: no text makes it go back or start over."""
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Flaw(StrEnum):
    """What keeps a text from being strict JSON."""

    NOT_JSON = "not_json"
    DUPLICATE_KEY = "duplicate_key"
    NOT_FINITE = "not_finite"
    """NaN, an infinity, or a number too large for a double."""
    TOO_DEEP = "too_deep"
    TOO_LARGE = "too_large"
    LONE_SURROGATE = "lone_surrogate"
    """No character: it could be neither recorded nor answered."""


class NotStrictError(ValueError):
    """The text is not strict JSON: `flaw` says why, `position` where if that is known."""

    def __init__(self, flaw: Flaw, position: int | None = None) -> None:
        super().__init__(f"not strict JSON: {flaw}")
        self.flaw = flaw
        self.position = position


def parse(text: str, *, max_depth: int = MAX_DEPTH, max_values: int = 100_000) -> Any:
    """Parse a text that is one JSON value and nothing else but white space.

    Raises:
        NotStrictError: it is not, or it is nested deeper or holds more values than allowed.
    """
    if _marks(text) > max_values and _marks(_STRING.sub("", text)) > max_values:
        raise NotStrictError(Flaw.TOO_LARGE)  # before anything is built
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise NotStrictError(Flaw.TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise NotStrictError(Flaw.NOT_JSON, error.pos) from None
    except NotStrictError:
        raise
    except ValueError:  # an integer of more digits than Python agrees to read
        raise NotStrictError(Flaw.NOT_FINITE) from None
    _check_depth(value, max_depth)
    if ("\\u" in text and _ESCAPED_SURROGATE.search(text)) or not _is_encodable(text):
        _check_surrogates(value)
    return value


def _is_encodable(text: str) -> bool:
    """Whether no surrogate is in it. Far sooner than an expression finds none: a batch holds megabytes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _marks(text: str) -> int:
    return sum(map(text.count, ",:[{"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise NotStrictError(Flaw.DUPLICATE_KEY)
    return made


def _no_constant(name: str) -> Any:
    raise NotStrictError(Flaw.NOT_FINITE)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise NotStrictError(Flaw.NOT_FINITE)
    return value


def _check_depth(value: Any, max_depth: int) -> None:
    level: list[Any] = [value]
    for _ in range(max_depth + 1):
        nodes = [node for node in level if isinstance(node, dict | list)]
        if not nodes:
            return
        level = [child for node in nodes for child in (node.values() if isinstance(node, dict) else node)]
    raise NotStrictError(Flaw.TOO_DEEP)


def _check_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise NotStrictError(Flaw.LONE_SURROGATE) from None

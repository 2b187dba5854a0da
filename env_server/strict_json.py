"""JSON as strict as a reward needs it.

No NaN or infinities (spelled or by overflow), no duplicate keys, no lone surrogates, UTF-8 without a mark, bounded
depth and bounded size. An error names the rule that was broken and never repeats the input.
"""

import json
import math
import re
from typing import Any

from rewarders.errors import InvalidBody, TooLarge

MAX_DEPTH = 64
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""Possessive, and content with a missing quote at the end: no body makes it go back or start over."""
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(body: bytes, *, max_values: int) -> Any:
    """Parse a request body.

    Args:
        body: UTF-8 bytes.
        max_values: bound on the values and keys in it, checked before anything is built.

    Raises:
        InvalidBody: it is not the strict JSON described above.
        TooLarge: it holds more than `max_values` values.
    """
    _check_size(body, max_values)
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError:
        raise InvalidBody("the body is not UTF-8") from None
    except RecursionError:
        raise InvalidBody("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise InvalidBody(f"the body is not JSON: {error.msg} at byte {error.pos}") from None
    except ValueError:  # an integer of more digits than Python agrees to read
        raise InvalidBody("the body holds a number with too many digits") from None
    _check_depth(value)
    if _SURROGATE_ESCAPE.search(body):
        _check_surrogates(value)
    return value


def _check_size(body: bytes, max_values: int) -> None:
    """Bound the number of values: counting bytes is cheap, so strings are set aside only for a suspicious body."""
    if not body.strip():
        raise InvalidBody("the body is empty")
    if _marks(body) > max_values and _marks(_STRING.sub(b"", body)) > max_values:
        raise TooLarge(f"the body holds more than {max_values} values")


def _marks(data: bytes) -> int:
    return data.count(b",") + data.count(b":") + data.count(b"[") + data.count(b"{")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise InvalidBody("an object in the body has a key twice")
    return made


def _no_constant(name: str) -> Any:
    raise InvalidBody("the body holds NaN or an infinity, which JSON does not have")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InvalidBody("the body holds a number too large for a double")
    return value


def _check_depth(value: Any) -> None:
    """What is parsed here is walked recursively later, so its depth is bounded well below Python's own limit."""
    level: list[dict[str, Any] | list[Any]] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise InvalidBody(f"the body is nested more than {MAX_DEPTH} deep")


def _check_surrogates(value: Any) -> None:
    """A lone surrogate cannot be encoded again, so it could be neither recorded nor answered."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidBody("the body holds a lone surrogate, which is no character") from None

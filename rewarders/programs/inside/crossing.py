"""Plain data as JSON and back: the one notation of tasks, calls and replies.

Strings, booleans, None, lists, small integers, finite floats and dictionaries with string keys are what JSON says.
The rest is an object with one key: `$tuple`, `$set`, `$frozenset` (lists), `$dict` (pairs), `$bytes` (base64),
`$int` (hexadecimal: any size costs no more than its length), `$float` (`nan`, `inf`, `-inf`), `$complex`.

Loaded for every call, so it is kept small.
"""

import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

SEQUENCES: dict[str, Any] = {"$tuple": tuple, "$set": set, "$frozenset": frozenset}
TAGS: dict[type, str] = {kind: tag for tag, kind in SEQUENCES.items()}
MESSAGE_CHARS = 1000
"""As much of what an exception says crosses."""
MAPPINGS = (dict, defaultdict, OrderedDict, Counter)


class NotPlain(TypeError):
    """A value that is not plain data; the message is the name of its type."""


def refuse(value: Any) -> Any:
    """Raises NotPlain."""
    raise NotPlain(type(value).__name__)


def encode(value: Any, other: Callable[[Any], Any] = refuse) -> Any:
    """JSON for a value. Exact types only: what merely looks like plain data is given to `other`."""
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if kind is int:
        return value if -(2**63) <= value < 2**63 else {"$int": hex(value)}
    if kind is float:
        return value if value - value == 0 else {"$float": repr(value)}
    if kind is list:
        return [encode(item, other) for item in value]
    if kind in TAGS:
        return {TAGS[kind]: [encode(item, other) for item in value]}
    if kind in MAPPINGS:
        if all(type(key) is str and key[:1] != "$" for key in value):
            return {key: encode(item, other) for key, item in value.items()}
        return {"$dict": [[encode(key, other), encode(item, other)] for key, item in value.items()]}
    if kind is bytes:
        import binascii  # here and below: rarely wanted, and not preloaded

        return {"$bytes": binascii.b2a_base64(value, newline=False).decode()}
    if kind is complex:
        return {"$complex": [encode(value.real), encode(value.imag)]}
    return other(value)


def decode(node: Any, other: Callable[[str, Any], Any] | None = None) -> Any:
    """The value that `encode` gave, as ordinary Python objects; `other` is asked about unknown keys with a `$`."""
    if type(node) is list:
        return [decode(item, other) for item in node]
    if type(node) is not dict:
        return node
    if len(node) != 1 or next(iter(node))[:1] != "$":
        return {key: decode(item, other) for key, item in node.items()}
    [(tag, inner)] = node.items()
    if tag in SEQUENCES:
        return SEQUENCES[tag](decode(item, other) for item in inner)
    if tag == "$dict":
        return {decode(key, other): decode(item, other) for key, item in inner}
    if tag in ("$int", "$float"):
        return int(inner, 16) if tag == "$int" else float(inner)
    if tag == "$bytes":
        import binascii

        return binascii.a2b_base64(inner)
    if tag == "$complex":
        return complex(*(decode(part) for part in inner))
    if other is None:
        raise ValueError("not the JSON of plain data")
    return other(tag, inner)


def dumps(node: Any) -> bytes:
    """JSON as bytes; lone surrogates stay what they are."""
    return json.dumps(node, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def loads(data: bytes) -> Any:
    """The JSON that `dumps` wrote."""
    return json.loads(data.decode("utf-8", "surrogatepass"))

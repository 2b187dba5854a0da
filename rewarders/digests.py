"""One canonical spelling of a JSON value, and its SHA-256.

Keys sorted, no white space, UTF-8, no NaN: what RFC 8785 asks for, except that integers keep every digit (RFC 8785
goes through binary64 and would let two different expected answers share a digest).
"""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """Spell a JSON value in its one canonical way.

    Raises:
        ValueError: for NaN, infinities and lone surrogates.
    """
    return _spelled(value, sort_keys=True)


def ordered_json(value: Any) -> bytes:
    """Spell a JSON value with its keys in the order they have: for what is to be judged again, since a program can
    tell. Raises as `canonical_json`."""
    return _spelled(value, sort_keys=False)


def _spelled(value: Any, *, sort_keys: bool) -> bytes:
    text = json.dumps(value, sort_keys=sort_keys, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def digest(value: Any) -> str:
    """`sha256:` and the hex digest of the value's canonical JSON."""
    return digest_bytes(canonical_json(value))


def digest_bytes(data: bytes) -> str:
    """`sha256:` and the hex digest of the bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()

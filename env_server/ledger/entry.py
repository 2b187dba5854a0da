"""What a record is before it has a place in a tree, and which bytes become its leaf. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

LEAF_SCHEMA = "assay.record/2"
SALT_BYTES = 16
NOTHING = bytes(32)
"""Stands in a commitment for a body that there is none of."""

SIGNED = (
    "seq", "id", "at_ms", "kind", "about", "tenant", "run", "step", "group", "sample", "task_id", "rubric", "status",
    "reward", "instrument", "commitment",
)  # fmt: skip
"""Columns of a record that its leaf covers, in the order they are spelled."""


class Kind(StrEnum):
    """What a record says. All but the first point at an older record by `about`."""

    REWARD = "reward"
    CORRECTION = "correction"
    """The reward ought to have been another."""
    INVALIDATION = "invalidation"
    """The record must not be used any more."""
    LABEL = "label"
    """What a person says of the completion."""
    REPLAY = "replay"
    """The reward was computed again."""
    ERASURE = "erasure"
    """What the record was about was erased."""


class Said(NamedTuple):
    """The short form of what one rewarder said, to search by."""

    rewarder: str
    reason: str
    """The verdict's, or the kind of the fault."""
    fault: bool


@dataclass(frozen=True)
class Entry:
    """A record without its place: what a writer is given."""

    id: bytes
    """UUIDv7, 16 bytes."""
    at_ms: int
    kind: Kind
    detail: bytes
    """Canonical JSON: breakdown, evidence, tool calls, models' replies; for the other kinds what they have to say."""
    about: bytes | None = None
    tenant: str | None = None
    """Whose key asked for it, where the service has keys."""
    run: str | None = None
    step: int | None = None
    group: str | None = None
    sample: int | None = None
    task_id: str | None = None
    rubric: str | None = None
    status: str | None = None
    reward: float | None = None
    instrument: bytes | None = None
    """Canonical JSON of everything but task and completion that could change the reward. Shared by many records."""
    task: bytes | None = None
    """Canonical JSON, reference included."""
    completion: bytes | None = None
    """Canonical JSON, trajectory included."""
    said: tuple[Said, ...] = ()


def commitment(salt: bytes, task: bytes | None, completion: bytes | None, detail: bytes | None) -> bytes:
    """32 bytes that bind a record to the SHA-256 digests of its bodies, and tell nothing once the salt is gone."""
    return hashlib.sha256(b"".join((salt, task or NOTHING, completion or NOTHING, detail or NOTHING))).digest()


def leaf_data(row: Mapping[str, Any]) -> bytes:
    """The bytes whose leaf hash goes into the tree: every signed column in order, as one JSON list."""
    values = [LEAF_SCHEMA, *(_spelled(row[name]) for name in SIGNED)]
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


def _spelled(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value

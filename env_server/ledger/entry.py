"""What a record is before it has a place in a tree, and which bytes become its leaf. Pure."""

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from pydantic_core import to_json

from rewarders.digests import canonical_json

LEAF_SCHEMA = "assay.record/2"
SALT_BYTES = 16
NOTHING = bytes(32)
"""Stands in a commitment for a body that there is none of."""

SIGNED = (
    "seq", "id", "at_ms", "kind", "about", "tenant", "run", "step", "group", "sample", "task_id", "rubric", "status",
    "reward", "said", "instrument", "commitment",
)  # fmt: skip
"""What a leaf covers, in the order it is spelled: columns of a record, and `said`, the digest of its outcome."""
_signed = itemgetter(*SIGNED[1:])
_REWARD = SIGNED[1:].index("reward")
_LEAF_BEGIN = b'["' + LEAF_SCHEMA.encode() + b'",%d,'


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
    """UUIDv7, 16 bytes; `new_id` makes one."""
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
    """JSON of everything but task and completion that could change the reward. Shared by many records. Its keys, like
    those of task and completion, keep their order, which a rewarder can tell."""
    task: bytes | None = None
    """JSON, reference included."""
    completion: bytes | None = None
    """JSON, trajectory included."""
    said: tuple[Said, ...] = ()

    @property
    def at_ms(self) -> int:
        """Time of the record, ms since 1970: the one in its id, so that a span of time is a span of ids."""
        return id_ms(self.id)


def new_id() -> bytes:
    """A UUIDv7 (RFC 9562) whose order is that of time, below the millisecond too: 12 bits say a 4096th of it."""
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    order = milliseconds << 16 | 0x7000 | (nanoseconds << 12) // 1_000_000
    random = int.from_bytes(os.urandom(8), "big") >> 2 | 0x2 << 62
    return (order << 64 | random).to_bytes(16, "big")


def id_ms(record_id: bytes) -> int:
    """The time in a UUIDv7, ms since 1970."""
    return int.from_bytes(record_id[:6], "big")


def commitment(salt: bytes, task: bytes | None, completion: bytes | None, detail: bytes | None) -> bytes:
    """32 bytes that bind a record to the SHA-256 digests of its bodies, and tell nothing once the salt is gone."""
    return hashlib.sha256(b"".join((salt, task or NOTHING, completion or NOTHING, detail or NOTHING))).digest()


@lru_cache(4096)
def said_digest(said: tuple[tuple[str, str, bool], ...]) -> bytes | None:
    """SHA-256 of what rewarders said in short, which a number stands for on the record; None where nothing was said.

    Raises:
        ValueError: a text cannot be spelled.
    """
    return hashlib.sha256(canonical_json(said)).digest() if said else None


def leaf_data(row: Mapping[str, Any]) -> bytes:
    """The bytes whose leaf hash goes into the tree: every signed column in order, as one JSON list.

    Bytes are hexadecimal digits. A reward is a text of the fewest digits that say it exactly, as Python spells it: no
    two encoders of JSON spell such numbers alike.
    """
    return placed_leaf(row["seq"], unplaced_leaf(_signed(row)))


def unplaced_leaf(signed: Sequence[Any]) -> bytes:
    """All of a leaf's data behind its place in the tree, from the signed columns without that."""
    values = list(signed)
    if values[_REWARD] is not None:
        values[_REWARD] = repr(values[_REWARD])
    return to_json(values, bytes_mode="hex")[1:]


def placed_leaf(seq: int, unplaced: bytes) -> bytes:
    """A leaf's data, of its place in the tree and the rest."""
    return _LEAF_BEGIN % seq + unplaced

"""What a record is, how records are linked, and what can be wrong with a chain of them. Pure.

`hash = SHA-256(previous hash, SHA-256(body))`; the body is the record's JSON exactly as it is stored.
A chain shows a changed, removed, inserted or reordered record. Whoever can rewrite the whole database can also rewrite
the chain: to rule that out, keep the head that `audit verify` prints somewhere else and give it back with `--head`.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

GENESIS = bytes(32)
SCHEMA = "reward.record/1"
INDEXED = ("id", "at", "run", "step", "task_id", "rubric", "status", "reward")
"""Fields of the body that are columns too, so that they can be searched."""


@dataclass(frozen=True)
class Draft:
    """A record that has no place in the chain yet."""

    columns: dict[str, Any]
    body: bytes


@dataclass(frozen=True)
class Stored:
    """A row of the ledger."""

    seq: int
    columns: dict[str, Any]
    body: bytes
    prev_hash: bytes
    hash: bytes


@dataclass(frozen=True)
class Head:
    """The end of the chain: how many records there are, and the hash of the last."""

    count: int = 0
    hash: bytes = GENESIS


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with the ledger."""

    seq: int
    kind: str
    """changed, removed, reordered, index_changed, truncated or other_history."""
    detail: str


def draft(record: dict[str, Any]) -> Draft:
    """Spell a record as the bytes that will be stored and hashed."""
    body = json.dumps({"schema": SCHEMA, **record}, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Draft({name: record.get(name) for name in INDEXED}, body.encode("utf-8"))


def link(prev_hash: bytes, body: bytes) -> bytes:
    """Hash of the record that follows the one hashed `prev_hash`, 32 bytes."""
    return hashlib.sha256(prev_hash + hashlib.sha256(body).digest()).digest()


def findings(rows: Iterable[Stored], head: Head, expected: bytes | None = None) -> Iterator[Finding]:
    """Walk the chain from its beginning and yield everything that is wrong.

    Args:
        rows: in order of `seq`.
        head: what the ledger says its end is.
        expected: a head hash kept elsewhere; the chain has to pass through it.
    """
    last = Head()
    seen = expected in (None, GENESIS)
    for row in rows:
        yield from _gap(last.count, row.seq)
        yield from _wrong_row(row, last)
        last = Head(row.seq, row.hash)
        seen = seen or row.hash == expected
    if last.count < head.count:
        yield Finding(last.count + 1, "truncated", f"records {last.count + 1} to {head.count} are missing at the end")
    elif last != head:
        yield Finding(last.count, "other_history", "the last record is not the one the ledger's head names")
    if not seen:
        yield Finding(last.count, "other_history", "no record has the head hash that was given")


def _gap(last: int, seq: int) -> Iterator[Finding]:
    if seq == last + 2:
        yield Finding(last + 1, "removed", f"record {last + 1} is missing")
    elif seq > last + 2:
        yield Finding(last + 1, "removed", f"records {last + 1} to {seq - 1} are missing")


def _wrong_row(row: Stored, last: Head) -> Iterator[Finding]:
    name = row.columns.get("id")
    if link(row.prev_hash, row.body) != row.hash:
        yield Finding(row.seq, "changed", f"record {row.seq} ({name}) does not match its hash")
    elif row.seq == last.count + 1 and row.prev_hash != last.hash:
        yield Finding(row.seq, "reordered", f"record {row.seq} ({name}) does not follow record {last.count}")
    else:
        yield from _wrong_columns(row)


def _wrong_columns(row: Stored) -> Iterator[Finding]:
    try:
        body = json.loads(row.body)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    for name, value in row.columns.items():
        if body.get(name) != value:
            yield Finding(row.seq, "index_changed", f"column {name} of record {row.seq} differs from the record itself")

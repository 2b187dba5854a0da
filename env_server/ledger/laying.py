"""From entries to the rows that hold them, all but their place in a tree. Pure but for the salts, which are random."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from env_server.ledger.codec import pack_bodies, pack_details
from env_server.ledger.entry import SALT_BYTES, Entry, Kind, Said, commitment, said_digest, unplaced_leaf

Columns = tuple[Any, ...]


@dataclass(frozen=True)
class Laid:
    """Entries as rows, in order, but for what each gets where the tree grows: writer, place, outcome's number, leaf."""

    heads: list[Columns]
    """Columns of `records` from `id` to `reward`."""
    outcomes: list[bytes | None]
    """Digests of what was said."""
    tails: list[Columns]
    """Columns of `records` from `instrument` to `commitment`."""
    leaves: list[bytes]
    """What each leaf covers, but for its place."""
    details: list[bytes]
    bodies: dict[bytes, bytes]
    """By digest, each once."""
    said: dict[bytes, tuple[Said, ...]]
    """By digest, each once."""
    abouts: set[bytes]
    """Records that something is said of."""

    def __len__(self) -> int:
        """How many records."""
        return len(self.heads)

    @property
    def size_bytes(self) -> int:
        """Of what is packed, nearly all there is."""
        return sum(map(len, self.details)) + sum(map(len, self.bodies.values()))


def lay_out(entries: Sequence[Entry]) -> Laid:
    """Digest, pack and commit to what the entries hold."""
    bodies = {
        body for entry in entries for body in (entry.instrument, entry.task, entry.completion) if body is not None
    }
    digests: dict[bytes | None, bytes] = {body: sha256(body).digest() for body in bodies}
    heads, outcomes = list(map(_head, entries)), [said_digest(entry.said) for entry in entries]
    salts = os.urandom(SALT_BYTES * len(entries))
    tails = [
        _tail(entry, digests, salts[place * SALT_BYTES : (place + 1) * SALT_BYTES])
        for place, entry in enumerate(entries)
    ]
    return Laid(
        heads=heads,
        outcomes=outcomes,
        tails=tails,
        leaves=[
            unplaced_leaf((*head, outcome, tail[0], tail[-1]))
            for head, outcome, tail in zip(heads, outcomes, tails, strict=True)
        ],
        details=pack_details([entry.detail for entry in entries]),
        bodies=dict(zip((digests[body] for body in bodies), pack_bodies(list(bodies)), strict=True)),
        said={digest: entry.said for digest, entry in zip(outcomes, entries, strict=True) if digest},
        abouts={entry.about for entry in entries if entry.about is not None and entry.kind is not Kind.ERASURE},
    )


def _head(entry: Entry) -> Columns:
    """In the order of the table, which is that of a leaf."""
    return (
        entry.id,
        entry.at_ms,
        entry.kind.value,
        entry.about,
        entry.tenant,
        entry.run,
        entry.step,
        entry.group,
        entry.sample,
        entry.task_id,
        entry.rubric,
        entry.status,
        None if entry.reward is None else entry.reward + 0.0,  # SQLite has no -0.0: it would read as another
    )


def _tail(entry: Entry, digests: dict[bytes | None, bytes], salt: bytes) -> Columns:
    task, completion = digests.get(entry.task), digests.get(entry.completion)
    bound = commitment(salt, task, completion, sha256(entry.detail).digest())
    return digests.get(entry.instrument), task, completion, salt, bound

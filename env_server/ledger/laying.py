"""From entries to the rows that hold them, all but their place in a tree. Pure but for the salts, which are random."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from env_server.ledger.codec import pack_bodies, pack_details
from env_server.ledger.entry import SALT_BYTES, Entry, Said, commitment, said_digest, unplaced_leaf


@dataclass(frozen=True)
class Laid:
    """Entries as rows, in order."""

    rows: list[dict[str, Any]]
    """Columns of `records`, but for `writer`, `seq`, `outcome` and `leaf`; with `said`, which the leaf covers."""
    leaves: list[bytes]
    """What each leaf covers, but for `seq`."""
    details: list[bytes]
    said: list[tuple[Said, ...]]
    bodies: dict[bytes, bytes]
    """By digest, each once."""

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
    salts = os.urandom(SALT_BYTES * len(entries))
    rows = [
        _row(entry, salts[place * SALT_BYTES : (place + 1) * SALT_BYTES], digests)
        for place, entry in enumerate(entries)
    ]
    packed = dict(zip((digests[body] for body in bodies), pack_bodies(list(bodies)), strict=True))
    return Laid(
        rows=rows,
        leaves=[unplaced_leaf(row) for row in rows],
        details=pack_details([entry.detail for entry in entries]),
        said=[entry.said for entry in entries],
        bodies=packed,
    )


def _row(entry: Entry, salt: bytes, digests: dict[bytes | None, bytes]) -> dict[str, Any]:
    task, completion = digests.get(entry.task), digests.get(entry.completion)
    return {
        "id": entry.id,
        "at_ms": entry.at_ms,
        "kind": entry.kind.value,
        "about": entry.about,
        "tenant": entry.tenant,
        "run": entry.run,
        "step": entry.step,
        "group": entry.group,
        "sample": entry.sample,
        "task_id": entry.task_id,
        "rubric": entry.rubric,
        "status": entry.status,
        "reward": None if entry.reward is None else entry.reward + 0.0,  # SQLite has no -0.0: it would read as another
        "said": said_digest(entry.said),
        "instrument": digests.get(entry.instrument),
        "task": task,
        "completion": completion,
        "salt": salt,
        "commitment": commitment(salt, task, completion, sha256(entry.detail).digest()),
    }

"""From entries to the rows that hold them, all but their place in a tree. Pure but for the salts, which are random."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from env_server.ledger.codec import pack, pack_detail
from env_server.ledger.entry import SALT_BYTES, Entry, Said, commitment


@dataclass(frozen=True)
class Laid:
    """Entries as rows, in order."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """Columns of `records`, but for `writer`, `seq`, `outcome` and `leaf`."""
    details: list[bytes] = field(default_factory=list)
    said: list[tuple[Said, ...]] = field(default_factory=list)
    bodies: dict[bytes, bytes] = field(default_factory=dict)
    """By digest, each once."""

    @property
    def size_bytes(self) -> int:
        """Of what is packed, nearly all there is."""
        return sum(map(len, self.details)) + sum(map(len, self.bodies.values()))


def lay_out(entries: Sequence[Entry]) -> Laid:
    """Digest, pack and commit to what the entries hold."""
    laid = Laid()
    digests: dict[bytes | None, bytes | None] = {None: None}
    salts = os.urandom(SALT_BYTES * len(entries))
    for place, entry in enumerate(entries):
        for body in (entry.instrument, entry.task, entry.completion):
            if body not in digests:
                digests[body] = _add_body(laid.bodies, body)
        salt = salts[place * SALT_BYTES : (place + 1) * SALT_BYTES]
        laid.rows.append(_row(entry, salt, digests))
        laid.details.append(pack_detail(entry.detail))
        laid.said.append(entry.said)
    return laid


def _add_body(bodies: dict[bytes, bytes], body: bytes | None) -> bytes:
    assert body is not None, "what is missing has a digest from the beginning"
    digest = sha256(body).digest()
    bodies[digest] = pack(body)
    return digest


def _row(entry: Entry, salt: bytes, digests: dict[bytes | None, bytes | None]) -> dict[str, Any]:
    task, completion = digests[entry.task], digests[entry.completion]
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
        "instrument": digests[entry.instrument],
        "task": task,
        "completion": completion,
        "salt": salt,
        "commitment": commitment(salt, task, completion, sha256(entry.detail).digest()),
    }

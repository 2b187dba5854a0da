"""Proofs that stand alone: that a record is in a signed tree, and that an older signed tree is its beginning."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from env_server.ledger.entry import LEAF_SCHEMA, SIGNED
from env_server.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from env_server.ledger.notes import BadNote, Checkpoint, open_checkpoint, parse_checkpoint, read_verifier_key
from rewarders.errors import ConfigError, LedgerError

_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Path = Annotated[tuple[_Hash, ...], Field(max_length=128)]


class BadProof(LedgerError):
    """A proof does not prove what it says."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Inclusion(_Part):
    """That a record is in the tree."""

    record: str
    """Its id."""
    index: Annotated[int, Field(ge=0, lt=2**63)]
    """Number of its leaf."""
    leaf_data: str
    """What the leaf is the hash of: every signed column of the record, as a JSON list."""
    path: _Path
    """Hashes from the leaf to the root (RFC 9162, 2.1.3.1)."""


class Consistency(_Part):
    """That an older tree is the beginning of this one."""

    checkpoint: str
    """The older checkpoint, signed."""
    path: _Path
    """RFC 9162, 2.1.4.1."""


class Proof(_Part):
    """What `audit prove` writes."""

    format: Literal["assay.proof/1"] = "assay.proof/1"
    key: str
    """Public key of the writer, as signed-note spells it. Hold it against one that you trust."""
    checkpoint: str
    """Signed."""
    inclusion: Inclusion | None = None
    consistency: Consistency | None = None


def check(proof: Proof, trusted_key: bytes | None = None, kept: Checkpoint | None = None) -> Checkpoint:
    """Check a proof, and answer the checkpoint that it leads to.

    Args:
        proof: what is to be checked.
        trusted_key: the writer's public key, from elsewhere; the one in the proof if not given.
        kept: a checkpoint from elsewhere, whose tree has to be the proof's or the beginning of it. Without one, whoever
            has the key could have signed the tree for this proof alone.

    Raises:
        BadProof: it proves nothing; the message says where it breaks.
        BadNote: a checkpoint is not signed by the key.
    """
    key = read_verifier_key(proof.key)
    if trusted_key and trusted_key != key:
        raise BadProof("the proof is of another writer's tree than the key that was given")
    checkpoint = open_checkpoint(proof.checkpoint, key)
    if proof.inclusion is None and proof.consistency is None:
        raise BadProof("the proof says nothing")
    if proof.inclusion:
        _check_inclusion(proof.inclusion, checkpoint)
    if proof.consistency:
        _check_consistency(proof.consistency, checkpoint, key)
    if kept:
        _check_kept(proof, checkpoint, open_checkpoint(kept.note, key))
    return checkpoint


def checked(path: Path, trusted_key: bytes | None, kept: Checkpoint | None = None) -> dict[str, Any]:
    """Read a proof and check it. Raises ConfigError where the file holds none."""
    try:
        proof = Proof.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"the proof {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        raise ConfigError(f"{path} holds no proof: {where}: {first['msg']}") from error
    report: dict[str, Any] = {
        "key": proof.key,
        "key_was_given": trusted_key is not None,
        "checkpoint_was_given": kept is not None,
    }
    try:
        checkpoint = check(proof, trusted_key, kept)
    except (BadProof, BadNote) as error:
        return {**report, "valid": False, "says": f"{error}{f'; {error.hint}' if error.hint else ''}"}
    at = datetime.fromtimestamp(checkpoint.at_ms / 1000, UTC).isoformat(timespec="seconds")
    columns = signed_columns(proof.inclusion.leaf_data) if proof.inclusion else None
    signed = f"the tree of {checkpoint.size} records that {checkpoint.origin} signed at {at}"
    return {**report, "valid": True, "says": _says(proof, columns, signed), "record": columns, "signed_at": at}


def _says(proof: Proof, columns: dict[str, Any] | None, signed: str) -> str:
    parts = []
    if proof.inclusion and columns:
        what = f" with reward {columns['reward']} by {columns['rubric']}" if columns["rubric"] else ""
        parts.append(f"record {proof.inclusion.record}{what} is number {proof.inclusion.index} in {signed}")
    if proof.consistency:
        older = parse_checkpoint(proof.consistency.checkpoint).size
        parts.append(f"the signed tree of {older} records is the beginning of {signed}")
    return "; ".join(parts)


def _check_inclusion(said: Inclusion, checkpoint: Checkpoint) -> None:
    leaf = leaf_hash(said.leaf_data.encode("utf-8", "surrogatepass"))
    if not verify_inclusion(leaf, said.index, checkpoint.size, _bytes(said.path), checkpoint.root):
        raise BadProof(f"the path does not lead from record {said.index} to the signed root")
    columns = signed_columns(said.leaf_data)
    if (columns.get("id"), columns.get("seq")) != (said.record.replace("-", ""), said.index):
        raise BadProof(f"the leaf is not that of record {said.record} at {said.index}")


def _check_consistency(said: Consistency, checkpoint: Checkpoint, key: bytes) -> None:
    older = open_checkpoint(said.checkpoint, key)
    if not verify_consistency(older.size, checkpoint.size, older.root, checkpoint.root, _bytes(said.path)):
        raise BadProof(f"the signed tree of {older.size} records is not the beginning of that of {checkpoint.size}")


def _check_kept(proof: Proof, checkpoint: Checkpoint, kept: Checkpoint) -> None:
    """Whether one of the proof's trees is the one that was signed for the kept checkpoint."""
    older = [parse_checkpoint(proof.consistency.checkpoint)] if proof.consistency else []
    for one in (checkpoint, *older):
        if one.size == kept.size:
            if one.root != kept.root:
                raise BadProof(f"its tree of {kept.size} records is another one than the kept checkpoint's")
            return
    raise BadProof(
        f"the proof does not say how its tree of {checkpoint.size} records follows on the kept one of {kept.size}",
        hint="`env-server audit prove ID --since FILE` makes one that does",
    )


def signed_columns(leaf_data: str) -> dict[str, Any]:
    """The columns that a leaf covers, by name. Raises BadProof where it is no leaf of a record."""
    try:
        schema, *values = json.loads(leaf_data)
        if schema != LEAF_SCHEMA:
            raise BadProof(f"the leaf is of schema {str(schema)[:40]!r}, and this version knows {LEAF_SCHEMA}")
        return dict(zip(SIGNED, values, strict=True))
    except (ValueError, TypeError, RecursionError) as error:
        raise BadProof("the leaf is not that of a record") from error


def _bytes(path: tuple[str, ...]) -> list[bytes]:
    return [bytes.fromhex(node) for node in path]

"""Proofs that stand alone: that a record is in a signed tree, and that an older signed tree is its beginning. Pure."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from env_server.ledger.entry import LEAF_SCHEMA, SIGNED
from env_server.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from env_server.ledger.notes import Checkpoint, open_checkpoint, read_verifier_key
from rewarders.errors import LedgerError

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


def check(proof: Proof, trusted_key: bytes | None = None) -> Checkpoint:
    """Check a proof, and answer the checkpoint that it leads to.

    Args:
        proof: what is to be checked.
        trusted_key: the writer's public key, from elsewhere; the one in the proof if not given.

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
    return checkpoint


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

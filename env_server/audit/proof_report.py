"""What a proof in a file says, for people and programs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from env_server.audit.proofs import BadProof, Proof, check, signed_columns
from env_server.ledger.notes import BadNote, parse_checkpoint
from rewarders.errors import ConfigError


def checked(path: Path, trusted_key: bytes | None) -> dict[str, Any]:
    """Read a proof and check it. Raises ConfigError where the file holds none."""
    try:
        proof = Proof.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"the proof {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        raise ConfigError(f"{path} holds no proof: {where}: {first['msg']}") from error
    report: dict[str, Any] = {"key": proof.key, "key_was_given": trusted_key is not None}
    try:
        checkpoint = check(proof, trusted_key)
    except (BadProof, BadNote) as error:
        return {**report, "valid": False, "says": str(error)}
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

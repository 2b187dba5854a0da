"""What one record can have wrong with it, by itself. Pure."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from env_server.audit.findings import Damage, Finding, spelled_id
from env_server.audit.sources import Row
from env_server.ledger.entry import SALT_BYTES, Kind, commitment, leaf_data, said_digest
from env_server.ledger.merkle import HASH_BYTES, leaf_hash

_BYTES = {"id": 16, "about": 16, "instrument": HASH_BYTES, "task": HASH_BYTES, "completion": HASH_BYTES,
          "salt": SALT_BYTES, "commitment": HASH_BYTES, "leaf": HASH_BYTES}  # fmt: skip
_TYPES: dict[str, type] = {
    **dict.fromkeys(_BYTES, bytes),
    **dict.fromkeys(("seq", "at_ms", "step", "sample"), int),
    **dict.fromkeys(("kind", "tenant", "run", "group", "task_id", "rubric", "status"), str),
    "reward": float,
}


def wrong_with(row: Row, writer: str) -> Iterator[Finding]:
    """Everything that is wrong with a record, its place in the tree aside."""
    for damage, message in _wrong(row):
        yield Finding(damage, message, writer, row.columns["seq"], spelled_id(row.columns["id"]))


def _wrong(row: Row) -> Iterator[tuple[Damage, str]]:
    if misfit := _misfit(row.columns):
        yield Damage.CHANGED, f"column {misfit} does not hold what it has to"
        return
    if not leaf_fits(row.columns) and not _leaf_fits_detail(row):
        yield Damage.CHANGED, "its columns or its outcome are not what its leaf was made of"
    yield from _wrong_references(row)
    yield from _wrong_commitment(row)
    yield from _wrong_outcome(row)


def leaf_fits(columns: dict[str, Any], seq: int | None = None, leaf: bytes | None = None) -> bool:
    """Whether the columns make the leaf they have; or another, at another place."""
    if seq is not None:
        columns = {**columns, "seq": seq}
    try:
        return leaf_hash(leaf_data(columns)) == (leaf or columns["leaf"])
    except (ValueError, TypeError):
        return False  # a number that is none, or a text that is no UTF-8


def _leaf_fits_detail(row: Row) -> bool:
    """Whether the columns make the leaf with what the detail says: then nothing but the outcome was changed."""
    try:
        said = said_digest(said_in(row.detail or b""))
    except (ValueError, KeyError, TypeError):
        return False
    return leaf_fits({**row.columns, "said": said})


def is_erased(columns: dict[str, Any]) -> bool:
    """Whether nothing is left of what the record is committed to."""
    return columns["salt"] is None


def said_in(detail: bytes) -> tuple[tuple[str, str, bool], ...]:
    """The searchable form of a detail. Raises ValueError, KeyError or TypeError where the detail has none."""
    document = json.loads(str(detail, "utf-8"))
    return tuple(_said(component) for component in document["breakdown"]["components"])


def _said(component: dict[str, Any]) -> tuple[str, str, bool]:
    fault = component["fault"]
    return component["rewarder"], fault["kind"] if fault else component["verdict"]["reason"], bool(fault)


def _misfit(columns: dict[str, Any]) -> str | None:
    """A column whose value is not of its type. SQLite keeps whatever it is given, and 'ab' is spelled as 0xAB is."""
    for name, kind in _TYPES.items():
        value = columns[name]
        if value is not None and type(value) is not kind:
            return name
        if value is not None and kind is bytes and len(columns[name]) != _BYTES[name]:
            return name
    return None


def _wrong_references(row: Row) -> Iterator[tuple[Damage, str]]:
    held = {"task": row.has_task, "completion": row.has_completion, "instrument": row.has_instrument}
    for name, is_there in held.items():
        if row.columns[name] is not None and not is_there:
            yield Damage.BODY_MISSING, f"its {name} {row.columns[name].hex()} is not there"


def _wrong_commitment(row: Row) -> Iterator[tuple[Damage, str]]:
    columns = row.columns
    if is_erased(columns):
        left = [name for name in ("task", "completion") if columns[name] is not None]
        left += ["detail"] if row.detail is not None or row.detail_problem else []
        if left:
            yield Damage.ERASURE_UNDONE, f"its salt is gone, and its {' and '.join(left)} not"
    elif row.detail is None:
        damage = Damage.DETAIL_CHANGED if row.detail_problem else Damage.DETAIL_MISSING
        yield damage, f"its detail {row.detail_problem or 'is not there, and its salt is'}"
    elif not _is_committed(columns, hashlib.sha256(row.detail).digest()):
        yield Damage.DETAIL_CHANGED, "its detail, its salt or the digests of its bodies are not what it is committed to"


def _is_committed(columns: dict[str, Any], detail: bytes) -> bool:
    made = commitment(columns["salt"], columns["task"], columns["completion"], detail)
    return bool(made == columns["commitment"])


def _wrong_outcome(row: Row) -> Iterator[tuple[Damage, str]]:
    if row.said is None:
        yield Damage.OUTCOME_CHANGED, f"outcome {row.columns['outcome']} is not there, or was changed"
    elif row.detail is not None:
        try:
            said = said_in(row.detail) if row.columns["kind"] == Kind.REWARD else ()
        except (ValueError, KeyError, TypeError):
            return  # then the detail does not fit its commitment, or holds what its writer put there
        if said != row.said:
            yield Damage.OUTCOME_CHANGED, f"it is found under {_list(row.said)}, and its detail says {_list(said)}"


def _list(said: Sequence[tuple[str, str, bool]]) -> str:
    return ", ".join(f"{rewarder} {reason}" for rewarder, reason, _ in said)[:200] or "nothing"

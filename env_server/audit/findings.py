"""What can be wrong with a ledger."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID


class Damage(StrEnum):
    """What was done, as far as what is left can tell."""

    CHANGED = "changed"
    """A column of a record is not what its leaf was made of."""
    SWAPPED = "swapped"
    """A record stands where another belongs."""
    REMOVED = "removed"
    """A record in the middle is missing."""
    TRUNCATED = "truncated"
    """Records at the end are missing."""
    INSERTED = "inserted"
    """There are records past the end that the writer knows of."""
    FORKED = "forked"
    """The tree is not the one that was signed: something in it was changed together with its leaf."""
    END_CHANGED = "end_changed"
    """The writer's own row does not fit its records."""
    SIGNATURE = "signature"
    """A checkpoint is not signed by the writer it names."""
    STRANGER = "stranger"
    """A writer whose key is none of those that the ledger's writers are known by."""
    BODY_CHANGED = "body_changed"
    """A task, completion or instrument is not what its digest was made of."""
    BODY_MISSING = "body_missing"
    """A task, completion or instrument that a record points at is not there."""
    DETAIL_CHANGED = "detail_changed"
    """What was said of a completion, or the salt, is not what the record is committed to."""
    DETAIL_MISSING = "detail_missing"
    """What was said of a completion is not there, and nothing says that it was erased."""
    OUTCOME_CHANGED = "outcome_changed"
    """The searchable form of what was said differs from what was said."""
    ERASED_UNSAID = "erased_unsaid"
    """A record was erased, and no record says so."""
    ERASURE_UNDONE = "erasure_undone"
    """A record says that another was erased, and it was not, or not wholly."""
    SEAL = "seal"
    """A file of a sealed export is not the one that was sealed."""
    DANGLING = "dangling"
    """A record is about another that does not exist."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and where."""

    damage: Damage
    message: str
    writer: str = ""
    """Name of the writer whose tree it is; empty where it is no tree's."""
    seq: int | None = None
    """Place in the tree; the first of several."""
    record: str | None = None
    """Id of the record, where it is still known."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "damage": str(self.damage)}


def spelled_id(value: object) -> str:
    """A record's id as people write it; whoever tampers need not keep to 16 bytes."""
    if isinstance(value, bytes) and len(value) == 16:
        return str(UUID(bytes=value))
    return repr(value)[:80]

"""Where a recorded reward came from, in a sentence, by the rubric as the ledger remembers it."""

from typing import Any

from pydantic import ValidationError

from env_server.ledger.reader import LedgerReader
from rewarders.explaining import explain
from rewarders.rubric import Rubric
from rewarders.types import RewardBreakdown


def explained_record(reader: LedgerReader, record_id: str, tenant: str | None = None) -> dict[str, Any] | None:
    """A record with its `explanation`; None where there, or of the tenant, is no such record. Blocks on the database.

    Raises:
        LedgerError: it cannot be read.
    """
    record = reader.record(record_id, tenant=tenant)
    return record and {**record, "explanation": explanation(reader, record)}


def explanation(reader: LedgerReader, record: dict[str, Any]) -> str | None:
    """The sentence; None for a record that is no reward, was erased, or is older than what this version reads."""
    breakdown, rubric = record.get("breakdown"), record["rubric"]
    document = reader.rubric(rubric) if breakdown and rubric else None
    if document is None:
        return None
    try:
        said = RewardBreakdown.model_validate(breakdown)
        known = Rubric.model_validate_json(document)
    except ValidationError:
        return None
    return explain(known, said.components, said.reward) if known.digest == said.rubric_digest else None

"""Which record says that another was erased: erasures name places, so that a whole run costs a few bytes."""

import json
from typing import Any
from uuid import UUID

from sqlalchemy import select

from env_server.audit.database_source import reading
from env_server.audit.span_checks import erased_by
from env_server.ledger.codec import unpack
from env_server.ledger.entry import Kind
from env_server.ledger.place import Place
from env_server.ledger.schema import details, records, writers


def told_of(place: Place, record: dict[str, Any]) -> dict[str, Any] | None:
    """The erasure of a record, as its `notes` show it; None where no record says so. Raises LedgerError."""
    wanted, seq = record["place"]["writer"], record["place"]["seq"]
    joined = records.join(details, (details.c.writer == records.c.writer) & (details.c.seq == records.c.seq))
    after = records.c.id > UUID(record["id"]).bytes
    erasures = select(records.c.id, details.c.data).select_from(joined).where(records.c.kind == Kind.ERASURE, after)
    with reading(place) as connection:
        key = connection.execute(select(writers.c.public_key).where(writers.c.name == wanted)).scalar_one().hex()
        for found, packed in connection.execute(erasures.order_by(records.c.id)):
            try:
                detail = unpack(packed)
            except ValueError:
                continue  # `audit verify` says so
            if any(whose == key and begin <= seq < end for whose, (begin, end) in erased_by(detail)):
                said = {name: value for name, value in json.loads(detail).items() if name != "places"}
                return {"id": str(UUID(bytes=found)), "kind": "erasure", **said}
    return None

"""Nothing is said of a record any more once it is erased: what is said of it repeats what it held."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Connection, select

from env_server.ledger.schema import records
from rewarders.errors import LedgerError


class SubjectErased(LedgerError):
    """The record that another is about was erased, perhaps a moment ago. Nothing was written."""


def refuse_erased_subjects(connection: Connection, abouts: Collection[bytes]) -> None:
    """Raises SubjectErased where a record that something is to be said of is erased.

    Until the transaction ends nobody can erase the others: whoever erases looks for notes after that, and finds them.
    """
    if not abouts:
        return
    found = select(records.c.id, records.c.salt).where(records.c.id.in_(sorted(abouts)))
    in_order = found.order_by(records.c.writer, records.c.seq).with_for_update(read=True)
    for row in connection.execute(in_order):
        if row.salt is None:
            raise SubjectErased(f"record {UUID(bytes=row.id)} was erased: nothing can be said of it any more")

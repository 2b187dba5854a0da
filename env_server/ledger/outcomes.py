"""Combinations of rewarders and reasons, kept once each: few numbers instead of many words on the records."""

from collections.abc import Mapping

from sqlalchemy import Connection, select

from env_server.ledger.entry import Said
from env_server.ledger.inserting import insert_for, insert_rows
from env_server.ledger.schema import outcome_parts, outcomes

_MOST_REMEMBERED = 10_000


class Outcomes:
    """Remembers the numbers of what was said before. What is new is remembered only once it is committed."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}
        self._fresh: dict[bytes, int] = {}

    def numbers(self, connection: Connection, said: Mapping[bytes, tuple[Said, ...]]) -> dict[bytes | None, int]:
        """The number of each combination by its digest, made where there is none. Raises SQLAlchemyError."""
        self._fresh = {
            digest: _intern(connection, digest, said[digest]) for digest in sorted(said.keys() - self._known.keys())
        }
        return {digest: self._known.get(digest) or self._fresh[digest] for digest in said}

    def remember(self) -> None:
        """What was numbered last is committed."""
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()
        self._known.update(self._fresh)


def _intern(connection: Connection, digest: bytes, said: tuple[Said, ...]) -> int:
    where = select(outcomes.c.id).where(outcomes.c.digest == digest)
    known: int | None = connection.execute(where).scalar_one_or_none()
    if known is not None:
        return known
    made = connection.execute(insert_for(connection, outcomes).values(digest=digest).on_conflict_do_nothing())
    number: int = connection.execute(where).scalar_one()
    if made.rowcount:  # otherwise another writer was faster, and has committed its parts
        insert_rows(connection, outcome_parts, [(number, place, *part) for place, part in enumerate(said)])
    return number

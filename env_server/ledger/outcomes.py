"""Combinations of rewarders and reasons, kept once each: few numbers instead of many words on the records."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from env_server.ledger.entry import Said, said_digest
from env_server.ledger.inserting import insert_for, insert_rows
from env_server.ledger.schema import outcome_parts, outcomes

_MOST_REMEMBERED = 10_000


class Outcomes:
    """Remembers the numbers of what was said before. What is new is remembered only once it is committed."""

    def __init__(self) -> None:
        self._known: dict[tuple[Said, ...], int] = {}
        self._fresh: dict[tuple[Said, ...], int] = {}

    def numbers(self, connection: Connection, said: Iterable[tuple[Said, ...]]) -> dict[tuple[Said, ...], int | None]:
        """The number of each combination, made where there is none; nothing said has none. Raises SQLAlchemyError."""
        wanted = set(said)
        new = (one for one in wanted if one not in self._known)
        unknown = {digest: one for one in new if (digest := said_digest(one))}
        self._fresh = {unknown[digest]: _intern(connection, digest, unknown[digest]) for digest in sorted(unknown)}
        return {one: self._known.get(one, self._fresh.get(one)) for one in wanted}

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

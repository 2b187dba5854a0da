"""Which records are to be erased, found in batches that go on after the last."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, exists, func, select, tuple_

from env_server.ledger.entry import Kind
from env_server.ledger.schema import records
from rewarders.errors import ConfigError, NotFound

BATCH = 2000
_IDS_AT_ONCE = 500
_FLAGS = (Kind.CORRECTION, Kind.INVALIDATION, Kind.LABEL)
_notes = select(records.c.writer, records.c.seq, records.c.id, records.c.salt).where(
    records.c.kind != Kind.ERASURE.value
)


class Target(NamedTuple):
    """A record that still has what is to be erased."""

    writer: int
    seq: int
    id: bytes


@dataclass(frozen=True)
class Chosen:
    """Records by id, or those to which all that is given applies."""

    ids: Sequence[bytes] = ()
    run: str | None = None
    task_id: str | None = None
    tenant: str | None = None
    before_ms: int | None = None
    """Older than this time, ms since 1970."""
    flagged: bool | None = None
    """Whether somebody corrected, invalidated or labelled them; None does not ask."""
    kind: Kind | None = None

    def count(self, connection: Connection) -> int:
        """How many there are."""
        return sum(
            connection.execute(select(func.count()).select_from(records).where(*conditions)).scalar_one()
            for conditions in self._alternatives()
        )

    def batches(self, connection: Connection) -> Iterator[list[Target]]:
        """Targets in order of their trees. What was erased meanwhile is passed by."""
        for conditions in self._alternatives():
            after = (-1, -1)
            while found := _batch(connection, conditions, after):
                yield found
                after = (found[-1].writer, found[-1].seq)

    def _alternatives(self) -> Iterator[list[ColumnElement[bool]]]:
        common = [records.c.salt.is_not(None), records.c.kind != Kind.ERASURE.value, *self._conditions()]
        for some in _some(self.ids):
            yield [*common, records.c.id.in_(some)]
        if not self.ids:
            yield common

    def _conditions(self) -> Iterator[ColumnElement[bool]]:
        if self.run is not None:
            yield records.c.run == self.run
        if self.task_id is not None:
            yield records.c.task_id == self.task_id
        if self.tenant is not None:
            yield records.c.tenant == self.tenant
        if self.kind is not None:
            yield records.c.kind == self.kind.value
        if self.before_ms is not None:
            yield records.c.id < (max(self.before_ms, 0) << 80).to_bytes(16, "big")
        if self.flagged is not None:
            note = records.alias()
            flag = exists().where(note.c.about == records.c.id, note.c.kind.in_([kind.value for kind in _FLAGS]))
            yield flag if self.flagged else ~flag


def notes_about(connection: Connection, ids: Sequence[bytes]) -> list[Target]:
    """Records about these, and about those again, that still say something: whatever repeats what is said in them.

    Never an erasure. One that is erased already is followed on, and not answered.
    """
    found: dict[bytes, Target] = {}
    seen, about = set(ids), list(ids)
    while about:
        further = [row for some in _some(about) for row in connection.execute(_notes.where(records.c.about.in_(some)))]
        about = [row.id for row in further if row.id not in seen]
        seen.update(about)
        found |= {row.id: Target(row.writer, row.seq, row.id) for row in further if row.salt is not None}
    return [*found.values()]


def as_ids(names: Sequence[str]) -> list[bytes]:
    """Ids as people write them. Raises NotFound where one is none."""
    return [_as_id(name) for name in names]


def _as_id(name: str) -> bytes:
    try:
        return UUID(name).bytes
    except ValueError:
        raise NotFound(f"there is no record {name!r:.60}: that is no id; nothing was erased") from None


def require_some(connection: Connection, chosen: Chosen) -> None:
    """Raises ConfigError where no record, erased or not, is of that run, task and tenant: then a name is wrong."""
    named = {"run": chosen.run, "task_id": chosen.task_id, "tenant": chosen.tenant}
    wanted = [records.c[name] == value for name, value in named.items() if value is not None]
    if wanted and connection.execute(select(records.c.id).where(*wanted).limit(1)).first() is None:
        said = " and ".join(f"{name} {value!r:.80}" for name, value in named.items() if value is not None)
        raise ConfigError(
            f"there is no record of {said}; nothing was erased", hint="`env-server audit list` lists records"
        )


def require_known(connection: Connection, ids: Sequence[bytes]) -> None:
    """Raises NotFound where there is no such record; ConfigError: it is an erasure, which has nothing to erase."""
    for one in ids:
        kind = connection.execute(select(records.c.kind).where(records.c.id == one)).scalar_one_or_none()
        if kind is None:
            raise NotFound(f"there is no record {UUID(bytes=one)}; nothing was erased")
        if kind == Kind.ERASURE:
            raise ConfigError(f"record {UUID(bytes=one)} says what was erased, and stays; nothing was erased")


def _some(ids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (ids[begin : begin + _IDS_AT_ONCE] for begin in range(0, len(ids), _IDS_AT_ONCE))


def _batch(connection: Connection, conditions: Sequence[ColumnElement[bool]], after: tuple[int, int]) -> list[Target]:
    place: tuple[Any, Any] = (records.c.writer, records.c.seq)
    wanted = select(*place, records.c.id).where(*conditions, tuple_(*place) > tuple_(*after)).order_by(*place)
    return [Target(*row) for row in connection.execute(wanted.limit(BATCH))]

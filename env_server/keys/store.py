"""The keys in the ledger's database. Times are ms since 1970."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from env_server.keys.secret import digest_of, id_of, new_secret
from env_server.ledger.opening import database_errors, open_to_write
from env_server.ledger.place import Place
from env_server.ledger.schema import keys
from env_server.principal import KeyLimits, Principal, Scope
from rewarders.errors import ConfigError, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key without its secret."""

    id: str
    digest: bytes = field(repr=False)
    tenant: str
    scopes: frozenset[Scope]
    limits: KeyLimits = field(default_factory=KeyLimits)
    created_ms: int
    expires_ms: int | None = None
    revoked_ms: int | None = None
    family: str | None = None
    """Id of the first of the keys that were made one of the other; None for that one."""
    rotated_ms: int | None = None
    """When another was made of it."""
    used_ms: int | None = None
    """About when it was last used: to the minute."""

    @property
    def principal(self) -> Principal:
        """Who asks with it."""
        return Principal(
            tenant=self.tenant, key_id=self.id, family=self.family or self.id, scopes=self.scopes, limits=self.limits
        )

    def state(self, now_ms: int) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_ms is not None:
            return "revoked"
        return "expired" if self.expires_ms is not None and self.expires_ms <= now_ms else "active"


@dataclass(frozen=True, slots=True)
class Issued:
    """A new key, with the only copy of its secret that there is."""

    key: Key
    secret: str = field(repr=False)


class KeyStore:
    """Reads and writes keys. Every method blocks on the database, and raises LedgerError where it refuses."""

    def __init__(self, place: Place) -> None:
        """Open the ledger's database, made or migrated where needed. Raises as `open_to_write` does."""
        self._database = open_to_write(place)

    def close(self) -> None:
        """Let go of the database."""
        self._database.dispose()

    def all(self) -> list[Key]:
        """Every key there ever was, oldest first."""
        with (
            database_errors("cannot be read for keys"),
            self._database.connect().execution_options(read_only=True) as connection,
        ):
            return _read(connection)

    def add(self, tenant: str, scopes: frozenset[Scope], limits: KeyLimits, expires_ms: int | None) -> Issued:
        """Make a key."""
        with database_errors("cannot be written for a key"), self._database.begin() as connection:
            return _issue(connection, tenant, scopes, limits, expires_ms)

    def revoke(self, key_id: str) -> Key:
        """End a key; one that is revoked already stays so. Raises NotFound."""
        with database_errors("cannot be written for a key"), self._database.begin() as connection:
            unrevoked = (keys.c.id == key_id) & keys.c.revoked_ms.is_(None)
            connection.execute(update(keys).where(unrevoked).values(revoked_ms=_now_ms()))
            return _one(connection, key_id)

    def rotate(self, key_id: str, overlap_ms: int, expires_ms: int | None) -> Issued:
        """Make a key that is good for the same, and let the old one end `overlap_ms` from now, or earlier if it would.

        They share their limits. A key is rotated once: what counts then is the new one.

        Args:
            key_id: the old one.
            overlap_ms: how long both count.
            expires_ms: when the new one ends; after as long a life as the old one's if None.

        Raises:
            NotFound: there is no such key.
            ConfigError: it does not count any more, or was rotated, so there is nothing to hand over.
        """
        with database_errors("cannot be written for a key"), self._database.begin() as connection:
            old, now_ms = _one(connection, key_id), _now_ms()
            if (state := old.state(now_ms)) != "active":
                raise ConfigError(f"key {key_id} is {state}", hint="`env-server keys add` makes a new one")
            if expires_ms is None and old.expires_ms is not None:
                expires_ms = now_ms + old.expires_ms - old.created_ms
            ends_ms = min(now_ms + overlap_ms, old.expires_ms or now_ms + overlap_ms)
            first = (keys.c.id == key_id) & keys.c.rotated_ms.is_(None)
            made = connection.execute(update(keys).where(first).values(expires_ms=ends_ms, rotated_ms=now_ms))
            if not made.rowcount:
                raise ConfigError(
                    f"key {key_id} was rotated before", hint="rotate the key that was made of it, or make one anew"
                )
            return _issue(connection, old.tenant, old.scopes, old.limits, expires_ms, old.family or old.id)

    def note_use(self, key_id: str, at_ms: int) -> None:
        """Remember that a key was used."""
        is_news = (keys.c.id == key_id) & or_(keys.c.used_ms.is_(None), keys.c.used_ms < at_ms)
        with database_errors("cannot be written for a key"), self._database.begin() as connection:
            connection.execute(update(keys).where(is_news).values(used_ms=at_ms))


def _issue(
    connection: Connection,
    tenant: str,
    scopes: frozenset[Scope],
    limits: KeyLimits,
    expires_ms: int | None,
    family: str | None = None,
) -> Issued:
    secret = new_secret()
    key = Key(
        id=id_of(secret), digest=digest_of(secret), tenant=tenant, scopes=scopes, limits=limits, created_ms=_now_ms(),
        expires_ms=expires_ms, family=family,
    )  # fmt: skip
    connection.execute(insert(keys).values(_row(key)))
    return Issued(key, secret)


def _row(key: Key) -> dict[str, Any]:
    return {
        "id": key.id, "digest": key.digest, "tenant": key.tenant, "scopes": " ".join(sorted(key.scopes)),
        "items_per_s": key.limits.items_per_s, "requests_at_once": key.limits.requests_at_once,
        "created_ms": key.created_ms, "expires_ms": key.expires_ms, "family": key.family,
    }  # fmt: skip


def _one(connection: Connection, key_id: str) -> Key:
    found = _read(connection, keys.c.id == key_id)
    if not found:
        raise NotFound(f"there is no key {key_id!r:.60}", hint="`env-server keys list` lists keys")
    return found[0]


def _read(connection: Connection, *wanted: ColumnElement[bool]) -> list[Key]:
    rows: Sequence[Any] = connection.execute(select(keys).where(*wanted).order_by(keys.c.created_ms, keys.c.id)).all()
    return [
        Key(
            id=row.id, digest=row.digest, tenant=row.tenant, scopes=_scopes(row.scopes), created_ms=row.created_ms,
            expires_ms=row.expires_ms, revoked_ms=row.revoked_ms, used_ms=row.used_ms,
            family=row.family, rotated_ms=row.rotated_ms,
            limits=KeyLimits(items_per_s=row.items_per_s, requests_at_once=row.requests_at_once),
        )
        for row in rows
    ]  # fmt: skip


def _scopes(spelled: str) -> frozenset[Scope]:
    """Those that this version knows: a newer one's allow nothing here."""
    given = spelled.split()
    return frozenset(scope for scope in Scope if scope in given)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""Answers kept under idempotency keys, in the database that holds their records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from env_server.ledger.codec import pack, unpack
from env_server.ledger.inserting import insert_new
from env_server.ledger.schema import replies
from rewarders.errors import LedgerError


@dataclass(frozen=True)
class KeptReply:
    """The answer to a request that carried an idempotency key, to be kept with its records."""

    key: str
    """As `in_tenant` spells it."""
    request_digest: str
    body: bytes


def in_tenant(tenant: str | None, key: str) -> str:
    """The name under which a tenant's idempotency key is kept: another tenant may use the same key for itself."""
    return key if tenant is None else f"{tenant}\n{key}"  # which no client can say: its keys are printable


class KeyTaken(LedgerError):
    """Another process was asked the same under the key, and was faster: its answer counts, and nothing was written."""

    def __init__(self, kept: KeptReply) -> None:
        super().__init__("another process has answered under this Idempotency-Key")
        self.kept = kept


class KeysTaken(LedgerError):
    """Some of the keys have their answers already."""

    def __init__(self, taken: dict[str, KeptReply]) -> None:
        super().__init__("an Idempotency-Key is taken")
        self.taken = taken
        """By key, where they are known."""


def keep(connection: Connection, kept: Sequence[KeptReply], now_s: float) -> None:
    """Keep the answers. Waits for whoever is just taking one of the keys.

    Raises:
        KeysTaken: not all of the keys were free; undo what was kept.
        SQLAlchemyError: the database refused.
    """
    rows = [(one.key, one.request_digest, pack(one.body), now_s) for one in kept]
    made = insert_new(connection, replies, sorted(rows))  # in order, so that two servers never wait for each other
    if made < len(rows):
        raise KeysTaken({})


def taken(connection: Connection, keys: Iterable[str]) -> dict[str, KeptReply]:
    """What is kept under the keys, by key. Raises SQLAlchemyError, and LedgerError: an answer is damaged."""
    rows = connection.execute(select(replies).where(replies.c.key.in_(list(keys))))
    return {row.key: KeptReply(row.key, row.request_digest, _unpacked(row.body)) for row in rows}


def find(connection: Connection, key: str, oldest_s: float) -> tuple[str, bytes] | None:
    """Request digest and answer kept under the key since a time, if any. Raises as `taken`."""
    fresh = (replies.c.key == key) & (replies.c.at_s >= oldest_s)
    row = connection.execute(select(replies.c.request_digest, replies.c.body).where(fresh)).one_or_none()
    return (row.request_digest, _unpacked(row.body)) if row else None


def forget(connection: Connection, oldest_s: float) -> None:
    """Remove what was kept before a time. Raises SQLAlchemyError."""
    connection.execute(delete(replies).where(replies.c.at_s < oldest_s))


def _unpacked(body: bytes) -> bytes:
    try:
        return unpack(body)
    except ValueError as error:
        raise LedgerError(f"an answer that was kept under an Idempotency-Key is damaged: {error}") from error

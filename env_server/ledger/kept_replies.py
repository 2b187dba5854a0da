"""Answers kept under idempotency keys, in the database that holds their records."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from env_server.ledger.codec import pack, unpack
from env_server.ledger.inserting import insert_rows
from env_server.ledger.schema import replies


@dataclass(frozen=True)
class KeptReply:
    """The answer to a request that carried an idempotency key, to be kept with its records."""

    key: str
    request_digest: str
    body: bytes


def keep(connection: Connection, kept: Sequence[KeptReply], now_s: float) -> None:
    """Keep the answers. Raises SQLAlchemyError, IntegrityError where a key is taken."""
    rows = [(one.key, one.request_digest, pack(one.body), now_s) for one in kept]
    insert_rows(connection, replies, sorted(rows))  # in order, so that two servers never wait for each other


def find(connection: Connection, key: str, oldest_s: float) -> tuple[str, bytes] | None:
    """Request digest and answer kept under the key since a time, if any. Raises SQLAlchemyError."""
    fresh = (replies.c.key == key) & (replies.c.at_s >= oldest_s)
    row = connection.execute(select(replies.c.request_digest, replies.c.body).where(fresh)).one_or_none()
    return (row.request_digest, unpack(row.body)) if row else None


def forget(connection: Connection, oldest_s: float) -> None:
    """Remove what was kept before a time. Raises SQLAlchemyError."""
    connection.execute(delete(replies).where(replies.c.at_s < oldest_s))

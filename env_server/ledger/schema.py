"""The ledger's tables, the same on SQLite and PostgreSQL. `migrations/` holds how an older database becomes this one.

There are no foreign keys: PostgreSQL would look each one up, which costs a quarter of the rate; `audit verify` does.

A record is a small row whose every column is in its leaf of the writer's Merkle tree. What it is about (task,
completion) and what made it (instrument) lie compressed in `bodies`, once each, found by digest; what was said of it
(components, evidence, tool calls) lies in `details`. The row holds a salted commitment to all of these, so that they
can be erased and the tree still verifies.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

REVISION = "0003"
"""The newest migration: the schema that is described here."""
metadata = MetaData()

writers = Table(
    "writers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("public_key", LargeBinary(32), nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
)
"""One row for each writer, its tree and its signing key. `size` and `frontier` are the tree's end: roots of the full
subtrees, left to right, 32 bytes each. `note` is the signed checkpoint of just that: each commit moves all three."""

_UNSCORED = text("status = 'unscored'")
_NOTE = text("about IS NOT NULL")
_OWNED = text("tenant IS NOT NULL")

records = Table(
    "records",
    metadata,
    Column("writer", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("id", LargeBinary(16), nullable=False, unique=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("about", LargeBinary(16)),
    Column("tenant", String),
    Column("run", String),
    Column("step", BigInteger),
    Column("group", String),
    Column("sample", BigInteger),
    Column("task_id", String),
    Column("rubric", String),
    Column("status", String(16)),
    Column("reward", Float),
    Column("outcome", Integer),
    Column("instrument", LargeBinary(32)),
    Column("task", LargeBinary(32)),
    Column("completion", LargeBinary(32)),
    Column("salt", LargeBinary(16)),
    Column("commitment", LargeBinary(32), nullable=False),
    Column("leaf", LargeBinary(32), nullable=False),
    PrimaryKeyConstraint("writer", "seq"),
    Index("records_by_run", "run", "step", "id"),
    Index("records_in_run", "run", "id"),
    Index("records_by_task", "task_id", "id"),
    Index("records_by_outcome", "outcome", "id"),
    Index("records_unscored", "id", sqlite_where=_UNSCORED, postgresql_where=_UNSCORED),
    Index("records_noted", "kind", "id", sqlite_where=_NOTE, postgresql_where=_NOTE),
    Index("records_about", "about", sqlite_where=_NOTE, postgresql_where=_NOTE),
    Index("records_by_tenant", "tenant", "id", sqlite_where=_OWNED, postgresql_where=_OWNED),
)
"""`id` is a UUIDv7, so its order is that of time, and each index gives its records in that order. Erasing takes `salt`,
`task` and `completion`; the rest stays."""

details = Table(
    "details",
    metadata,
    Column("writer", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("writer", "seq"),
)

bodies = Table(
    "bodies",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)
"""`digest` is the SHA-256 of what `data` holds compressed."""

outcomes = Table(
    "outcomes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
)
"""Combinations of rewarders and reasons, few and repeated, so that records can be searched by them."""

outcome_parts = Table(
    "outcome_parts",
    metadata,
    Column("outcome", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("rewarder", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("fault", Boolean, nullable=False),
    PrimaryKeyConstraint("outcome", "position"),
)
"""`reason` is the verdict's, or the kind of the fault."""

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("writer", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    PrimaryKeyConstraint("writer", "size"),
)
"""Those signed statements of how large a writer's tree was, and what its root was, that are kept."""

rubrics = Table(
    "rubrics",
    metadata,
    Column("name", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("document", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
"""Every rubric that was ever served, under the name that carries its version."""

replies = Table(
    "replies",
    metadata,
    Column("key", String, primary_key=True),
    Column("request_digest", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at_s", Float, nullable=False, index=True),
)
"""Answers to requests that carried an idempotency key."""

keys = Table(
    "keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("tenant", String, nullable=False),
    Column("scopes", String, nullable=False),
    Column("items_per_s", Float),
    Column("requests_at_once", Integer),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    Column("used_ms", BigInteger),
    Column("family", String),
    Column("rotated_ms", BigInteger),
)
"""Keys of the API: `digest` is the SHA-256 of the secret, which is not kept. `scopes` are separated by spaces. `family`
is the id of the key that this one was made of by rotating, or rotating again; none where it was made anew."""

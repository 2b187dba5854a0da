"""The ledger's tables, the same on SQLite and PostgreSQL. `migrations/` holds how an older database becomes this one.

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
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

metadata = MetaData()

writers = Table(
    "writers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("public_key", LargeBinary(32), nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
)
"""One row for each writer, its tree and its signing key. `size` and `frontier` are the tree's end: roots of the full
subtrees, left to right, 32 bytes each."""

records = Table(
    "records",
    metadata,
    Column("writer", Integer, ForeignKey("writers.id"), nullable=False),
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
    Column("outcome", Integer, ForeignKey("outcomes.id")),
    Column("instrument", LargeBinary(32)),
    Column("task", LargeBinary(32)),
    Column("completion", LargeBinary(32)),
    Column("salt", LargeBinary(16)),
    Column("commitment", LargeBinary(32), nullable=False),
    Column("leaf", LargeBinary(32), nullable=False),
    PrimaryKeyConstraint("writer", "seq"),
    Index("records_by_run", "run", "step"),
    Index("records_about", "about"),
)
"""`id` is a UUIDv7, so its order is that of time. Erasing takes `salt`, `task` and `completion`; the rest stays."""

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
    Column("outcome", Integer, ForeignKey("outcomes.id"), nullable=False),
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
    Column("writer", Integer, ForeignKey("writers.id"), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    PrimaryKeyConstraint("writer", "size"),
)
"""Signed statements of how large a writer's tree was and what its root was."""

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

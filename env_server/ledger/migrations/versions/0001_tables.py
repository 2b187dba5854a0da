"""The first tables that have a number."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table and index."""
    _writers()
    _records()
    _what_records_are_about()
    _outcomes()
    _what_is_kept_beside_them()


def _writers() -> None:
    op.create_table(
        "writers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("public_key", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("frontier", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "checkpoints",
        sa.Column("writer", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("writer", "size"),
    )


def _records() -> None:
    op.create_table(
        "records",
        sa.Column("writer", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("id", sa.LargeBinary(16), nullable=False, unique=True),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("about", sa.LargeBinary(16)),
        sa.Column("tenant", sa.String),
        sa.Column("run", sa.String),
        sa.Column("step", sa.BigInteger),
        sa.Column("group", sa.String),
        sa.Column("sample", sa.BigInteger),
        sa.Column("task_id", sa.String),
        sa.Column("rubric", sa.String),
        sa.Column("status", sa.String(16)),
        sa.Column("reward", sa.Float),
        sa.Column("outcome", sa.Integer),
        sa.Column("instrument", sa.LargeBinary(32)),
        sa.Column("task", sa.LargeBinary(32)),
        sa.Column("completion", sa.LargeBinary(32)),
        sa.Column("salt", sa.LargeBinary(16)),
        sa.Column("commitment", sa.LargeBinary(32), nullable=False),
        sa.Column("leaf", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("writer", "seq"),
    )
    _index("records_by_run", "run", "step", "id")
    _index("records_in_run", "run", "id")
    _index("records_by_task", "task_id", "id")
    _index("records_by_outcome", "outcome", "id")
    _index("records_unscored", "id", where="status = 'unscored'")
    _index("records_noted", "kind", "id", where="about IS NOT NULL")
    _index("records_about", "about", where="about IS NOT NULL")


def _index(name: str, *columns: str, where: str | None = None) -> None:
    condition = sa.text(where) if where else None
    op.create_index(name, "records", columns, sqlite_where=condition, postgresql_where=condition)


def _what_records_are_about() -> None:
    op.create_table(
        "details",
        sa.Column("writer", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("writer", "seq"),
    )
    op.create_table(
        "bodies",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )


def _outcomes() -> None:
    op.create_table(
        "outcomes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
    )
    op.create_table(
        "outcome_parts",
        sa.Column("outcome", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("rewarder", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("fault", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("outcome", "position"),
    )


def _what_is_kept_beside_them() -> None:
    op.create_table(
        "rubrics",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "replies",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("request_digest", sa.String, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("at_s", sa.Float, nullable=False),
    )
    op.create_index("ix_replies_at_s", "replies", ["at_s"])

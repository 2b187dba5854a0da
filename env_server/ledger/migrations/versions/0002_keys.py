"""Keys of the API, and an index to find a tenant's records by."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table and the index; no record has a tenant yet, so the index begins empty."""
    op.create_table(
        "keys",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("scopes", sa.String, nullable=False),
        sa.Column("items_per_s", sa.Float),
        sa.Column("requests_at_once", sa.Integer),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_ms", sa.BigInteger),
        sa.Column("revoked_ms", sa.BigInteger),
        sa.Column("used_ms", sa.BigInteger),
    )
    owned = sa.text("tenant IS NOT NULL")
    op.create_index("records_by_tenant", "records", ["tenant", "id"], sqlite_where=owned, postgresql_where=owned)

"""What keys have to do with each other: one that was made of another shares its limits, and each is rotated once."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the columns; a key without a family is alone in its own."""
    op.add_column("keys", sa.Column("family", sa.String))
    op.add_column("keys", sa.Column("rotated_ms", sa.BigInteger))

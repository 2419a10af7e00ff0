"""Builds that wait for a slot, and that somebody cancels."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("builds") as builds:
        builds.add_column(sa.Column("canceled_by", sa.String(), nullable=True))
        builds.add_column(sa.Column("started_at", sa.DateTime(timezone=True), nullable=True))

"""What was counted while a deployment took over."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("deployments") as deployments:
        deployments.add_column(sa.Column("switch_requests", sa.Integer(), nullable=True))
        deployments.add_column(sa.Column("switch_failed", sa.Integer(), nullable=True))
        deployments.add_column(sa.Column("switch_errors", sa.JSON(), nullable=True))
        deployments.add_column(
            sa.Column("switch_ended_at", sa.DateTime(timezone=True), nullable=True)
        )

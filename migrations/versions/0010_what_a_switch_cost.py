"""What was counted while a deployment took over, and how it is to."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("deployments") as deployments:
        deployments.add_column(sa.Column("sharing", sa.String(), nullable=False, server_default=""))
        deployments.add_column(sa.Column("sharing_since", sa.DateTime(timezone=True)))
        deployments.add_column(sa.Column("share", sa.Integer(), nullable=True))
        deployments.add_column(sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=True))
        deployments.add_column(sa.Column("switch_requests", sa.Integer(), nullable=True))
        deployments.add_column(sa.Column("switch_failed", sa.Integer(), nullable=True))
        deployments.add_column(sa.Column("switch_errors", sa.JSON(), nullable=True))
        deployments.add_column(
            sa.Column("switch_ended_at", sa.DateTime(timezone=True), nullable=True)
        )
    with op.batch_alter_table("formation") as formation:
        formation.add_column(sa.Column("settings", sa.JSON(), nullable=True))
    with op.batch_alter_table("deployments") as deployments:
        deployments.alter_column("sharing", server_default=None)

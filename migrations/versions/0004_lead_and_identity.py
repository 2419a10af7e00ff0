"""The lead of control planes, and what ties a database to its HYTHE_HOME."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("installation") as installation:
        for name in ("generation", "moves"):
            installation.add_column(
                sa.Column(name, sa.Integer(), nullable=False, server_default="0")
            )
        installation.add_column(sa.Column("key_check", sa.LargeBinary(), nullable=True))
    with op.batch_alter_table("installation") as installation:
        for name in ("generation", "moves"):
            installation.alter_column(name, server_default=None)

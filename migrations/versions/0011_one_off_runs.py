"""One-off runs."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

UNDER_WAY = sa.text("state != 'ended'")


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("command", sa.String(), nullable=False),
        sa.Column("deployment_id", sa.Integer(), nullable=False),
        sa.Column("instance", sa.String(), nullable=True),
        sa.Column("container", sa.String(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("tty", sa.Boolean(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("columns", sa.Integer(), nullable=True),
        sa.Column("memory", sa.BigInteger(), nullable=True),
        sa.Column("cpus", sa.Double(), nullable=True),
        sa.Column("timeout", sa.Integer(), nullable=False),
        sa.Column("stop", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["app_id"], ["apps.id"], name="fk_runs_app_id_apps", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name="fk_runs_deployment_id_deployments"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.UniqueConstraint("app_id", "number", name="uq_runs_app_id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("runs") as runs:
        runs.create_index(
            "one_run_an_address",
            ["app_id", "address"],
            unique=True,
            sqlite_where=UNDER_WAY,
            postgresql_where=UNDER_WAY,
        )
        runs.create_index(
            "ix_runs_under_way",
            ["state"],
            unique=False,
            sqlite_where=UNDER_WAY,
            postgresql_where=UNDER_WAY,
        )

"""Sources that are images and git URLs; what reaches them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FETCHING = sa.text("status = 'fetching'")


def upgrade() -> None:
    op.create_table(
        "registries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("password", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_registries"),
        sa.UniqueConstraint("host", name="uq_registries_host"),
    )
    op.create_table(
        "deploy_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("public", sa.String(), nullable=False),
        sa.Column("private", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id"], ["apps.id"], name="fk_deploy_keys_app_id_apps", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deploy_keys"),
        sa.UniqueConstraint("app_id", name="uq_deploy_keys_app_id"),
    )
    op.create_index(
        "one_fetching_an_app",
        "deployments",
        ["app_id"],
        unique=True,
        sqlite_where=FETCHING,
        postgresql_where=FETCHING,
    )
    op.add_column("sources", sa.Column("location", sa.String(), nullable=True))
    op.add_column("sources", sa.Column("login", sa.LargeBinary(), nullable=True))
    op.add_column("sources", sa.Column("procfile", sa.String(), nullable=True))
    op.add_column("sources", sa.Column("app_json", sa.LargeBinary(), nullable=True))

"""The buildpacks that an app is built with."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "buildpacks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=True),
        sa.Column("login", sa.LargeBinary(), nullable=True),
        sa.Column("tree", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id"], ["apps.id"], name="fk_buildpacks_app_id_apps", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_buildpacks"),
    )
    with op.batch_alter_table("buildpacks") as table:
        table.create_index("ix_buildpacks_app", ["app_id", "position"], unique=False)
    with op.batch_alter_table("sources") as table:
        table.add_column(sa.Column("buildpacks", sa.JSON(), nullable=True))

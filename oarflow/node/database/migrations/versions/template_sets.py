"""Sets of templates, and the set of each job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "template_sets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_template_sets"),
    )
    op.add_column("jobs", sa.Column("template_set_id", sa.Integer(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("an older program cannot keep what this one wrote; use a back-up")

"""Periods that housekeeping lived through; audit entries that cannot be replaced"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NOT_REPLACED = """
CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log
WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END
"""
"""INSERT OR REPLACE deletes without the trigger for DELETE (SQLite's recursive_triggers is off)."""


def upgrade() -> None:
    op.create_table(
        "periods",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("begun_at", sa.DateTime(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_periods"),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(NOT_REPLACED)


def downgrade() -> None:
    raise NotImplementedError("an older program cannot keep what this one wrote; use a back-up")

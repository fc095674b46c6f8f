"""Tries are found by their target only where they were pushes to a gateway: the index of all of them had each commit touch a
page a row, of an index that grows with every warning ever sent."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pushed = sa.text("channel = 'broadcast'")
    op.create_index(
        "ix_attempts_pushes", "attempts", ["target", "started_at"], sqlite_where=pushed, postgresql_where=pushed
    )
    op.drop_index("ix_attempts_target", "attempts")  # last: from here on nobody else reads the tries


def downgrade() -> None:
    raise NotImplementedError("this schema is not taken back: restore a backup instead")

"""Which warnings of different sources are of one event."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kin",
        sa.Column("warning_id", sa.String(32), primary_key=True),
        sa.Column("kin_id", sa.String(32), primary_key=True),
    )
    op.create_index("ix_kin_kin_id", "kin", ["kin_id"])


def downgrade() -> None:
    raise NotImplementedError("this schema is not taken back: restore a backup instead")

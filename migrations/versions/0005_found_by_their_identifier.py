"""Anybody may ask for a published warning by its identifier, and the table is not walked for that."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_warnings_identifier", "warnings", ["identifier"])


def downgrade() -> None:
    raise NotImplementedError("this schema is not taken back: restore a backup instead")

"""A drill that named a real warning before that came stood in its chain, and would bar it now: each gets one of its own."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "UPDATE warnings SET chain_id = id WHERE drill IS TRUE "
        "AND chain_id IN (SELECT chain_id FROM warnings WHERE drill IS FALSE)"
    )


def downgrade() -> None:
    raise NotImplementedError("this schema is not taken back: restore a backup instead")

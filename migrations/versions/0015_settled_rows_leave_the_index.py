"""Rows with a result leave the index of those under way.

They stood in it as (NULL, place), each beside the same place of every chunk there ever was: a group of a hundred results
changed a hundred pages of it, the more of them new the longer the ledger had grown.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    held = sa.text("chunk_id IS NOT NULL")
    op.drop_index("ix_deliveries_chunk", "deliveries")
    op.create_index("ix_deliveries_chunk", "deliveries", ["chunk_id", "pos"], sqlite_where=held, postgresql_where=held)

"""Half of each page of the ledger is left free, for the rows' next versions.

With its result a row no longer leaves its chunk's index, so that nothing but the row is written, where its page has room for
it: half of what PostgreSQL did for a result was putting the new version into indexes. Pages filled before stay as they are.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE deliveries SET (fillfactor = 50)")

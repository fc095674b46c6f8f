"""PostgreSQL presses what a warning holds of a whole city by lz4: two milliseconds sooner than by its own way, and smaller.

A city's area is a hundred kilobytes, and the first message waits for its row. A server without lz4 goes on as before. What a
chunk holds is pressed already, and no server tries again. Warnings first and chunks last, as the service locks them.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

PRESSED = {"warnings": ("raw", "message", "findings", "area", "plan"), "signatures": ("detail",)}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    if (op.get_bind().dialect.server_version_info or ()) >= (14,):
        steps = [
            f"ALTER TABLE {table} ALTER COLUMN {column} SET COMPRESSION lz4;"
            for table, columns in PRESSED.items()
            for column in columns
        ]
        op.execute(f"DO $$ BEGIN {' '.join(steps)} EXCEPTION WHEN feature_not_supported THEN NULL; END $$")
    op.execute("ALTER TABLE chunks ALTER COLUMN packed SET STORAGE EXTERNAL")

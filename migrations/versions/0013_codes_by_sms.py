"""The second factor by SMS: since when it is an account's, and its codes on their way, sealed and counted."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("accounts", sa.Column("sms_at", _TIME, nullable=True))
    op.create_table(
        "code_texts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("ends_at", _TIME, nullable=False),
        sa.Column("due_at", _TIME, nullable=True),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("sent_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_texts")),
    )
    op.create_index("ix_code_texts_account_id", "code_texts", ["account_id"])
    op.create_index("ix_code_texts_due_at", "code_texts", ["due_at"])


def downgrade() -> None:
    raise NotImplementedError("this schema is not taken back: restore a backup instead")

"""Questions put to gateways on record; tries counted without end; a rejected message holds no identity."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "questions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("warning_id", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("target", sa.String(length=48), nullable=False),
        sa.Column("round", sa.SmallInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_questions")),
    )
    with op.batch_alter_table("questions", schema=None) as batch_op:
        batch_op.create_index("ix_questions_target", ["target", "started_at"], unique=False)
    _keep_append_only("questions")
    _count_without_end()
    _identity_of_what_is_kept()


def _count_without_end() -> None:
    """A provider that throttles for hours is asked more than 32,767 times. SQLite's numbers have no such end."""
    if op.get_bind().dialect.name == "postgresql":
        for table, column in (("deliveries", "calls"), ("deliveries", "tries"), ("attempts", "no")):
            op.alter_column(table, column, type_=sa.Integer(), existing_type=sa.SmallInteger(), existing_nullable=False)


def _identity_of_what_is_kept() -> None:
    with op.batch_alter_table("warnings", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("uq_warnings_sender_identifier_sent"), type_="unique")
    kept = sa.text("state <> 'rejected'")
    op.create_index(
        "uq_warnings_identity",
        "warnings",
        ["sender", "identifier", "sent"],
        unique=True,
        sqlite_where=kept,
        postgresql_where=kept,
    )


def _keep_append_only(table: str) -> None:
    """As in the first migration: what happened is not rewritten."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
    )


def downgrade() -> None:
    raise NotImplementedError("this schema is not taken back: restore a backup instead")

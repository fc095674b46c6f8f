"""Homes and what people write back lie sealed; and what was kept long enough may go, by doors of its own and no other way.

A migration has no key: the service seals at its next start what stands open here (`store/registry/homes.py`). Until then, and
for a process of the version before, the old columns say what they said.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TRACED = {
    "attempts": (
        "warning_id", "target", "channel", "round", "no", "provider", "started_at", "ended_at", "outcome", "code",
        "reason", "provider_ref", "possible_duplicate",
    ),
    "questions": (
        "id", "warning_id", "channel", "target", "round", "started_at", "ended_at", "code", "reason",
    ),
}  # fmt: skip
"""Of these one thing may change: what went over the wire is emptied."""


def upgrade() -> None:
    for table in ("officers", "residents"):
        op.add_column(table, sa.Column("position", sa.LargeBinary(), nullable=True))
    op.add_column("uplinks", sa.Column("words", sa.LargeBinary(), nullable=True))
    op.create_table(
        "erasures",
        sa.Column("target", sa.String(length=48), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_erasures")),
    )
    op.create_index("ix_questions_warning_id", "questions", ["warning_id"])
    if op.get_bind().dialect.name == "sqlite":
        _doors_on_sqlite()
    else:
        _doors_on_postgresql()


def _doors_on_sqlite() -> None:
    for table, columns in TRACED.items():
        changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in columns)
        op.execute(f"DROP TRIGGER {table}_no_update")
        op.execute(
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} WHEN NEW.trace <> '' OR {changed} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
    op.execute("DROP TRIGGER uplinks_no_delete")
    op.execute(
        "CREATE TRIGGER uplinks_no_delete BEFORE DELETE ON uplinks "
        "WHEN NOT EXISTS (SELECT 1 FROM facts WHERE name = 'uplinks_leave') "
        "BEGIN SELECT RAISE(ABORT, 'uplinks is append-only'); END"
    )


def _doors_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION only_emptied() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.trace = '' THEN OLD.trace := ''; END IF; "
        "IF NEW IS DISTINCT FROM OLD THEN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END IF; "
        "RETURN NEW; END $$"
    )
    for table in TRACED:
        op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_only_emptied BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION only_emptied()"
        )
    op.execute(
        "CREATE FUNCTION by_its_door() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NOT EXISTS (SELECT 1 FROM facts WHERE name = 'uplinks_leave') THEN "
        "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END IF; RETURN NULL; END $$"
    )
    op.execute("DROP TRIGGER uplinks_append_only ON uplinks")
    op.execute(
        "CREATE TRIGGER uplinks_append_only BEFORE UPDATE OR TRUNCATE ON uplinks "
        "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
    )
    op.execute(
        "CREATE TRIGGER uplinks_by_its_door BEFORE DELETE ON uplinks FOR EACH STATEMENT EXECUTE FUNCTION by_its_door()"
    )


def downgrade() -> None:
    raise NotImplementedError("this schema is not taken back: restore a backup instead")

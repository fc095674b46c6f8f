"""Brings a database to the newest schema. Imported only by the commands that need it; `revision.py` asks whether they do.

Two processes that migrate at once must not hurt each other: PostgreSQL takes an advisory lock, SQLite its one writer.
"""

from __future__ import annotations

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, make_url, text

from dispatcher.store.engine import Store, Tx, open_store
from dispatcher.store.revision import MIGRATIONS, current
from dispatcher.store.tables import metadata

_ADVISORY_LOCK = 36_08_00
TRACED = ("attempts", "questions")
"""What went over the wire may be emptied there, and a trigger sees that nothing else changes; so it does that uplinks go
only by their door (`store/retaining.py`)."""
APPEND_ONLY = ("audit", "events", "attempts", "questions", "receipts", "scans", "shift_log", "signatures", "uplinks")


async def migrate(url: str, service_url: str | None = None) -> str:
    """Upgrades the database at `url` to the newest revision and returns its name.

    `service_url`: what the service itself connects by. Where that is another role on PostgreSQL, it is given what it needs and
    no more: it may add to the record, and neither change nor delete. Of deliveries it may delete none, and what they say of a
    try that was taken only a trigger keeps from it.
    """
    store = open_store(url, limit_s=None)
    try:
        async with store.begin() as tx:
            if store.dialect == "postgresql":
                await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            await tx.run_sync(_upgrade)
            role = make_url(service_url).username if service_url else None
            if store.dialect == "postgresql" and role not in (None, make_url(url).username):
                await _grant(tx, str(role))
            return await tx.run_sync(current)
    finally:
        await store.close()


async def _grant(tx: Tx, role: str) -> None:
    """What it had before and needs no more is taken back."""
    to = tx.dialect.identifier_preparer.quote_identifier(role)
    tables = ", ".join(table.name for table in metadata.sorted_tables)
    record = ", ".join(APPEND_ONLY)
    for right in (
        f"GRANT USAGE ON SCHEMA public TO {to}",
        f"GRANT SELECT ON alembic_version TO {to}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {to}",
        f"REVOKE UPDATE, DELETE, TRUNCATE ON {record} FROM {to}",
        f"REVOKE DELETE, TRUNCATE ON deliveries FROM {to}",
        f"GRANT DELETE ON uplinks TO {to}",
        *(f"GRANT UPDATE (trace) ON {table} TO {to}" for table in TRACED),
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {to}",
    ):
        await tx.execute(text(right.replace(":", "\\:")))


async def differences(store: Store) -> list[object]:
    """What distinguishes the migrated schema from `tables.py`; empty is right."""
    async with store.read() as tx:
        return list(await tx.run_sync(lambda connection: compare_metadata(_context(connection), metadata)))


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _context(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"compare_type": True})

"""Brings a database to the newest schema. Imported only by the commands that need it; `revision.py` asks whether they do.

Two processes that migrate at once must not hurt each other: PostgreSQL takes an advisory lock, SQLite its one writer.
"""

from __future__ import annotations

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from dispatcher.store.engine import Store, open_store
from dispatcher.store.revision import MIGRATIONS, current
from dispatcher.store.tables import metadata

_ADVISORY_LOCK = 36_08_00


async def migrate(url: str) -> str:
    """Upgrades the database at `url` to the newest revision and returns its name."""
    store = open_store(url, limit_s=None)
    try:
        async with store.begin() as tx:
            if store.dialect == "postgresql":
                await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            await tx.run_sync(_upgrade)
            return await tx.run_sync(current)
    finally:
        await store.close()


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

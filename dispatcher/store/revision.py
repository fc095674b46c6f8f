"""Which revision of the schema a database has, and whether it is the newest: asked at every start, so without Alembic.

Alembic and what it drags along would stay in the memory of a process that runs for months and migrates nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, column, inspect, select, table

from dispatcher.store.engine import Store

MIGRATIONS: Final = Path(__file__).resolve().parents[2] / "migrations"
_VERSION = table("alembic_version", column("version_num"))


async def outdated(store: Store) -> str:
    """A sentence that says what to type where the schema is not the newest; empty where it is."""
    async with store.read() as tx:
        found = await tx.run_sync(current)
    wanted = newest()
    if found == wanted:
        return ""
    return f"数据库结构是 {found or '空的'}，程序需要 {wanted}：请先运行 mingluo migrate"


def newest() -> str:
    """Migrations are numbered, and a file's name begins with its number."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def current(connection: Connection) -> str:
    """'' where the database was never migrated."""
    if not inspect(connection).has_table(_VERSION.name):
        return ""
    return str(connection.execute(select(_VERSION.c.version_num)).scalar() or "")

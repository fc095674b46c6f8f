"""Migrated schema = tables, on both databases; the record is append-only; two who migrate at once do not hurt each other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, delete, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError

from dispatcher.store.engine import Store, open_store
from dispatcher.store.migrating import differences, migrate, outdated
from dispatcher.store.tables import attempts, events, metadata, receipts, sequences
from tests.services import PG_URL, postgres

AT = datetime(2026, 4, 2, 18, 39, tzinfo=UTC)
DELIVERY = {"warning_id": "w", "target": "officer-JA00001", "channel": "sms", "round": 0}
RECORD: dict[Table, dict[str, Any]] = {
    events: {"at": AT, "kind": "warning.accepted", "warning_id": "w", "subject": "w", "detail": {}},
    attempts: {
        **DELIVERY,
        "no": 1,
        "provider": "twilio",
        "started_at": AT,
        "ended_at": AT,
        "outcome": "accepted",
        "code": "",
        "reason": "",
        "provider_ref": "SM1",
        "possible_duplicate": False,
        "trace": "",
    },
    receipts: {**DELIVERY, "at": AT, "state": "delivered", "code": "", "detail": ""},
}
every_record = pytest.mark.parametrize("table", RECORD, ids=[table.name for table in RECORD])


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any schema, on both."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/empty.db"
        return
    request.getfixturevalue("postgres_url")  # skips, or fails where services are required
    import_environment = request.getfixturevalue("postgres_server")
    url = asyncio.run(postgres.create_database(import_environment))
    yield url
    asyncio.run(postgres.drop_database(import_environment, url))


@pytest.fixture
def postgres_server() -> str:
    import os

    return os.environ[PG_URL]


async def kept(store: Store, table: Table) -> None:
    async with store.begin() as tx:
        await tx.execute(insert(table).values(RECORD[table]))


async def rows(store: Store, table: Table) -> list[Any]:
    async with store.read() as tx:
        return list((await tx.execute(select(table))).all())

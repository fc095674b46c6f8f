"""Migrated schema = tables, on both databases; the record is append-only; two who migrate at once do not hurt each other."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Table, delete, insert, inspect, make_url, select, text, update
from sqlalchemy.exc import DBAPIError

from dispatcher.store import audit as audit_log
from dispatcher.store.engine import Store, open_store
from dispatcher.store.migrating import differences, migrate
from dispatcher.store.revision import MIGRATIONS, newest, outdated
from dispatcher.store.tables import (
    attempts,
    audit,
    deliveries,
    events,
    facts,
    metadata,
    questions,
    receipts,
    scans,
    shift_log,
    signatures,
    uplinks,
)
from tests.services import postgres

AT = datetime(2026, 4, 2, 18, 39, tzinfo=UTC)
DELIVERY = {"warning_id": "w", "target": "officer-JA00001", "channel": "sms", "round": 0}
TRY = {"no": 1, "provider": "twilio", "started_at": AT, "ended_at": AT, "outcome": "accepted", "trace": ""}
RECORD: dict[Table, dict[str, Any]] = {
    events: {"id": 1, "at": AT, "kind": "warning.accepted", "warning_id": "w", "subject": "w", "detail": {}},
    attempts: {**DELIVERY, **TRY, "code": "", "reason": "", "provider_ref": "SM1", "possible_duplicate": False},
    questions: {**DELIVERY, "id": 1, "started_at": AT, "ended_at": AT, "code": "", "reason": "", "trace": "?"},
    receipts: {**DELIVERY, "id": 1, "at": AT, "state": "delivered", "code": "", "detail": ""},
}
RECORD[uplinks] = {
    "id": 1, "at": AT, "channel": "sms", "provider": "aliyun", "number": "1", "phone": b"sealed", "phone_index": 1,
    "text": "收到", "sent_at": AT, "dest_code": "1234",
}  # fmt: skip
RECORD[audit] = {
    "no": 1, "at": AT, "actor": "system", "action": "warning.accepted", "subject": "w", "detail": "{}", "previous": "0" * 64,
    "hash": "1" * 64,
}  # fmt: skip
RECORD[signatures] = {
    "id": 1, "warning_id": "w", "at": AT, "account_id": "a", "act": "approved", "plan_hash": "0" * 64, "detail": {},
}  # fmt: skip
RECORD[shift_log] = {
    "id": 1, "at": AT, "account_id": "a", "name": "甲", "step": "note", "scope": ["360800"], "text": "无", "detail": {},
}  # fmt: skip
RECORD[scans] = {
    "id": "s", "warning_id": "w", "at": AT, "account_id": "a", "name": "签批单.pdf", "kind": "pdf", "size": 1,
    "sha256": "0" * 64, "plan_hash": "", "body": b"sealed",
}  # fmt: skip
COLUMN = {audit: "actor", events: "kind", scans: "name", shift_log: "text", signatures: "act", uplinks: "text"}
every_record = pytest.mark.parametrize("table", RECORD, ids=[table.name for table in RECORD])


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A database without any schema, on both."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/empty.db"
        return
    server, _ = request.getfixturevalue("_postgres_template")
    url = await postgres.create_database(server)
    yield url
    await postgres.drop_database(server, url)


async def kept(store: Store, table: Table) -> None:
    async with store.begin() as tx:
        await tx.execute(insert(table).values(RECORD[table]))


async def there(store: Store, table: Table) -> list[dict[str, Any]]:
    async with store.read() as tx:
        return [dict(row) for row in (await tx.execute(select(table))).mappings()]


async def refused(store: Store, statement: Any) -> str:
    """What the database says to a statement it must abort."""
    with pytest.raises(DBAPIError) as aborted:
        async with store.begin() as tx:
            await tx.execute(statement)
    return str(aborted.value)


# ── the schema ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_migrated_schema_is_the_one_in_the_tables(store: Store) -> None:
    assert await differences(store) == []
    assert await outdated(store) == ""


def test_the_newest_revision_is_the_one_alembic_would_end_at() -> None:
    assert newest() == ScriptDirectory(str(MIGRATIONS)).get_current_head()


async def test_every_table_index_and_unique_key_is_there(store: Store) -> None:
    async with store.read() as tx:
        found = await tx.run_sync(
            lambda connection: {
                name: {index["name"] for index in inspect(connection).get_indexes(name)}
                | {key["name"] for key in inspect(connection).get_unique_constraints(name)}
                for name in inspect(connection).get_table_names()
            }
        )
    wanted = {table.name: {str(index.name) for index in table.indexes} for table in metadata.sorted_tables}
    assert set(found) - {"alembic_version"} == set(wanted)
    assert [name for name, indexes in wanted.items() if indexes - found[name]] == []


async def test_an_empty_database_says_what_to_type(empty_url: str) -> None:
    store = open_store(empty_url)
    assert "mingluo migrate" in await outdated(store)
    await store.close()


async def test_migrating_brings_an_empty_database_to_the_newest_and_again_changes_nothing(empty_url: str) -> None:
    revision = await migrate(empty_url)
    store = open_store(empty_url)
    async with store.begin() as tx:
        await tx.execute(insert(facts).values(name="city", value="360800"))
    assert await migrate(empty_url) == revision
    assert await there(store, facts) == [{"name": "city", "value": "360800"}]
    assert await outdated(store) == ""
    await store.close()


async def test_two_who_migrate_at_once_do_not_hurt_each_other(empty_url: str) -> None:
    async with asyncio.TaskGroup() as tasks:
        both = [tasks.create_task(migrate(empty_url)) for _ in range(2)]
    assert both[0].result() == both[1].result() != ""
    store = open_store(empty_url)
    assert await differences(store) == []
    await store.close()


async def test_the_services_own_account_may_add_to_the_record_and_do_no_more(postgres_url: str) -> None:
    """The owner migrates; the service's role works with every table, and cannot touch what was recorded, trigger or not."""
    role = f"service_{uuid.uuid4().hex[:12]}"
    services = make_url(postgres_url).set(username=role).render_as_string(hide_password=False)
    owner = open_store(postgres_url)
    async with owner.begin() as tx:
        await tx.execute(text(f"CREATE ROLE {role} LOGIN"))
    try:
        await migrate(postgres_url, services)
        async with owner.begin() as tx:  # the rights alone must do, as if somebody had taken the triggers away
            for table, row in RECORD.items():
                await tx.execute(text(f"DROP TRIGGER {table.name}_append_only ON {table.name}"))
                await tx.execute(insert(table).values(row))
        store = open_store(services)
        for table in RECORD:
            assert "permission denied" in await refused(
                store, update(table).values({COLUMN.get(table, "code"): "forged"})
            )
            if table is not uplinks:
                assert "permission denied" in await refused(store, delete(table)), table.name
        assert "permission denied" in await refused(store, delete(deliveries))
        assert "permission denied" in await refused(store, text("TRUNCATE deliveries"))
        async with store.begin() as tx:  # what was kept long enough may go
            await tx.execute(insert(facts).values(name="uplinks_leave", value=""))
            await tx.execute(delete(uplinks))
            await tx.execute(delete(facts))
            await tx.execute(update(attempts).values(trace=""))
            await tx.execute(update(questions).values(trace=""))
        async with store.begin() as tx:
            audit_log.append(tx, AT, audit_log.Act(actor="system", action="added", subject="x", detail={}))
            await tx.execute(insert(facts).values(name="n", value="v"))
            await tx.execute(update(facts).values(value="w"))
            await tx.execute(delete(facts))
        assert [row["action"] for row in await there(store, audit)] == ["warning.accepted", "added"]
        await store.close()
    finally:
        async with owner.begin() as tx:
            await tx.execute(text(f"DROP OWNED BY {role}"))
            await tx.execute(text(f"DROP ROLE {role}"))
        await owner.close()


# ── what happened is not rewritten ──────────────────────────────────────────────────────────────────────────────────


@every_record
async def test_what_was_recorded_cannot_be_changed(store: Store, table: Table) -> None:
    await kept(store, table)
    before = await there(store, table)
    column = COLUMN.get(table, "code")
    assert "append-only" in await refused(store, update(table).values({column: "forged"}))
    assert await there(store, table) == before


@every_record
async def test_what_was_recorded_cannot_be_deleted(store: Store, table: Table) -> None:
    await kept(store, table)
    assert "append-only" in await refused(store, delete(table))
    assert len(await there(store, table)) == 1


@pytest.mark.parametrize("table", [attempts, questions], ids=["attempts", "questions"])
async def test_a_trace_may_be_emptied_and_neither_rewritten_nor_anything_beside_it(store: Store, table: Table) -> None:
    async with store.begin() as tx:
        await tx.execute(insert(table).values(RECORD[table] | {"trace": "POST Messages.json"}))
    for forged in ({"trace": "POST"}, {"trace": "", "reason": "forged"}, {"trace": "", "ended_at": AT.replace(hour=1)}):
        assert "append-only" in await refused(store, update(table).values(forged))
    async with store.begin() as tx:
        await tx.execute(update(table).values(trace=""))
    (left,) = await there(store, table)
    assert left["trace"] == ""
    assert {name: left[name] for name in RECORD[table]} == RECORD[table] | {"trace": ""}


async def test_the_ledger_is_not_emptied_either(postgres_store: Store) -> None:
    assert "append-only" in await refused(postgres_store, text("TRUNCATE deliveries"))


async def test_what_people_wrote_back_goes_only_by_its_door(store: Store) -> None:
    await kept(store, uplinks)
    assert "append-only" in await refused(store, delete(uplinks))
    async with store.begin() as tx:
        await tx.execute(insert(facts).values(name="uplinks_leave", value=""))
        await tx.execute(delete(uplinks))
        await tx.execute(delete(facts).where(facts.c.name == "uplinks_leave"))
    assert await there(store, uplinks) == []


@every_record
async def test_what_was_recorded_cannot_be_replaced_by_the_back_door(sqlite_store: Store, table: Table) -> None:
    """SQLite's REPLACE deletes without asking a delete trigger, unless it is told to."""
    await kept(sqlite_store, table)
    before = await there(sqlite_store, table)
    column = COLUMN.get(table, "code")
    forged = insert(table).prefix_with("OR REPLACE").values(RECORD[table] | {column: "forged"})
    assert "append-only" in await refused(sqlite_store, forged)
    assert await there(sqlite_store, table) == before


@every_record
async def test_what_was_recorded_cannot_be_emptied(postgres_store: Store, table: Table) -> None:
    await kept(postgres_store, table)
    assert "append-only" in await refused(postgres_store, text(f"TRUNCATE {table.name}"))
    assert len(await there(postgres_store, table)) == 1

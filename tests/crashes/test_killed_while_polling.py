"""kill -9 of a service that polls, between the fetch and the commit, and between the commit and the tick: the alert is fetched
again, and kept once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from sqlalchemy import text

from dispatcher.registry import importing, sample
from dispatcher.settings import load, sqlite_file
from dispatcher.store.engine import Store, open_store
from dispatcher.store.sealed import Seal
from tests.browser.standing import cap
from tests.crashes.harness import Ground, free_port
from tests.dispatcher.upstream import Upstream, atom, entry, upstream

pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]
SEAL = Seal(bytes(32))
NOBODY = "http://127.0.0.1:9"


@asynccontextmanager
async def ground(database_url: str, folder: Path, up: Upstream) -> AsyncIterator[tuple[Ground, Store]]:
    """A small Ji'an, whose one upstream is `up`; and its database, to look at from outside."""
    store = open_store(database_url)
    wish = sample.Wish(gateways_at=NOBODY, endpoints_at=NOBODY, officers=700)
    await importing.put(store, SEAL, sample.make(load({}).config / "jian", wish))
    told = {
        "NAME": "上游", "DOORS": "[feed]", "AREA_PREFIXES": '["360800"]',
        "FEED__URL": f"{up.url}/cap.atom", "FEED__EVERY_S": "1",
    }  # fmt: skip
    environment = {
        "MINGLUO_DATABASE_URL": database_url,
        "MINGLUO_SEAL_KEY": "00" * 32,
        "MINGLUO_LISTEN": f"127.0.0.1:{free_port()}",
        **{f"MINGLUO_SOURCES__UPSTREAM__{name}": value for name, value in told.items()},
    }
    try:
        yield Ground(database_url=database_url, environment=environment, seal=SEAL, folder=folder), store
    finally:
        await store.close()


@asynccontextmanager
async def blocked(store: Store, database_url: str, table: str) -> AsyncIterator[None]:
    """Nobody writes to the table; on SQLite to none at all."""
    if (file := sqlite_file(database_url)) is not None:
        holder = sqlite3.connect(file, isolation_level=None, timeout=5)
        holder.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            holder.rollback()
            holder.close()
        return
    async with store.engine.connect() as tx:
        await tx.execute(text("SET idle_in_transaction_session_timeout = 0"))
        await tx.execute(text(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))
        yield  # leaving rolls back


def holding_its_breath(
    body: bytes, block: Callable[[], Awaitable[None]]
) -> Callable[[web.BaseRequest], Awaitable[web.Response]]:
    """The first who asks for the alert gets it when the table is blocked; whoever asks later just gets it."""
    asked = 0

    async def play(_request: web.BaseRequest) -> web.Response:
        nonlocal asked
        asked += 1
        if asked == 1:
            await block()
        return web.Response(body=body, content_type="application/cap+xml")

    return play


async def struck(
    database_url: str, folder: Path, table: str, when: Callable[[Store, Upstream], Awaitable[bool]]
) -> None:
    """The service is killed while `table` cannot be written and `when` holds; then it starts again."""
    async with upstream() as up, ground(database_url, folder, up) as (desk, store):
        held, go = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with blocked(store, database_url, table):
                held.set()
                await go.wait()

        async with asyncio.TaskGroup() as tasks:
            holding: list[asyncio.Task[None]] = []

            async def block() -> None:
                holding.append(tasks.create_task(hold()))
                await held.wait()

            up.serve("/cap.atom", atom(entry("a", "a.xml")))
            up.play("/a.xml", holding_its_breath(cap("a"), block))
            child = await desk.start()
            await held.wait()
            await _until(lambda: when(store, up))
            await child.kill()
            assert await _ticked(store) == [None]
            go.set()
        up.paths()
        again = await desk.start()
        await _until(lambda: _is_ticked(store))
        assert await again.end() == 0
        assert up.paths().count("/a.xml") == 1, "fetched again, once"
        assert await _kept(store) == 1


async def test_between_the_fetch_and_the_commit(database_url: str, tmp_path: Path) -> None:
    async def fetched(store: Store, up: Upstream) -> bool:
        asked = any(path == "/a.xml" for path, _ in up.asked)
        return asked and await _kept(store) == 0 and (store.dialect == "sqlite" or await _waits(store))

    await struck(database_url, tmp_path, "warnings", fetched)


async def test_between_the_commit_and_the_tick(postgres_url: str, tmp_path: Path) -> None:
    """On SQLite there is one writer: no other hand can come in between there."""

    async def committed(store: Store, _up: Upstream) -> bool:
        return await _kept(store) == 1

    await struck(postgres_url, tmp_path, "feed_entries", committed)


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():
            await asyncio.sleep(0.05)


async def _waits(store: Store) -> bool:
    """Whether somebody stands before the blocked table."""
    async with store.read() as tx:
        here = "(SELECT oid FROM pg_database WHERE datname = current_database())"
        return bool((await tx.execute(text(f"SELECT pid FROM pg_locks WHERE NOT granted AND database = {here}"))).all())


async def _kept(store: Store) -> int:
    async with store.read() as tx:
        return int((await tx.execute(text("SELECT count(*) FROM warnings"))).scalar_one())


async def _ticked(store: Store) -> list[object]:
    async with store.read() as tx:
        return list((await tx.execute(text("SELECT fetched_at FROM feed_entries"))).scalars())


async def _is_ticked(store: Store) -> bool:
    return all(await _ticked(store))

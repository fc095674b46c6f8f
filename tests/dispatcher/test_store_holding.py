"""One process of a database sends under a node's name: a second one is told so, and a dead one's name is free at once."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from dispatcher.pipeline.context import Context
from dispatcher.service.keys import Occupied, sole_sender
from dispatcher.store.engine import Store, open_store
from dispatcher.store.holding import Hold
from tests.city import Clock, settings
from tests.dispatcher.test_sending_dispatch import SEAL

SENDS = frozenset({"send"})
HELD = (
    "SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database "
    "WHERE locktype = 'advisory' AND classid = 3609 AND datname = current_database()"
)
"""In this database: another test's is not ours to end."""


async def test_a_name_is_held_by_one_and_free_when_its_holder_lets_go(postgres_store: Store) -> None:
    first, second, other = (Hold(postgres_store, name) for name in ("node-1", "node-1", "node-2"))
    assert await first.take()
    assert not await second.take()
    assert await other.take()
    await first.release()
    assert await second.take()
    for hold in (second, other):
        await hold.release()


async def test_a_second_sender_under_the_same_name_is_told_what_to_do(postgres_url: str) -> None:
    stores = [open_store(postgres_url) for _ in range(2)]
    contexts = [Context(settings=settings(), store=store, seal=SEAL, now=Clock()) for store in stores]
    async with sole_sender(contexts[0], SENDS):
        with pytest.raises(Occupied, match="MINGLUO_NODE"):
            async with sole_sender(contexts[1], SENDS, patience_s=0.1):
                pytest.fail("two send under one name")
        async with sole_sender(contexts[1], frozenset({"web"})):
            pass
    async with sole_sender(contexts[1], SENDS, patience_s=5):
        pass
    for store in stores:
        await store.close()


async def test_whoever_lost_its_name_to_another_stops(postgres_store: Store) -> None:
    first, second = Hold(postgres_store, "node-1"), Hold(postgres_store, "node-1")
    assert await first.take()
    async with postgres_store.begin() as tx:
        await tx.execute(text(f"SELECT pg_terminate_backend(pid) FROM ({HELD}) AS held"))
    async with asyncio.timeout(10):
        while not await second.take():
            await asyncio.sleep(0.05)
        await first.keep()
    for hold in (first, second):
        await hold.release()


async def test_a_name_is_taken_again_when_the_database_comes_back(postgres_store: Store) -> None:
    hold = Hold(postgres_store, "node-1")
    assert await hold.take()
    async with postgres_store.begin() as tx:
        await tx.execute(text(f"SELECT pg_terminate_backend(pid) FROM ({HELD}) AS held"))
    async with asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(hold.keep())
        async with asyncio.timeout(10):
            while not await _held(postgres_store):
                await asyncio.sleep(0.05)
        keeping.cancel()
    await hold.release()


async def _held(store: Store) -> bool:
    async with store.read() as tx:
        return bool((await tx.execute(text(HELD))).all())

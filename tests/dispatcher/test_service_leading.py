"""One leads; when it ends, dies or loses the database, another does within seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text

from dispatcher.service.leading import Leader
from dispatcher.store.engine import Store
from tests.dispatcher.test_store_holding import HELD


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():
            await asyncio.sleep(0.02)


def leading(*leaders: Leader) -> Callable[[], Awaitable[bool]]:
    """Whether exactly one of them does."""

    async def one() -> bool:
        return sum(leader.leads for leader in leaders) == 1

    return one


@pytest.mark.long
async def test_one_leads_and_another_takes_over_when_it_ends(postgres_store: Store) -> None:
    leaders = [Leader(postgres_store, "a task") for _ in range(2)]
    other = Leader(postgres_store, "another task")
    async with asyncio.TaskGroup() as tasks:
        running = {leader: tasks.create_task(leader.run()) for leader in (*leaders, other)}
        await until(leading(*leaders))
        await until(leading(other))
        first = next(leader for leader in leaders if leader.leads)
        running.pop(first).cancel()
        (second,) = (leader for leader in leaders if leader is not first)
        await until(leading(second))
        assert not first.leads
        for task in running.values():
            task.cancel()
    assert not second.leads


async def test_one_leads_again_after_the_database_cut_everybody_off(postgres_store: Store) -> None:
    leaders = [Leader(postgres_store, "a task") for _ in range(2)]
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(leader.run()) for leader in leaders]
        await until(leading(*leaders))
        async with postgres_store.begin() as tx:
            before = set((await tx.execute(text(HELD))).scalars())
            await tx.execute(text(f"SELECT pg_terminate_backend(pid) FROM ({HELD}) AS held"))
        await until(lambda: _held_anew(postgres_store, before))
        await until(leading(*leaders))
        for task in running:
            task.cancel()


async def _held_anew(store: Store, before: set[int]) -> bool:
    async with store.read() as tx:
        return bool(set((await tx.execute(text(HELD))).scalars()) - before)


async def test_on_sqlite_the_one_process_leads(sqlite_store: Store) -> None:
    leader = Leader(sqlite_store, "a task")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(leader.run())
        await until(leading(leader))
        running.cancel()
    assert not leader.leads

"""Tables, areas, people: what a real city has before its first warning, made in seconds for a rehearsal."""

from __future__ import annotations

import asyncio

from dispatcher.registry import importing, sample
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.rehearsal.demo_stage import City
from dispatcher.service.keys import seal_of
from dispatcher.settings import PROJECT, Settings
from dispatcher.store.engine import open_store
from dispatcher.store.migrating import migrate
from dispatcher.store.registry import EndpointRow, exported


async def found_city(settings: Settings, place: City, wish: sample.Wish, screen: Screen) -> None:
    """Migrates the database, fills it with the sample, and tells the party platforms the secrets it made for them."""
    with screen.working("建库"):
        await migrate(settings.service.database_url)
    with screen.working("生成吉安市登记册（合成数据）") as tell:
        sheets = await asyncio.to_thread(sample.make, PROJECT / "config" / "jian", wish)
        store = open_store(settings.service.database_url)
        try:
            await importing.put(store, seal_of(settings), sheets, tell=tell)
        finally:
            await store.close()
    await acquaint(settings, place)


async def acquaint(settings: Settings, place: City) -> None:
    """A city that was just started knows no secret yet: those of the register as it stands."""
    store = open_store(settings.service.database_url)
    try:
        async with store.read() as tx:
            rows = await exported(tx, seal_of(settings), EndpointRow)
    finally:
        await store.close()
    await place.know({row.id: row.secrets for row in rows if isinstance(row, EndpointRow)})

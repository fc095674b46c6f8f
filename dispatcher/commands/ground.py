"""What most commands stand on: settings, a database that fits, a register; and the sample that a newcomer gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dispatcher.pipeline.context import Context
from dispatcher.registry import importing, sample
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.service import schema
from dispatcher.service.assembly import open_context
from dispatcher.service.keys import sqlite_file
from dispatcher.settings import PROJECT, Settings

GATEWAYS_AT = "http://127.0.0.1:8091/gateways"
PLATFORMS_AT = "http://127.0.0.1:8092/platforms"
"""Where `python -m dispatcher.rehearsal --port 8090` plays them."""


@asynccontextmanager
async def standing(settings: Settings) -> AsyncIterator[Context]:
    """The database open and of the right schema."""
    await schema.ensure(settings)
    context = await open_context(settings)
    try:
        yield context
    finally:
        await context.store.close()


async def settled(context: Context, screen: Screen) -> bool:
    """An empty register on one's own machine is filled with the sample; False where a person has to."""
    if (await context.register()).areas:
        return True
    if context.settings.production or sqlite_file(context.settings.service.database_url) is None:
        return False
    await make_sample(context, sample.Wish(gateways_at=GATEWAYS_AT, endpoints_at=PLATFORMS_AT), screen)
    return True


async def make_sample(context: Context, wish: sample.Wish, screen: Screen) -> int:
    """Returns the register's new version."""
    with screen.working("生成吉安市登记册（合成数据）") as tell:
        sheets = await asyncio.to_thread(sample.make, PROJECT / "config" / "jian", wish)
        return await importing.put(context.store, context.seal, sheets, tell=tell)


def where(settings: Settings) -> str:
    """The database as a person knows it: the file, or the address without its password."""
    file = sqlite_file(settings.service.database_url)
    return f"SQLite {file}" if file else without_password(settings.service.database_url)


def without_password(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    return f"{scheme}{mark}{user.partition(':')[0]}{at}{place}"

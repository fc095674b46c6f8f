"""What most commands stand on: settings, a database that fits, a register that is not empty."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from dispatcher.accounts.keeping import Keeper
from dispatcher.pipeline.context import Context
from dispatcher.registry.register import glance
from dispatcher.service import schema
from dispatcher.service.assembly import open_context
from dispatcher.settings import Settings, sqlite_file

_SAMPLING: Final = "dispatcher.commands.sampling"
"""Loaded where a sample is made, with all that draws, reads and writes registers."""


@asynccontextmanager
async def standing(settings: Settings) -> AsyncIterator[Context]:
    """The database open and of the right schema."""
    await schema.ensure(settings)
    context = await open_context(settings)
    try:
        yield context
    finally:
        await context.store.close()


async def settled(context: Context, *, stay_empty: bool = False) -> bool:
    """A new database on one's own machine is filled with the sample; False where a person has to."""
    if not (await glance(context.store)).empty:
        return True
    if stay_empty or not await _is_new(context):
        return False
    await importlib.import_module(_SAMPLING).fill(context)
    return True


async def _is_new(context: Context) -> bool:
    """Whoever has made accounts on it wants his own register, and a database elsewhere may be somebody's."""
    settings = context.settings
    if settings.production or sqlite_file(settings.service.database_url) is None:
        return False
    return await keeper_of(context).empty()


def keeper_of(context: Context) -> Keeper:
    return Keeper(context.store, context.seal, context.now, context.settings.service.passwords)


def where(settings: Settings) -> str:
    """The database as a person knows it: the file, or the address without its password."""
    file = sqlite_file(settings.service.database_url)
    return f"SQLite {file}" if file else without_password(settings.service.database_url)


def without_password(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    return f"{scheme}{mark}{user.partition(':')[0]}{at}{place}"

"""Whether the database fits the program, before anything is read from it.

In profile test it is made to fit without asking, so that a newcomer sees something; in production a person runs
`mingluo migrate`, with the owner's rights, which the service itself does not have.
"""

from __future__ import annotations

import importlib
from typing import Final

from dispatcher.settings import BadConfiguration, Settings
from dispatcher.store.engine import open_store
from dispatcher.store.revision import outdated

_MIGRATING: Final = "dispatcher.store.migrating"
"""Loaded where there is something to migrate: a process that serves for months has no use for it."""


async def ensure(settings: Settings) -> None:
    """Raises BadConfiguration with the command to type where the schema is not the newest."""
    if (sentence := await check(settings)) == "":
        return
    if settings.production:
        raise BadConfiguration(sentence)
    await importlib.import_module(_MIGRATING).migrate(settings.service.database_url)


async def check(settings: Settings) -> str:
    """Empty where the schema is the newest."""
    store = open_store(settings.service.database_url)
    try:
        return await outdated(store)
    finally:
        await store.close()

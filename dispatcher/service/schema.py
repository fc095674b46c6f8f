"""Whether the database fits the program, before anything is read from it.

In profile test it is made to fit without asking, so that a newcomer sees something; in production a person runs
`mingluo migrate`, with the owner's rights, which the service itself does not have.
"""

from __future__ import annotations

from dispatcher.settings import BadConfiguration, Settings
from dispatcher.store.engine import open_store
from dispatcher.store.migrating import migrate, outdated


async def ensure(settings: Settings) -> None:
    """Raises BadConfiguration with the command to type where the schema is not the newest."""
    if (sentence := await check(settings)) == "":
        return
    if settings.production:
        raise BadConfiguration(sentence)
    await migrate(settings.service.database_url)


async def check(settings: Settings) -> str:
    """Empty where the schema is the newest."""
    store = open_store(settings.service.database_url)
    try:
        return await outdated(store)
    finally:
        await store.close()

"""A name that one process of a database holds at a time, until it ends or dies: who sends under a node's name.

It must survive kill -9 (the name is free at once), a machine that vanishes (the server notices within seconds) and a database
that restarts (the name is taken again, or somebody else has it and we must stop). On SQLite the lock file does this.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

from sqlalchemy import func, select, text

from dispatcher.store.engine import Store, Tx, database_is_away

LOOK_S: Final = 2.0
_SPACE: Final = 3609
"""The first number of the advisory lock; the second is the name's."""
_NOTICE: Final = ("tcp_keepalives_idle = 4", "tcp_keepalives_interval = 2", "tcp_keepalives_count = 3")


class Hold:
    """`take` it, then `keep` it in a task of its own, then `release` it."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._key = zlib.crc32(name.encode()) - 2**31
        self._line: Tx | None = None

    async def take(self) -> bool:
        """False where another process holds the name."""
        if self._store.dialect == "sqlite":
            return True
        await self.release()
        self._line = await self._store.engine.open()
        await self._line.execution_options(isolation_level="AUTOCOMMIT")
        for setting in _NOTICE:
            await self._line.execute(text(f"SET {setting}"))
        return bool((await self._line.execute(select(func.pg_try_advisory_lock(_SPACE, self._key)))).scalar_one())

    async def keep(self) -> None:
        """Returns when the name is another's; until then, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._line is None:
                continue
            try:
                await self._line.execute(text("SELECT 1"))
            except Exception as error:
                if not database_is_away(error):
                    raise
                if not await self._again():
                    return

    async def release(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.invalidate()  # the lock goes with the session, so the session must not go back to the pool
            await line.close()

    async def _again(self) -> bool:
        """The database came back: whoever comes first has the name."""
        while True:
            try:
                return await self.take()
            except Exception as error:
                if not database_is_away(error):
                    raise
                await asyncio.sleep(LOOK_S)

"""One process of a database does what two should not do at once: which one, the database says.

It must survive a leader that dies (another leads within seconds), a database that is away, and a moment in which two believe
that they lead: whatever is done so must bear being done twice.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from dispatcher.store.engine import Store, database_is_away
from dispatcher.store.holding import Hold

LOOK_S: Final = 5.0
"""How often one that does not lead asks whether it may."""

log = structlog.get_logger()


class Leader:
    """`run` in a task of its own; `leads` says whether this process is the one."""

    def __init__(self, store: Store, name: str) -> None:
        self._hold = Hold(store, name)
        self._name = name
        self.leads = False

    async def run(self) -> None:
        try:
            while True:
                await self._lead()
                await asyncio.sleep(LOOK_S)
        finally:
            self.leads = False
            await self._hold.release()

    async def _lead(self) -> None:
        """Returns when another does."""
        try:
            self.leads = await self._hold.take()
            if self.leads:
                log.info("本进程开始负责", task=self._name)
                await self._hold.keep()
                log.warning("改由另一个进程负责", task=self._name)
        except Exception as error:
            if not database_is_away(error):
                raise
            log.warning("数据库暂时不可用，稍后再试", task=self._name, error=type(error).__name__)
        finally:
            self.leads = False

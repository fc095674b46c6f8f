"""What the provider, the gateway or the platform says became of it: collected, committed in groups, then answered.

It must survive receipts that come twice, late, out of order, before the answer to the send, or for nobody: they are all
put on record, and only ever move a delivery forward. A receipt is never an answer of a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from channels.contract import Receipt, ReceiptState
from dispatcher.model import DeliveryKey
from dispatcher.states import DeliveryState
from dispatcher.store import deliveries
from dispatcher.store.deliveries import Report
from dispatcher.store.engine import Store, database_is_away, storable

GROUP_S = 0.025
GROUP = 500
TRIES = 3

_STATES = {
    ReceiptState.SENT: DeliveryState.SENT,
    ReceiptState.DELIVERED: DeliveryState.DELIVERED,
    ReceiptState.UNDELIVERED: DeliveryState.UNDELIVERED,
    ReceiptState.FAILED: DeliveryState.FAILED,
}

log = structlog.get_logger()


class ReceiptBook:
    """`enter` returns once the receipts are committed, so that a provider is answered only then. `run` it."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._waiting: list[tuple[Sequence[Report], asyncio.Future[None]]] = []
        self._news = asyncio.Event()

    async def enter(self, reports: Sequence[Report]) -> None:
        if not reports:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((reports, done))
        self._news.set()
        await done

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._news.wait()
            if sum(len(reports) for reports, _ in self._waiting) < GROUP:
                await asyncio.sleep(GROUP_S)
            self._news.clear()
            batch, self._waiting = self._waiting, []
            await self._commit(batch)

    async def _commit(self, batch: list[tuple[Sequence[Report], asyncio.Future[None]]]) -> None:
        every = [report for reports, _ in batch for report in reports]
        try:
            await self._apply(every)
        except Exception as error:  # noqa: BLE001 - handed to every waiting caller, who answers 503 and is called again
            log.warning("回执没有写进数据库，请对方重发", receipts=len(batch), error=type(error).__name__)
            for _, done in batch:
                if not done.done():
                    done.set_exception(error)
            return
        for _, done in batch:
            if not done.done():
                done.set_result(None)

    async def _apply(self, reports: Sequence[Report]) -> None:
        """Two writers of one row may meet in the wrong order and PostgreSQL ends one of them: that one tries again."""
        for _ in range(TRIES - 1):
            try:
                return await self._write(reports)
            except Exception as error:
                if not database_is_away(error):
                    raise
        return await self._write(reports)

    async def _write(self, reports: Sequence[Report]) -> None:
        async with self._store.begin() as tx:
            await deliveries.apply_receipts(tx, reports, self._now())


def report_of(receipt: Receipt, key: DeliveryKey) -> Report:
    """A provider's receipt in the ledger's words."""
    return Report(
        key=key, state=_STATES[receipt.state], code=storable(receipt.code)[:32], detail=storable(receipt.detail)
    )

"""What the provider, the gateway or the platform says became of it: collected, committed in groups, then answered.

It must survive receipts that come twice, late, out of order, before the answer to the send, or for nobody: they are all
put on record, and only ever move a delivery forward. A receipt is never an answer of a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from channels.contract import Receipt, ReceiptState
from dispatcher.model import DeliveryKey
from dispatcher.states import DeliveryState
from dispatcher.store import deliveries
from dispatcher.store.deliveries import Report
from dispatcher.store.engine import Store, database_is_away, storable
from dispatcher.telemetry import mask

GROUP_S = 0.025
GROUP = 500
COMMIT_S = 10.0
"""How long a provider waits for its answer."""
TRIES = 3

_STATES = {
    ReceiptState.SENT: DeliveryState.SENT,
    ReceiptState.DELIVERED: DeliveryState.DELIVERED,
    ReceiptState.UNDELIVERED: DeliveryState.UNDELIVERED,
    ReceiptState.FAILED: DeliveryState.FAILED,
}

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class _Group:
    """Receipts that are committed together, and those who wait for it."""

    reports: list[Report] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    clock: asyncio.TimerHandle | None = None

    def answer(self, error: Exception | None) -> None:
        """Whoever comes later waits anew."""
        if self.clock is not None:
            self.clock.cancel()
        waiting, self.waiting = self.waiting, []
        for done in waiting:
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)


class ReceiptBook:
    """`enter` returns once the receipts are committed, so that a provider is answered only then. `run` it."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._gathering = _Group()
        self._news = asyncio.Event()

    async def enter(self, reports: Sequence[Report]) -> None:
        """Raises after COMMIT_S, or what the database raised; they may be committed all the same."""
        if not reports:
            return
        loop, group = asyncio.get_running_loop(), self._gathering
        if not group.waiting:  # one clock a group: one a receipt cost as much as its row
            group.clock = loop.call_later(COMMIT_S, group.answer, TimeoutError("not committed in time"))
            self._news.set()
        done: asyncio.Future[None] = loop.create_future()
        group.reports.extend(reports)
        group.waiting.append(done)
        await done

    async def run(self) -> None:
        """Until cancelled. While a group is being committed the next one gathers, and that counts as its wait."""
        clock = asyncio.get_running_loop().time
        began = clock() - GROUP_S
        while True:
            await self._news.wait()
            wait_s = began + GROUP_S - clock()
            if wait_s > 0 and len(self._gathering.reports) < GROUP:
                await asyncio.sleep(wait_s)
            self._news.clear()
            group, self._gathering, began = self._gathering, _Group(), clock()
            await self._commit(group)

    async def _commit(self, group: _Group) -> None:
        try:
            await self._apply(group.reports)
        except Exception as error:  # noqa: BLE001 - handed to every waiting caller, who answers 503 and is called again
            log.warning("回执没有写进数据库，请对方重发", receipts=len(group.waiting), error=type(error).__name__)
            group.answer(error)
        else:
            group.answer(None)

    async def _apply(self, reports: Sequence[Report]) -> None:
        """Two writers of one row may meet in the wrong order and PostgreSQL ends one of them: that one tries again."""
        for _ in range(TRIES - 1):
            try:
                return await deliveries.enter_receipts(self._store, reports, self._now())
            except Exception as error:
                if not database_is_away(error):
                    raise
        return await deliveries.enter_receipts(self._store, reports, self._now())


def report_of(receipt: Receipt, key: DeliveryKey) -> Report:
    """A provider's receipt in the ledger's words."""
    return Report(
        key=key,
        state=_STATES[receipt.state],
        code=mask(storable(receipt.code))[:32],
        detail=mask(storable(receipt.detail)),
    )

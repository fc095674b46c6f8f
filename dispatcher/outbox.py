"""What other systems hear of it: rows committed with the change, relayed to the broker in order until it has confirmed them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from dispatcher.broker.contract import Broker, OutboundEvent
from dispatcher.store import events
from dispatcher.store.engine import Store

PAGE = 100


async def relay(store: Store, broker: Broker, now: Callable[[], datetime]) -> int:
    """Relays what waits, oldest first; returns how many. Raises what the broker raises: the rows wait for the next time."""
    relayed = 0
    while True:
        async with store.read() as tx:
            waiting = await events.waiting(tx, PAGE)
        if not waiting:
            return relayed
        for row in waiting:
            await broker.publish(
                OutboundEvent(id=str(row.id), kind=row.kind, subject=row.subject, at=row.at, data=dict(row.detail))
            )
        async with store.begin() as tx:
            await events.relayed(tx, [row.id for row in waiting], now())
        relayed += len(waiting)

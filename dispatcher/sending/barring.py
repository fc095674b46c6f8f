"""What must not leave although its warning has not ended: not as it was approved, approved by nobody, drill and live at once,
or a drill without a provider of its own. It ends with a code, in the ledger and in the log; nothing of it waits for a way out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

import structlog

from channels.contract import MIXED
from dispatcher.sending.live import PLAN_CHANGED, UNSIGNED, Live
from dispatcher.states import DeliveryState
from dispatcher.store import chunks, deliveries, events
from dispatcher.store.chunks import Chunk
from dispatcher.store.deliveries import Due, Row
from dispatcher.store.engine import Tx
from dispatcher.store.events import Event
from dispatcher.store.sides import NO_DRILL_PROVIDER

Side = tuple[str, bool]
"""A channel, and whether a drill's. What is on one side never meets an outlet of the other."""
Barred = tuple[DeliveryState, str]
"""How its rows end, and the code that says why."""

KINDS = {PLAN_CHANGED: "warning.plan_changed", UNSIGNED: "warning.unsigned", MIXED: "warning.drill_mixed"}
"""What other systems hear of it, by code."""

log = structlog.get_logger()


class Bar:
    """`sides`: those that have an outlet here; looked at each time."""

    def __init__(self, sides: Collection[Side], now: Callable[[], datetime]) -> None:
        self._sides = sides
        self._now = now
        self.mixed = 0
        """Rows refused because what is kept of their warning says drill and live at once."""

    def of(self, live: Live, channel: str) -> Barred | None:
        """Why nothing of this warning leaves by this channel; None where it may."""
        if live.wrong:
            return DeliveryState.FAILED, live.wrong
        if (channel, live.bulletin.drill) in self._sides:
            return None
        return (DeliveryState.SUPPRESSED, NO_DRILL_PROVIDER) if live.bulletin.drill else (DeliveryState.FAILED, MIXED)

    async def tell(self, tx: Tx, of: Chunk | Due, live: Live, told: tuple[int, Barred]) -> None:
        """What was approved is not what stands in the database: somebody is woken. For a drill that nobody can send, nobody.
        `told`: how many rows, and how they end."""
        rows, barred = told
        if barred[0] is not DeliveryState.FAILED:
            return
        code, said = barred[1], log.bind(warning_id=of.warning_id, channel=of.channel, rows=rows, code=barred[1])
        if code == MIXED:
            self.mixed += rows
            said.error("演练与实战的标志对不上，拒绝发送：请立即查明是谁改的")
        elif code == UNSIGNED:
            said.error("没有人签发过，拒绝发送")
        else:
            said.error("冻结的方案被改动，拒绝发送")
        detail = {"channel": of.channel, "rows": rows, "code": code, "changed": [dict(one) for one in live.changed]}
        event = Event(kind=KINDS[code], subject=of.warning_id, warning_id=of.warning_id, detail=detail)
        await events.record(tx, self._now(), event, outward=True)

    async def end(self, tx: Tx, of: Chunk | Due, live: Live, held: tuple[int, list[Row], Barred]) -> None:
        """Nothing more of these is sent; what may have been sent is called unknown. `held`: a chunk, its rows, their end."""
        (chunk_id, rows, barred), now = held, self._now()
        state, code = barred
        if rows:
            await self.tell(tx, of, live, (len(rows), barred))
        results = [
            deliveries.Settled(
                chunk_id=chunk_id,
                row=row,
                state=DeliveryState.UNKNOWN if row.possible_duplicate else state,
                code=code,
                at=now,
            )
            for row in rows
        ]
        await deliveries.settle(tx, results)
        await chunks.close(tx, [chunk_id])

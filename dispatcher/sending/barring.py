"""What must not leave although its warning has not ended: not as it was approved, approved by nobody, drill and live at once,
or a drill without a provider of its own. It ends with a code, in the ledger and in the log; nothing of it waits for a way out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import structlog

from channels.contract import MIXED
from dispatcher.sending.approved import PLAN_CHANGED, UNSIGNED, Differences
from dispatcher.sending.live import Live
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

ROW_REFUSED = "warning.row_refused"
"""A row of the ledger is on no signed list; the warning itself is out."""
KINDS = {PLAN_CHANGED: "warning.plan_changed", UNSIGNED: "warning.unsigned", MIXED: "warning.drill_mixed"}
"""What other systems hear of it, by code."""

_SHOWN = 5

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

    async def tell(self, tx: Tx, of: Chunk | Due, changed: Differences, told: tuple[int, Barred]) -> None:
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
        detail = {"channel": of.channel, "rows": rows, "code": code, "changed": [dict(one) for one in changed]}
        event = Event(kind=KINDS[code], subject=of.warning_id, warning_id=of.warning_id, detail=detail)
        await events.record(tx, self._now(), event, outward=True)

    async def end(self, tx: Tx, of: Chunk | Due, live: Live, held: tuple[int, list[Row], Barred]) -> None:
        """Nothing more of these is sent; what may have been sent is called unknown. `held`: a chunk, its rows, their end."""
        chunk_id, rows, barred = held
        if rows:
            await self.tell(tx, of, live.approved.changed, (len(rows), barred))
        await self._settle(tx, chunk_id, rows, barred)
        await chunks.close(tx, [chunk_id])

    async def refuse(self, tx: Tx, of: Chunk | Due, chunk_id: int, rows: Sequence[Row]) -> None:
        """These are on no list that was signed, or were on it otherwise; the others of their chunk go out."""
        barred = (DeliveryState.FAILED, PLAN_CHANGED)
        shown = [f"{row.target}，第 {row.text_no + 1} 条文字" for row in rows[:_SHOWN]]
        changed = [{"what": "台账中的一行", "was": "按签发的名单", "now": now} for now in shown]
        log.error("台账中有不在签发名单上的行，拒绝发送：请立即查明是谁改的", warning_id=of.warning_id, rows=len(rows))
        detail = {"channel": of.channel, "rows": len(rows), "code": PLAN_CHANGED, "changed": changed}
        event = Event(kind=ROW_REFUSED, subject=of.warning_id, warning_id=of.warning_id, detail=detail)
        await events.record(tx, self._now(), event, outward=True)
        await self._settle(tx, chunk_id, rows, barred)

    async def _settle(self, tx: Tx, chunk_id: int, rows: Sequence[Row], barred: Barred) -> None:
        (state, code), now = barred, self._now()
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

"""Providers that can be asked are asked what became of what they took, soon at first and then less and less often.

One that also reports by itself is asked only later, about the rest. Every question that left a trace is put on record
with its answer, or with the silence that came instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from channels.contract import Asks, Receipt, ReceiptState
from dispatcher.model import Channel
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.settle import take_receipts
from dispatcher.receipts import ReceiptBook
from dispatcher.sending.live import Desk, Live
from dispatcher.sending.opened import Lookup, message_of
from dispatcher.store import deliveries, pushes, warnings
from dispatcher.store.deliveries import Row
from dispatcher.store.pushes import Question

STEPS_S = (1.0, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
BATCH = 200

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class _Round:
    number: int
    due: datetime


@dataclass(slots=True, kw_only=True)
class Follower:
    """`look` is called every second; it asks about each warning and channel when its turn has come; about drills alone, or
    about none (`drill`), as its askers are."""

    context: Context
    book: ReceiptBook
    desk: Desk
    lookup: Lookup
    askers: Mapping[Channel, Asks]
    now: Callable[[], datetime]
    drill: bool = False
    after_s: Mapping[Channel, float] = field(default_factory=dict)
    """How long a provider's own reports are waited for before it is asked."""
    _rounds: dict[tuple[str, Channel], _Round] = field(default_factory=dict)

    async def look(self) -> None:
        async with self.context.store.read() as tx:
            open_ones = [row.id for row in await warnings.unfinished(tx) if row.drill is self.drill]
        self._rounds = {key: turn for key, turn in self._rounds.items() if key[0] in open_ones}
        for warning_id in open_ones:
            for channel, asker in self.askers.items():
                await self._ask(warning_id, channel, asker)

    async def _ask(self, warning_id: str, channel: Channel, asker: Asks) -> None:
        now, turn = self.now(), self._rounds.get((warning_id, channel))
        if turn is not None and now < turn.due:
            return
        rows, live = await self._page(warning_id, channel, "")
        if live is None:
            return
        if turn is None and (wait_s := self.after_s.get(channel, 0.0)):
            self._rounds[warning_id, channel] = _Round(number=-1, due=now + timedelta(seconds=wait_s))
            return
        number = turn.number + 1 if turn else 0
        pause = STEPS_S[min(number, len(STEPS_S) - 1)]
        self._rounds[warning_id, channel] = _Round(number=number, due=now + timedelta(seconds=pause))
        while live is not None:
            await self._ask_page(channel, asker, rows, live)
            rows, live = await self._page(warning_id, channel, rows[-1].target)

    async def _page(self, warning_id: str, channel: Channel, after: str) -> tuple[list[Row], Live | None]:
        async with self.context.store.read() as tx:
            rows = await deliveries.awaiting_receipt(tx, warning_id, channel, after, BATCH)
            live = await self.desk.load(tx, warning_id) if rows else None
        if live is None or live.wrong or live.bulletin.drill is not self.drill:
            return rows, None  # what contradicts itself is nobody's to ask about
        return rows, live

    async def _ask_page(self, channel: Channel, asker: Asks, rows: list[Row], live: Live) -> None:
        addresses = await self.lookup(rows)
        there = {row.name: row for row in rows if row.target in addresses}
        messages = [message_of(live, row, addresses[row.target]) for row in there.values()]
        began = self.now()
        answers = await asker.ask(messages, began)
        ended = self.now()
        asked = [
            Question(
                row=there[one.id], started_at=began, ended_at=ended, code=one.code, reason=one.reason, trace=one.trace
            )
            for one in answers
            if one.trace and one.id in there
        ]
        if asked:
            async with self.context.store.begin() as tx:
                await pushes.keep(tx, asked)
        told = [one.receipt for one in answers if one.receipt and _is_news(one.receipt)]
        await take_receipts(self.context, self.book, channel, told, drill=self.drill)
        silent = sum(1 for one in answers if one.code)
        if silent:
            log.warning("询问结果没有得到回答，稍后再问", channel=channel, asked=len(answers), silent=silent)


def _is_news(receipt: Receipt) -> bool:
    """Only what was sent is asked about: that it was sent, and no more, need not be put on record each time."""
    return receipt.state is not ReceiptState.SENT or bool(receipt.code)

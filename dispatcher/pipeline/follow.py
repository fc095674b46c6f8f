"""Providers that can be asked are asked what became of what they took, soon at first and then less and less often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from channels.contract import Asks, Message
from dispatcher.model import Channel
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.settle import UNDER_WAY, take_receipts
from dispatcher.receipts import ReceiptBook
from dispatcher.sending.live import Desk
from dispatcher.sending.outlet import Lookup, message_of
from dispatcher.store import deliveries, warnings

STEPS_S = (1.0, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
BATCH = 200

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class _Round:
    number: int
    due: datetime


@dataclass(slots=True, kw_only=True)
class Follower:
    """`look` is called every second; it asks about each warning and channel when its turn has come."""

    context: Context
    book: ReceiptBook
    desk: Desk
    lookup: Lookup
    askers: Mapping[Channel, Asks]
    now: Callable[[], datetime]
    _rounds: dict[tuple[str, Channel], _Round] = field(default_factory=dict)

    async def look(self) -> None:
        async with self.context.store.read() as tx:
            under_way = [row.id for row in await warnings.in_states(tx, UNDER_WAY)]
        self._rounds = {key: turn for key, turn in self._rounds.items() if key[0] in under_way}
        for warning_id in under_way:
            for channel, asker in self.askers.items():
                await self._ask(warning_id, channel, asker)

    async def _ask(self, warning_id: str, channel: Channel, asker: Asks) -> None:
        now = self.now()
        turn = self._rounds.get((warning_id, channel))
        if turn is not None and now < turn.due:
            return
        async with self.context.store.read() as tx:
            rows = await deliveries.awaiting_receipt(tx, warning_id, channel)
            live = await self.desk.load(tx, warning_id) if rows else None
        if live is None:
            return
        number = turn.number + 1 if turn else 0
        pause = STEPS_S[min(number, len(STEPS_S) - 1)]
        self._rounds[warning_id, channel] = _Round(number=number, due=now + timedelta(seconds=pause))
        addresses = await self.lookup(rows)
        messages = [message_of(live, row, addresses[row.target]) for row in rows if row.target in addresses]
        for start in range(0, len(messages), BATCH):
            await self._ask_batch(channel, asker, messages[start : start + BATCH])

    async def _ask_batch(self, channel: Channel, asker: Asks, messages: list[Message]) -> None:
        try:
            receipts = await asker.ask(messages, self.now())
        except (TimeoutError, OSError) as error:
            log.warning("询问播发结果没有得到回答，稍后再问", channel=channel, error=type(error).__name__)
            return
        await take_receipts(self.context, self.book, channel, receipts)

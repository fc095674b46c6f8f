"""The embedded broker: the same two verbs over tables of the service's own database, for one machine and no server.

It must survive kill -9 at any point (a letter is deleted only after its handler returned), rows put by other processes
(a look at the table every 250 ms, at once for our own) and a database that is away. One process consumes; were there
two, a letter could be handled twice, which the intake, like any at-least-once delivery, must bear anyway.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from typing import assert_never

import structlog

from dispatcher.broker import canary
from dispatcher.broker.asking import Failed, Later, ask, tell_of_canary, told_of_giving_up
from dispatcher.broker.contract import (
    DELIVERY_LIMIT,
    GAVE_UP,
    Ack,
    Handler,
    Health,
    Inbound,
    Node,
    OutboundEvent,
    Parcel,
    Reject,
    RetryPlan,
    full_jitter,
)
from dispatcher.store import inbox
from dispatcher.store.engine import Store

LOOK_S = 0.25
_log = structlog.get_logger(__name__)


class EmbeddedBroker:
    """`Broker` over the tables inbox and rejected; what goes out stays in the outbox table."""

    def __init__(self, store: Store, node: Node, plan: RetryPlan | None = None) -> None:
        self._store = store
        self._node = node
        self._plan = plan or RetryPlan()
        self._canary = canary.Canary(node.name)
        self._wake = asyncio.Event()
        self._held: dict[int, float] = {}
        self._problem = ""

    async def start(self) -> None:
        await self._look()

    async def put(self, parcel: Parcel) -> None:
        """The way in from this process: on disk when it returns."""
        await put(self._store, parcel, self._node.clock())
        self._wake.set()

    async def consume(self, handler: Handler) -> None:
        failures = 0
        while True:
            try:
                letter = await self._look()
                if letter is None:
                    await self._wait()
                else:
                    await self._one(letter, handler)
                failures, self._problem = 0, ""
            except Exception as error:  # noqa: BLE001 - the way in must outlive any database error
                failures += 1
                self._problem = f"数据库读写失败（{type(error).__name__}），收件暂停"
                _log.exception("embedded broker cannot reach its tables")
                await asyncio.sleep(full_jitter(failures))

    async def publish(self, event: OutboundEvent) -> None:
        """Nothing leaves: the outbox row, committed before this call, is the record."""

    async def reject(self, inbound: Inbound, code: int, reason: str, source: str) -> None:
        refused = _refused(inbound, Reject(code=code, reason=reason, source=source), self._node.clock())
        await self._store.in_one_go(partial(inbox.refuse, refused=refused))

    async def canary(self, now: datetime) -> None:
        parcel = self._canary.next(now)
        if parcel is None:
            return
        try:
            await self.put(parcel)
        except Exception:  # noqa: BLE001 - a canary that cannot be put is what `ready` reports
            self._canary.lost()
            _log.exception("canary could not be put")

    async def ready(self, now: datetime, seen_elsewhere: datetime | None = None) -> Health:
        if seen_elsewhere is not None:
            self._canary.proven(seen_elsewhere)
        problem = self._problem or self._canary.problem(now)
        return Health(name="embedded", problem=problem, canary_age_s=self._canary.age_s(now))

    async def close(self) -> None:
        """The database is the service's to close."""
        self._held.clear()

    async def _look(self) -> inbox.Letter | None:
        now = asyncio.get_running_loop().time()
        self._held = {letter_id: due for letter_id, due in self._held.items() if due > now}
        self._wake.clear()
        async with self._store.read() as tx:
            return await inbox.oldest(tx, passing_over=tuple(self._held))

    async def _wait(self) -> None:
        """Until something was put here, a held letter is due, or it is time to look for other processes' rows."""
        now = asyncio.get_running_loop().time()
        first_due = min(self._held.values(), default=now + LOOK_S)
        try:
            async with asyncio.timeout(max(0.0, min(LOOK_S, first_due - now))):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _one(self, letter: inbox.Letter, handler: Handler) -> None:
        inbound = _inbound(letter)
        if canary.name_in(inbound):
            self._canary.came_through(inbound.headers)
            await tell_of_canary(self._node, inbound)
            await self._done(letter)
            return
        if letter.tries >= DELIVERY_LIMIT:
            await self._give_up(letter, f"处理它时程序中断了 {letter.tries} 次")
            return
        await self._store.in_one_go(partial(inbox.count_try, letter_id=letter.id))
        await self._answer(letter, handler)

    async def _answer(self, letter: inbox.Letter, handler: Handler) -> None:
        waited = 0
        while isinstance(answer := await ask(handler, _inbound(letter)), Later):
            waited += 1
            self._problem = "入库暂不可用，来件等待中"
            await asyncio.sleep(self._plan.wait_s(waited))
        match answer:
            case Ack():
                await self._done(letter)
            case Reject():
                await self._refuse(letter, answer)
            case Failed() if letter.tries + 1 >= self._plan.tries:
                await self._give_up(letter, answer.reason)
            case Failed():
                self._hold(letter)
            case _:
                assert_never(answer)

    def _hold(self, letter: inbox.Letter) -> None:
        self._held[letter.id] = asyncio.get_running_loop().time() + self._plan.wait_s(letter.tries + 1)

    async def _give_up(self, letter: inbox.Letter, reason: str) -> None:
        if await told_of_giving_up(self._node, _inbound(letter), reason):
            await self._refuse(letter, Reject(code=GAVE_UP, reason=reason))
        else:
            self._hold(letter)

    async def _done(self, letter: inbox.Letter) -> None:
        await asyncio.sleep(0)  # whoever sends what came in was woken: he goes before this row's end
        await self._store.in_one_go(partial(inbox.done, letter_id=letter.id))

    async def _refuse(self, letter: inbox.Letter, rejection: Reject) -> None:
        """Out of the one queue and into the other in one transaction."""
        refused = _refused(_inbound(letter), rejection, self._node.clock())
        await self._store.in_one_go(partial(inbox.move, letter_id=letter.id, refused=refused))


async def put(store: Store, parcel: Parcel, now: datetime) -> None:
    """The way in for another process (`mingluo warn`): on disk when it returns."""
    letter = inbox.Letter(
        routing_key=parcel.routing_key,
        content_type=parcel.content_type,
        headers=parcel.headers,
        body=parcel.body,
        message_id=parcel.message_id,
    )
    await store.in_one_go(partial(inbox.put, letter=letter, now=now))


def _inbound(letter: inbox.Letter) -> Inbound:
    return Inbound(
        routing_key=letter.routing_key,
        content_type=letter.content_type,
        headers=letter.headers,
        body=letter.body,
        message_id=letter.message_id,
        user_id="",
        redelivered=letter.tries > 0,
    )


def _refused(inbound: Inbound, rejection: Reject, now: datetime) -> inbox.Refused:
    headers: dict[str, str | int] = {
        **inbound.headers,
        "code": rejection.code,
        "reason": rejection.reason,
        "source": rejection.source or inbound.routing_key,
        "message_id": inbound.message_id,
    }
    return inbox.Refused(content_type=inbound.content_type, headers=headers, body=inbound.body, at=now)

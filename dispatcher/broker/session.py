"""One life of the consumer's connection: messages one after the other, acknowledged right after their handler.

It ends with BrokerUnavailable as soon as the connection, the channel or the consumer is gone; whatever was not
acknowledged comes again. A message whose handler failed is held, unacknowledged, for its wait and then given back, so
that neither it nor a restarting database becomes a hot loop; the ones behind it pass meanwhile.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from typing import Protocol, assert_never

from aio_pika.abc import AbstractIncomingMessage

from dispatcher.broker import canary
from dispatcher.broker.asking import Failed, Later, ask, tell_of_canary, told_of_giving_up
from dispatcher.broker.contract import (
    DELIVERY_LIMIT,
    GAVE_UP,
    Ack,
    BrokerUnavailable,
    Handler,
    Inbound,
    Node,
    Reject,
    RetryPlan,
)
from dispatcher.broker.line import Wires, within


class Owner(Protocol):
    """What a session needs of its broker."""

    @property
    def node(self) -> Node: ...

    async def reject(self, inbound: Inbound, code: int, reason: str, source: str) -> None: ...

    async def came_through(self, inbound: Inbound) -> None: ...


class Session:
    def __init__(self, wires: Wires, owner: Owner, plan: RetryPlan, limit_s: float) -> None:
        self._wires = wires
        self._owner = owner
        self._plan = plan
        self._limit_s = limit_s
        self._arrivals: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        self._held: list[tuple[float, int, AbstractIncomingMessage]] = []
        self._number = itertools.count()
        self._over = False
        self._busy = False

    @property
    def idle(self) -> bool:
        """Nothing in hand, so that ending costs no message a delivery."""
        return not (self._busy or self._held) and self._arrivals.empty()

    def end(self) -> None:
        self._over = True
        self._arrivals.put_nowait(None)

    async def run(self, handler: Handler) -> None:
        await within(self._limit_s, self._listen())
        while not self._over:
            message = await self._next()
            if message is None:
                break
            self._busy = True
            await self._one(message, handler)
            self._busy = False
        raise BrokerUnavailable("RabbitMQ 连接或队列已断开，正在重连")

    async def _listen(self) -> None:
        self._wires.connection.close_callbacks.add(lambda *_: self.end())
        self._wires.channel.close_callbacks.add(lambda *_: self.end())
        underlay = await self._wires.channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda _: self.end())
        await self._wires.inbound.consume(self._arrived)

    async def _arrived(self, message: AbstractIncomingMessage) -> None:
        self._arrivals.put_nowait(message)

    async def _next(self) -> AbstractIncomingMessage | None:
        """The next message; on the way, held ones that are due are given back."""
        clock = asyncio.get_running_loop().time
        while True:
            while self._held and self._held[0][0] <= clock():
                await within(self._limit_s, heapq.heappop(self._held)[2].nack(requeue=True))
            wait = self._held[0][0] - clock() if self._held else None
            try:
                async with asyncio.timeout(wait):
                    return await self._arrivals.get()
            except TimeoutError:
                continue

    async def _one(self, message: AbstractIncomingMessage, handler: Handler) -> None:
        inbound = _inbound(message)
        if canary.name_in(inbound):
            await self._owner.came_through(inbound)
            await tell_of_canary(self._owner.node, inbound)
            await within(self._limit_s, message.ack())
            return
        failed_before = _deliveries_before(message)
        if failed_before >= DELIVERY_LIMIT - 1:  # the next death would hand it to the dead letters without a word
            await self._give_up(message, inbound, f"处理它时程序中断了 {failed_before} 次")
            return
        match await self._ask(handler, inbound):
            case Ack():
                await within(self._limit_s, message.ack())
            case Reject() as rejection:
                await self._refuse(message, inbound, rejection)
            case Failed(reason=reason) if failed_before + 1 >= self._plan.tries:
                await self._give_up(message, inbound, reason)
            case Failed():
                self._hold(message, failed_before + 1)
            case other:
                assert_never(other)

    async def _ask(self, handler: Handler, inbound: Inbound) -> Ack | Reject | Failed:
        """While our own ground is gone the message stays in hand, and the ones behind it in the queue."""
        waited = 0
        while isinstance(answer := await ask(handler, inbound), Later):
            waited += 1
            await asyncio.sleep(self._plan.wait_s(waited))
            if self._over:
                raise BrokerUnavailable("RabbitMQ 连接已断开，正在重连")
        return answer

    async def _give_up(self, message: AbstractIncomingMessage, inbound: Inbound, reason: str) -> None:
        if await told_of_giving_up(self._owner.node, inbound, reason):
            await self._refuse(message, inbound, Reject(code=GAVE_UP, reason=reason))
        else:
            self._hold(message, _deliveries_before(message) + 1)

    async def _refuse(self, message: AbstractIncomingMessage, inbound: Inbound, rejection: Reject) -> None:
        """Out of the queue only once the bytes are confirmed in the other."""
        try:
            source = rejection.source or inbound.routing_key
            await self._owner.reject(inbound, rejection.code, rejection.reason, source)
        except BrokerUnavailable:
            self._hold(message, _deliveries_before(message) + 1)
            return
        await within(self._limit_s, message.ack())

    def _hold(self, message: AbstractIncomingMessage, failed: int) -> None:
        due = asyncio.get_running_loop().time() + self._plan.wait_s(failed)
        heapq.heappush(self._held, (due, next(self._number), message))


def _deliveries_before(message: AbstractIncomingMessage) -> int:
    """3.10 counts every return in the first header; newer servers count acquisitions in the second."""
    counts = [message.headers.get(name) for name in ("x-delivery-count", "x-acquired-count")]
    return max((count for count in counts if isinstance(count, int)), default=0)


def _inbound(message: AbstractIncomingMessage) -> Inbound:
    return Inbound(
        routing_key=message.routing_key or "",
        content_type=message.content_type or "",
        headers={name: _text(value) for name, value in message.headers.items() if name not in _COUNTERS},
        body=message.body,
        message_id=message.message_id or "",
        user_id=message.user_id or "",
        redelivered=bool(message.redelivered),
    )


_COUNTERS = frozenset({"x-delivery-count", "x-acquired-count"})


def _text(value: object) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)

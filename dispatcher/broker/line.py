"""A line to RabbitMQ: one connection, one confirming channel, and the topology of INTERFACES 4 declared on it.

Every call through `within` has a time limit and can end in nothing but its result, BrokerUnavailable or our own
cancellation: a publish into a leaderless queue waits for its confirm for ever, and a library's future cancelled by a
lost connection must not look like our own. Durable and quorum only, which RabbitMQ 3.10 and 4 both take.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractQueue
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from dispatcher.broker.contract import (
    DELIVERY_LIMIT,
    EXCHANGE_IN,
    EXCHANGE_OUT,
    QUEUE_IN,
    QUEUE_REJECTED,
    BrokerUnavailable,
    full_jitter,
)

HEARTBEAT_S = 6
GOODBYE_S = 1.0
PREFETCH = 32
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wires:
    """An open line."""

    connection: AbstractConnection
    channel: AbstractChannel
    warnings: AbstractExchange
    events: AbstractExchange
    inbound: AbstractQueue

    @property
    def alive(self) -> bool:
        return not (self.connection.is_closed or self.channel.is_closed)

    @property
    def version(self) -> str:
        transport = self.connection.transport
        if transport is None:
            return ""
        return str(transport.connection.server_properties.get("version", ""))


async def within(limit_s: float, call: Awaitable[T]) -> T:
    task = asyncio.current_task()
    try:
        async with asyncio.timeout(limit_s):
            return await call
    except asyncio.CancelledError:
        if task is not None and task.cancelling():
            raise
        raise BrokerUnavailable("RabbitMQ 连接中断") from None
    except TimeoutError as error:
        raise BrokerUnavailable(f"RabbitMQ 在 {limit_s:g} 秒内没有应答") from error
    except CONNECTION_EXCEPTIONS as error:
        raise BrokerUnavailable(f"RabbitMQ 不可用：{_plainly(error)}") from error


def _plainly(error: BaseException) -> str:
    """What a library's error means to whoever has to mend it; its own first line where we do not know it."""
    said = f"{type(error).__name__} {error} {error!r}"
    if "ACCESS_REFUSED" in said or "Authentication" in said:
        return "用户名或密码不对，请核对 MINGLUO_BROKER_URL"
    if "vhost" in said or "InvalidFrameError" in said:
        return "没有这个虚拟主机（vhost），或无权进入，请核对 MINGLUO_BROKER_URL 末尾"
    if isinstance(error, ConnectionRefusedError):
        return "连不上，请确认它在运行，地址和端口没有写错"
    return (str(error).splitlines() or [type(error).__name__])[0]


async def open_wires(url: str, name: str, limit_s: float) -> Wires:
    connection = await within(limit_s, aio_pika.connect(url, heartbeat=HEARTBEAT_S, name=name))
    try:
        return await within(limit_s, _declare(connection))
    except BaseException:
        await hang_up(connection)
        raise


async def hang_up(connection: AbstractConnection) -> None:
    """A line that is dead cannot say goodbye; that is no news."""
    with contextlib.suppress(BrokerUnavailable):
        await within(GOODBYE_S, connection.close())


async def _declare(connection: AbstractConnection) -> Wires:
    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    await channel.set_qos(prefetch_count=PREFETCH)
    warnings = await channel.declare_exchange(EXCHANGE_IN, aio_pika.ExchangeType.TOPIC, durable=True)
    events = await channel.declare_exchange(EXCHANGE_OUT, aio_pika.ExchangeType.TOPIC, durable=True)
    await channel.declare_queue(QUEUE_REJECTED, durable=True, arguments={"x-queue-type": "quorum"})
    inbound = await channel.declare_queue(
        QUEUE_IN,
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-overflow": "reject-publish",
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": QUEUE_REJECTED,
            "x-dead-letter-strategy": "at-least-once",
        },
    )
    await inbound.bind(warnings, "#")
    return Wires(connection=connection, channel=channel, warnings=warnings, events=events, inbound=inbound)


class Line:
    """A line, opened when it is needed and dropped at the first doubt; one attempt at a time, with full jitter."""

    def __init__(self, url: str, name: str, limit_s: float) -> None:
        self._url = url
        self._name = name
        self._limit_s = limit_s
        self._opening = asyncio.Lock()
        self._failures = 0
        self._not_before = 0.0
        self._closed = False
        self.wires: Wires | None = None
        self.problem = "尚未连接 RabbitMQ"

    async def open(self) -> Wires:
        """The open line, or a new one; at once BrokerUnavailable while it waits for the next attempt."""
        async with self._opening:
            if self.wires is not None and self.wires.alive:
                return self.wires
            if self._closed or asyncio.get_running_loop().time() < self._not_before:
                raise BrokerUnavailable(self.problem)
            await self.drop()
            try:
                self.wires = await open_wires(self._url, self._name, self._limit_s)
            except BrokerUnavailable as error:
                self._failures += 1
                self._not_before = asyncio.get_running_loop().time() + full_jitter(self._failures)
                self.problem = str(error)
                raise
            self._failures, self.problem = 0, ""
            return self.wires

    async def drop(self, doubtful: Wires | None = None) -> None:
        """Nothing where `doubtful` has been replaced meanwhile."""
        wires = self.wires
        if wires is None or (doubtful is not None and wires is not doubtful):
            return
        self.wires, self.problem = None, "RabbitMQ 连接已断开，正在重连"
        await hang_up(wires.connection)

    async def close(self) -> None:
        self._closed = True
        await self.drop()

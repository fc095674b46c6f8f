"""RabbitMQ by aio-pika alone: early ack, confirms, a time limit on every call, reconnecting with full jitter.

Two connections, because a broker out of disk or memory stops reading from one that publishes: acknowledgements must not
wait behind a blocked publish. It must survive a broker killed, frozen, swallowing silently, blocking, or with its queue
deleted under our feet; a message is acknowledged only after its handler returned or its bytes are confirmed in
`warnings.rejected`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit

import aio_pika
import structlog
from aio_pika.abc import HeadersType

from dispatcher.broker.canary import Canary
from dispatcher.broker.contract import (
    QUEUE_REJECTED,
    BrokerUnavailable,
    Handler,
    Health,
    Inbound,
    Node,
    OutboundEvent,
    Parcel,
    RetryPlan,
    full_jitter,
)
from dispatcher.broker.line import Line, Wires, hang_up, open_wires, within
from dispatcher.broker.session import Session
from dispatcher.model import BEIJING

LIMIT_S = 5.0
STEADY_S = 5.0
_RESTART_EVERY = timedelta(seconds=30)
_log = structlog.get_logger(__name__)


class RabbitBroker:
    """`Broker` over RabbitMQ 3.10 and newer."""

    def __init__(self, url: str, node: Node, plan: RetryPlan | None = None, limit_s: float = LIMIT_S) -> None:
        self._url = url
        self._node = node
        self._plan = plan or RetryPlan()
        self._limit_s = limit_s
        self._out = Line(url, f"mingluo {node.name} out", limit_s * 0.8)
        self._canary = Canary(node.name)
        self._session: Session | None = None
        self._consuming = False
        self._in_problem = ""
        self._restarted_at: datetime | None = None
        self._version = ""

    async def start(self) -> None:
        try:
            self._version = (await self._out.open()).version
        except BrokerUnavailable as error:
            _log.warning("消息代理暂时连不上，会一直重试", because=str(error))

    async def consume(self, handler: Handler) -> None:
        self._consuming, failures = True, 0
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                await self._consume_once(handler)
            except BrokerUnavailable as error:
                failures = failures + 1 if clock() - began < STEADY_S else 0
                self._in_problem = str(error)
                self._canary.lost()
                _log.warning("与消息代理的连接断了，正在重连", because=str(error), failures=failures)
            await asyncio.sleep(full_jitter(failures))

    async def _consume_once(self, handler: Handler) -> None:
        wires = await open_wires(self._url, f"mingluo {self._node.name} in", self._limit_s)
        session = Session(wires, self, self._plan, self._limit_s)
        try:
            self._session, self._in_problem, self._version = session, "", wires.version
            await session.run(handler)
        finally:
            self._session = None
            await hang_up(wires.connection)

    async def publish(self, event: OutboundEvent) -> None:
        await self._confirmed(
            lambda wires: wires.events.publish(_cloud_event(event), routing_key=event.kind, mandatory=False)
        )

    async def reject(self, inbound: Inbound, code: int, reason: str, source: str) -> None:
        headers: HeadersType = {**inbound.headers, "code": code, "reason": reason, "source": source}
        message = aio_pika.Message(
            inbound.body,
            content_type=inbound.content_type,
            message_id=inbound.message_id or None,
            headers=headers,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await self._confirmed(
            lambda wires: wires.channel.default_exchange.publish(message, routing_key=QUEUE_REJECTED, mandatory=True)
        )

    async def canary(self, now: datetime) -> None:
        self._restart_if_dead(now)
        parcel = self._canary.next(now)
        if parcel is None:
            return
        try:
            await self._confirmed(
                lambda wires: wires.warnings.publish(_message(parcel), routing_key=parcel.routing_key, mandatory=True)
            )
        except BrokerUnavailable as error:
            self._canary.lost()
            _log.warning("canary could not be sent", because=str(error))

    async def came_through(self, inbound: Inbound) -> None:
        """From the session: a canary arrived."""
        self._canary.came_through(inbound.headers)

    async def ready(self, now: datetime, seen_elsewhere: datetime | None = None) -> Health:
        if seen_elsewhere is not None:
            self._canary.proven(seen_elsewhere)
        problem = self._out.problem or (self._in_problem if self._consuming else "")
        if not problem and await self._blocked():
            problem = "RabbitMQ 磁盘或内存告警，暂停接收（broker blocked）"
        problem = problem or self._canary.problem(now)
        return Health(name=f"rabbitmq {self._version}".strip(), problem=problem, canary_age_s=self._canary.age_s(now))

    async def close(self) -> None:
        await self._out.close()

    @property
    def node(self) -> Node:
        return self._node

    async def _confirmed(self, publish: Callable[[Wires], Awaitable[object]]) -> None:
        """Connecting included, within one time limit; after any failure the line is opened anew, and declared anew."""
        wires: Wires | None = None

        async def attempt() -> None:
            nonlocal wires
            wires = await self._out.open()
            await publish(wires)

        try:
            await within(self._limit_s, attempt())
        except BrokerUnavailable:
            if wires is not None:
                await self._out.drop(wires)
            raise

    async def _blocked(self) -> bool:
        wires = self._out.wires
        if wires is None or wires.connection.transport is None:
            return False
        try:
            async with asyncio.timeout(0.01):
                await wires.connection.transport.connection.ready()
        except TimeoutError:
            return True
        return False

    def _restart_if_dead(self, now: datetime) -> None:
        """A late canary and an idle consumer: connect and declare anew. With work in hand it is only slow: wait."""
        recent = self._restarted_at is not None and now - self._restarted_at < _RESTART_EVERY
        if self._session is None or recent or not self._canary.late(now) or not self._session.idle:
            return
        self._restarted_at = now
        self._session.end()


async def send_in(url: str, parcel: Parcel, limit_s: float = LIMIT_S) -> None:
    """A parcel in from another process (`mingluo warn`): confirmed and routed, else BrokerUnavailable."""
    async with sending_in(url, limit_s) as send:
        await send(parcel)


@asynccontextmanager
async def sending_in(url: str, limit_s: float = LIMIT_S) -> AsyncIterator[Callable[[Parcel], Awaitable[None]]]:
    """The same over a line that stays open while the block lasts, for whoever has many."""
    wires = await open_wires(url, "mingluo warn", limit_s)
    user = unquote(urlsplit(url).username or "guest")

    async def send(parcel: Parcel) -> None:
        message = _message(parcel, user_id=user)
        await within(limit_s, wires.warnings.publish(message, routing_key=parcel.routing_key, mandatory=True))

    try:
        yield send
    finally:
        await hang_up(wires.connection)


def _message(parcel: Parcel, user_id: str | None = None) -> aio_pika.Message:
    return aio_pika.Message(
        parcel.body,
        content_type=parcel.content_type,
        message_id=parcel.message_id or None,
        headers=dict(parcel.headers),
        user_id=user_id,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )


def _cloud_event(event: OutboundEvent) -> aio_pika.Message:
    envelope = {
        "specversion": "1.0",
        "id": event.id,
        "source": "/mingluo",
        "type": event.kind,
        "subject": event.subject,
        "time": event.at.astimezone(BEIJING).isoformat(),
        "datacontenttype": "application/json",
        "data": dict(event.data),
    }
    return aio_pika.Message(
        json.dumps(envelope, ensure_ascii=False).encode(),
        content_type="application/cloudevents+json",
        message_id=event.id,
        type=event.kind,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )

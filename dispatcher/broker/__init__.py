"""What carries warnings in and events out: RabbitMQ, or tables of our own database. `open_broker(url)` chooses."""

from __future__ import annotations

from datetime import datetime

from dispatcher.broker import embedded, rabbit
from dispatcher.broker.contract import Broker, Node, Parcel
from dispatcher.store.engine import Store

EMBEDDED = "embedded://"


def open_broker(url: str, store: Store, node: Node) -> Broker:
    """`embedded://` or `amqp[s]://…`; ValueError for any other."""
    if url == EMBEDDED:
        return embedded.EmbeddedBroker(store, node)
    _must_be_amqp(url)
    return rabbit.RabbitBroker(url, node)


async def send_in(url: str, parcel: Parcel, store: Store, now: datetime) -> None:
    """A warning in from another process: durable when it returns; BrokerUnavailable where RabbitMQ did not confirm."""
    if url == EMBEDDED:
        await embedded.put(store, parcel, now)
        return
    _must_be_amqp(url)
    await rabbit.send_in(url, parcel)


def _must_be_amqp(url: str) -> None:
    if not url.startswith(("amqp://", "amqps://")):
        raise ValueError(f"消息中间件地址不支持：请把 MINGLUO_BROKER_URL 设为 {EMBEDDED} 或 amqp://…")

"""What only RabbitMQ can do to us: hang, be away, block, lose a queue; and what leaves through it."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import pytest
from pamqp.common import FieldTable

from dispatcher import broker as brokers
from dispatcher.broker.contract import BrokerUnavailable, Node, Parcel
from dispatcher.broker.rabbit import RabbitBroker, send_in
from dispatcher.store.engine import Store
from tests.crashes.proxy import proxy_to
from tests.dispatcher.listening import NOW, QUICK, Inbox, consuming, event, node_that_tells, until
from tests.services import AMQP_URL, RABBITMQCTL, rabbitmq, settling


@pytest.fixture
def node() -> Node:
    return node_that_tells([])


async def test_an_event_leaves_as_a_cloudevent(rabbit_url: str, node: Node) -> None:
    broker = RabbitBroker(rabbit_url, node)
    await broker.start()
    connection = await aio_pika.connect(rabbit_url)
    async with connection, connection.channel() as channel:
        queue = await channel.declare_queue("listener", exclusive=True)
        await queue.bind("dispatch.events", "warning.*")
        await broker.publish(event())
        message = await queue.get(timeout=5)
        await message.ack()
    await broker.close()
    assert message.routing_key == "warning.accepted"
    assert message.content_type == "application/cloudevents+json"
    assert json.loads(message.body) == {
        "specversion": "1.0",
        "id": "1",
        "source": "/mingluo",
        "type": "warning.accepted",
        "subject": "w1",
        "time": "2026-06-11T10:39:00+08:00",
        "datacontenttype": "application/json",
        "data": {"level": "red", "标题": "暴雨"},
    }


def _through(url: str, port: int) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"guest:guest@127.0.0.1:{port}"))


@pytest.mark.long
async def test_every_call_to_a_hanging_broker_ends_within_its_limit_and_recovers(rabbit_url: str, node: Node) -> None:
    async with proxy_to("127.0.0.1", urlsplit(rabbit_url).port or 5672) as proxy:
        broker = RabbitBroker(_through(rabbit_url, proxy.port), node, limit_s=0.5)
        await broker.start()
        await broker.publish(event())
        proxy.swallow()
        for _ in range(3):
            async with asyncio.timeout(2.5):
                with pytest.raises(BrokerUnavailable):
                    await broker.publish(event())
        async with asyncio.timeout(2.5):
            await broker.canary(NOW)
            assert not (await broker.ready(NOW)).ok
        proxy.pass_on()

        async def published() -> bool:
            try:
                await broker.publish(event())
            except BrokerUnavailable:
                return False
            return True

        await until(published)
        async with asyncio.timeout(5):
            await broker.close()


@pytest.mark.long
async def test_sending_in_to_a_hanging_or_absent_broker_says_so_in_time(rabbit_url: str, sqlite_store: Store) -> None:
    parcel = Parcel(routing_key="jian-met", content_type="application/cap+xml", body=b"x")
    async with proxy_to("127.0.0.1", urlsplit(rabbit_url).port or 5672) as proxy:
        proxy.swallow()
        with pytest.raises(BrokerUnavailable):
            async with asyncio.timeout(12):
                await brokers.send_in(_through(rabbit_url, proxy.port), parcel, sqlite_store, NOW)
    with pytest.raises(BrokerUnavailable):
        await brokers.send_in(_through(rabbit_url, proxy.port), parcel, sqlite_store, NOW)


async def test_a_broker_that_is_away_does_not_stop_the_start_and_is_found_when_it_comes(
    rabbit_url: str, node: Node
) -> None:
    async with proxy_to("127.0.0.1", urlsplit(rabbit_url).port or 5672) as proxy:
        proxy.swallow()
        broker, handler = RabbitBroker(_through(rabbit_url, proxy.port), node, QUICK, limit_s=0.5), Inbox()
        async with consuming(broker, handler):
            assert not (await broker.ready(NOW)).ok
            proxy.pass_on()

            async def sent() -> bool:
                try:
                    await send_in(rabbit_url, Parcel(routing_key="s", content_type="t", body=b"b"))
                except BrokerUnavailable:
                    return False
                return True

            await until(sent)
            assert (await handler.until(1))[0].body == b"b"


@pytest.mark.long
async def test_a_queue_deleted_under_our_feet_is_declared_again(rabbit_url: str, node: Node) -> None:
    broker, handler = RabbitBroker(rabbit_url, node, QUICK), Inbox()
    async with consuming(broker, handler):
        await broker.canary(NOW)

        async def ready() -> bool:
            return (await broker.ready(NOW)).ok

        await until(ready)
        connection = await aio_pika.connect(rabbit_url)
        async with connection, connection.channel() as channel:
            await channel.queue_delete("warnings.inbound")

        clock, deleted = asyncio.get_running_loop().time, NOW + timedelta(seconds=40)
        began = clock()

        async def declared() -> bool:
            """Ten times as fast as life: where the queue is declared again before the broker has told the consumer, only a
            canary that is late tells of it."""
            now = deleted + timedelta(seconds=10 * (clock() - began))
            await broker.canary(now)
            health = await broker.ready(now)
            return (
                health.ok
                and health.canary_age_s is not None
                and now - timedelta(seconds=health.canary_age_s) >= deleted
            )

        await until(declared)


async def test_the_way_in_is_a_quorum_queue_with_a_limit_and_a_safe_way_out(rabbit_url: str, node: Node) -> None:
    broker = RabbitBroker(rabbit_url, node)
    await broker.start()
    await broker.close()
    connection = await aio_pika.connect(rabbit_url)
    async with connection:
        queues: dict[str, FieldTable] = {
            "warnings.rejected": {"x-queue-type": "quorum"},
            "warnings.inbound": {
                "x-queue-type": "quorum",
                "x-delivery-limit": 50,
                "x-overflow": "reject-publish",
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": "warnings.rejected",
                "x-dead-letter-strategy": "at-least-once",
            },
        }
        for name, arguments in queues.items():
            async with connection.channel() as channel:
                declared = await channel.declare_queue(name, durable=True, arguments=arguments)
                assert declared.name == name


@pytest.fixture(scope="module")
def own_broker() -> Iterator[dict[str, str]]:
    """A private broker, because these tests stop and block it."""
    found, keeper = rabbitmq.start(settling.own_programs("RabbitMQ", rabbitmq.programs))
    yield found.environment
    keeper.stop()


def _control(environment: dict[str, str], *command: str) -> None:
    subprocess.run(
        [*shlex.split(environment[RABBITMQCTL]), "-q", *command], check=True, capture_output=True, timeout=90
    )


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_a_broker_out_of_disk_blocks_publishing_in_time_and_never_what_comes_in(
    own_broker: dict[str, str], node: Node
) -> None:
    url = own_broker[AMQP_URL]
    broker, handler = RabbitBroker(url, node, QUICK, limit_s=1.0), Inbox()
    await broker.start()
    await broker.publish(event())
    for number in range(3):
        await send_in(url, Parcel(routing_key="s", content_type="t", body=str(number).encode()))
    await asyncio.to_thread(_control, own_broker, "set_disk_free_limit", "100000GB")

    async def blocked() -> bool:
        try:
            await broker.publish(event())
        except BrokerUnavailable:
            return True
        return False

    await until(blocked)
    async with consuming(broker, handler):
        assert [inbound.body for inbound in await handler.until(3)] == [b"0", b"1", b"2"]
        assert not (await broker.ready(NOW)).ok
        await asyncio.to_thread(_control, own_broker, "set_disk_free_limit", "50MB")

        async def free() -> bool:
            return not await blocked()

        await until(free)


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_after_a_restart_of_the_broker_what_was_confirmed_is_there_and_consuming_goes_on(
    own_broker: dict[str, str], node: Node
) -> None:
    url = own_broker[AMQP_URL]
    broker, handler = RabbitBroker(url, node, QUICK), Inbox()
    async with consuming(broker, handler):
        await send_in(url, Parcel(routing_key="s", content_type="t", body=b"before"))
        await handler.until(1)
        await asyncio.to_thread(_control, own_broker, "stop_app")
        with pytest.raises(BrokerUnavailable):
            await broker.publish(event())
        assert not (await broker.ready(NOW)).ok
        await asyncio.to_thread(_control, own_broker, "start_app")

        async def back() -> bool:
            try:
                await send_in(url, Parcel(routing_key="s", content_type="t", body=b"after"))
            except BrokerUnavailable:
                return False
            return True

        await until(back)
        await until(lambda: _has(handler, b"after"))


async def _has(handler: Inbox, body: bytes) -> bool:
    return body in [inbound.body for inbound in handler.got]

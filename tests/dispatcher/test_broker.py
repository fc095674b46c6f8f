"""One behaviour, three brokers: embedded on SQLite, embedded on PostgreSQL, RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import aio_pika
import pytest

from dispatcher import broker as brokers
from dispatcher.broker.contract import (
    ACK,
    GAVE_UP,
    Broker,
    Handled,
    Inbound,
    NotNow,
    Parcel,
    Reject,
)
from dispatcher.broker.embedded import EmbeddedBroker
from dispatcher.broker.rabbit import RabbitBroker
from dispatcher.store import inbox
from dispatcher.store.engine import Store, open_store
from tests.dispatcher.listening import NOW, PATIENCE_S, QUICK, Inbox, consuming, event, node_that_tells, until

CAP_BYTES = "<alert>泰和县 \x00红色</alert>".encode() + bytes(range(256))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    body: bytes
    content_type: str
    code: int
    reason: str
    source: str
    headers: dict[str, object]


@dataclass(slots=True, kw_only=True)
class World:
    """A broker kind with its outside: a way in for a source, and a look into `warnings.rejected`."""

    url: str
    store: Store
    make: Callable[[], Broker]
    seen: list[str] = field(default_factory=list)
    given_up: list[tuple[bytes, str]] = field(default_factory=list)

    async def send(self, body: bytes, **more: str) -> None:
        headers = {"webhook-id": "msg_1"}
        parcel = Parcel(
            routing_key=more.get("source", "jian-met"),
            content_type="application/cap+xml",
            headers=headers,
            body=body,
            message_id=more.get("message_id", "m-1"),
        )
        await brokers.send_in(self.url, parcel, self.store, NOW)

    async def rejected(self) -> list[Rejected]:
        if self.url == brokers.EMBEDDED:
            async with self.store.read() as tx:
                return [_of_row(row) for row in await inbox.refused(tx)]
        return await _drain(self.url)


def _of_row(row: inbox.Refused) -> Rejected:
    headers = dict(row.headers)
    return Rejected(
        body=row.body,
        content_type=row.content_type,
        code=int(headers["code"]),
        reason=str(headers["reason"]),
        source=str(headers["source"]),
        headers={**headers},
    )


async def _drain(url: str) -> list[Rejected]:
    found = []
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        queue = await channel.get_queue("warnings.rejected")
        while (message := await queue.get(fail=False)) is not None:
            headers = dict(message.headers)
            found.append(
                Rejected(
                    body=message.body,
                    content_type=message.content_type or "",
                    code=int(str(headers["code"])),
                    reason=str(headers["reason"]),
                    source=str(headers["source"]),
                    headers={**headers},
                )
            )
            await message.ack()
    return found


@pytest.fixture(params=["embedded on SQLite", "embedded on PostgreSQL", "RabbitMQ"])
async def world(request: pytest.FixtureRequest, places: dict[str, str]) -> AsyncIterator[World]:
    store = open_store(places["database"])
    seen: list[str] = []
    given_up: list[tuple[bytes, str]] = []
    node = node_that_tells(seen, given_up)
    url = places["broker"]

    def make() -> Broker:
        if url == brokers.EMBEDDED:
            return EmbeddedBroker(store, node, QUICK)
        return RabbitBroker(url, node, QUICK)

    yield World(url=url, store=store, make=make, seen=seen, given_up=given_up)
    await store.close()


@pytest.fixture
def places(request: pytest.FixtureRequest) -> dict[str, str]:
    kind = request.node.callspec.params["world"]
    database = "postgres_url" if "PostgreSQL" in kind else "sqlite_url"
    broker = request.getfixturevalue("rabbit_url") if kind == "RabbitMQ" else brokers.EMBEDDED
    return {"database": request.getfixturevalue(database), "broker": broker}


async def test_what_a_source_sends_arrives_byte_for_byte_with_its_properties(world: World) -> None:
    handler, broker = Inbox(), world.make()
    await broker.start()
    await world.send(CAP_BYTES, message_id="m-77")
    async with consuming(broker, handler):
        (inbound,) = await handler.until(1)
    assert inbound.body == CAP_BYTES
    assert (inbound.routing_key, inbound.content_type, inbound.message_id) == (
        "jian-met",
        "application/cap+xml",
        "m-77",
    )
    assert inbound.headers == {"webhook-id": "msg_1"}
    assert not inbound.redelivered
    assert inbound.user_id == ("guest" if world.url != brokers.EMBEDDED else "")


async def test_messages_are_handled_in_the_order_they_were_sent(world: World) -> None:
    handler, broker = Inbox(), world.make()
    await broker.start()
    for number in range(12):
        await world.send(str(number).encode())
    async with consuming(broker, handler):
        got = await handler.until(12)
    assert [inbound.body for inbound in got] == [str(number).encode() for number in range(12)]


async def test_five_sources_at_once_lose_nothing(world: World) -> None:
    handler, broker = Inbox(), world.make()
    async with consuming(broker, handler):
        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(world.send(b"body", message_id=f"m-{number}"))
        got = await handler.until(5)
    assert sorted(inbound.message_id for inbound in got) == [f"m-{number}" for number in range(5)]


async def test_a_refused_message_keeps_its_bytes_its_code_and_leaves_its_neighbours_alone(world: World) -> None:
    async def judge(inbound: Inbound) -> Handled:
        return Reject(code=220, reason="不是 XML") if inbound.body == CAP_BYTES else ACK

    handler, broker = Inbox(judge), world.make()
    async with consuming(broker, handler):
        await world.send(b"good 1")
        await world.send(CAP_BYTES, message_id="bad", source="suichuan")
        await world.send(b"good 2")
        got = await handler.until(3)
        found: list[Rejected] = []

        async def refused() -> bool:
            found.extend(await world.rejected())
            return bool(found)

        await until(refused)
    assert [inbound.body for inbound in got] == [b"good 1", CAP_BYTES, b"good 2"]
    (rejected,) = found
    assert (rejected.body, rejected.content_type) == (CAP_BYTES, "application/cap+xml")
    assert (rejected.code, rejected.reason, rejected.source) == (220, "不是 XML", "suichuan")
    assert rejected.headers["webhook-id"] == "msg_1"


async def test_a_handler_that_fails_once_is_asked_again(world: World) -> None:
    async def stumble(inbound: Inbound) -> Handled:
        if len(handler.got) == 1:
            raise RuntimeError("stumbled")
        return ACK

    handler, broker = Inbox(stumble), world.make()
    async with consuming(broker, handler):
        await world.send(b"once more")
        first, second = await handler.until(2)
    assert first.body == second.body == b"once more"
    assert second.redelivered
    assert await world.rejected() == []


async def test_a_poison_message_is_given_up_after_its_tries_and_blocks_nobody(world: World) -> None:
    async def choke(inbound: Inbound) -> Handled:
        if inbound.body == b"poison":
            raise RuntimeError("choked")
        return ACK

    handler, broker = Inbox(choke), world.make()
    async with consuming(broker, handler):
        await world.send(b"poison")
        await world.send(b"good")
        await handler.until(QUICK.tries + 1)
        found: list[Rejected] = []

        async def refused() -> bool:
            found.extend(await world.rejected())
            return bool(found)

        await until(refused)
    assert [inbound.body for inbound in handler.got].count(b"poison") == QUICK.tries
    assert [inbound.body for inbound in handler.got].count(b"good") == 1
    assert [(rejected.code, rejected.body) for rejected in found] == [(GAVE_UP, b"poison")]
    assert "RuntimeError" in found[0].reason
    assert world.given_up == [(b"poison", found[0].reason)]


@pytest.mark.parametrize("trouble", [NotNow("no database"), TimeoutError(), ConnectionRefusedError()])
async def test_while_our_own_ground_is_gone_no_try_is_used_up_and_order_is_kept(
    world: World, trouble: Exception
) -> None:
    async def away(inbound: Inbound) -> Handled:
        if len(handler.got) <= QUICK.tries * 3:
            raise trouble
        return ACK

    handler, broker = Inbox(away), world.make()
    await broker.start()
    await world.send(b"first")
    await world.send(b"second")
    async with consuming(broker, handler):
        got = await handler.until(QUICK.tries * 3 + 2)
    assert [inbound.body for inbound in got] == [b"first"] * (QUICK.tries * 3 + 1) + [b"second"]
    assert await world.rejected() == []


async def test_what_was_not_handled_before_a_stop_comes_after_it(world: World) -> None:
    async def hang(inbound: Inbound) -> Handled:
        await asyncio.Event().wait()
        return ACK

    interrupted, broker = Inbox(hang), world.make()
    async with consuming(broker, interrupted):
        await world.send(b"in hand")
        await interrupted.until(1)
    handler = Inbox()
    async with consuming(world.make(), handler):
        (inbound,) = await handler.until(1)
    assert (inbound.body, inbound.redelivered) == (b"in hand", True)


async def test_what_was_acknowledged_never_comes_again(world: World) -> None:
    handler, broker = Inbox(), world.make()
    async with consuming(broker, handler):
        await world.send(b"acknowledged")
        await world.send(b"perhaps not yet")
        await handler.until(2)
    again = Inbox()
    async with consuming(world.make(), again):
        await world.send(b"last")
        while (await again.until(1))[-1].body != b"last":
            await again.until(2)
    assert b"acknowledged" not in [inbound.body for inbound in again.got]


@pytest.mark.long
async def test_the_canary_proves_the_way_in_and_no_handler_sees_it(world: World) -> None:
    handler, broker = Inbox(), world.make()
    assert "探测" in (await broker.ready(NOW)).problem or "RabbitMQ" in (await broker.ready(NOW)).problem
    async with consuming(broker, handler):
        await broker.canary(NOW)

        async def ready() -> bool:
            return (await broker.ready(NOW + timedelta(seconds=3))).ok

        await until(ready)
        health = await broker.ready(NOW + timedelta(seconds=3))
        await world.send(b"a warning")
        got = await handler.until(1)
    assert health.canary_age_s == 3.0
    assert world.seen == ["node-1"]
    assert [inbound.body for inbound in got] == [b"a warning"]


async def test_a_canary_nobody_consumes_is_reported_after_fifteen_seconds(world: World) -> None:
    broker = world.make()
    await broker.start()
    await broker.canary(NOW)
    assert "秒未回" not in (await broker.ready(NOW + timedelta(seconds=15))).problem
    late = await broker.ready(NOW + timedelta(seconds=16))
    assert not late.ok
    assert "16 秒未回" in late.problem
    elsewhere = await broker.ready(NOW + timedelta(seconds=17), seen_elsewhere=NOW + timedelta(seconds=17))
    assert elsewhere.ok
    await broker.close()


async def test_a_warning_that_calls_itself_a_canary_is_still_handled(world: World) -> None:
    handler, broker = Inbox(), world.make()
    parcel = Parcel(
        routing_key="jian-met", content_type="application/cap+xml", body=b"<alert/>",
        headers={"x-mingluo-canary": "node-1", "x-mingluo-sent": "yesterday"},
    )  # fmt: skip
    async with consuming(broker, handler):
        await brokers.send_in(world.url, parcel, world.store, NOW)
        (inbound,) = await handler.until(1)
    assert inbound.body == b"<alert/>"


async def test_publishing_five_events_at_once_confirms_each(world: World) -> None:
    broker = world.make()
    await broker.start()
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        tasks = [group.create_task(broker.publish(event(number))) for number in range(5)]
    assert [task.exception() for task in tasks] == [None] * 5
    await broker.close()


async def test_a_message_that_kills_the_process_every_time_is_put_aside_with_its_bytes(world: World) -> None:
    broker = world.make()
    await broker.start()
    await world.send(b"deadly")
    await _die_over_it(world, 50)
    handler = Inbox()
    found: list[Rejected] = []
    async with consuming(broker, handler):

        async def refused() -> bool:
            found.extend(await world.rejected())
            return bool(found)

        await until(refused)
    assert handler.got == []
    assert [(rejected.code, rejected.body) for rejected in found] == [(GAVE_UP, b"deadly")]
    assert [body for body, _ in world.given_up] == [b"deadly"]


async def _die_over_it(world: World, times: int) -> None:
    """As a service that was killed `times` times with the oldest message in hand."""
    if world.url == brokers.EMBEDDED:
        async with world.store.read() as tx:
            stored = await inbox.oldest(tx)
        assert stored is not None
        await world.store.in_one_go(partial(inbox.count_try, letter_id=stored.id, by=times))
        return
    connection = await aio_pika.connect(world.url)
    async with connection, connection.channel() as channel:
        queue = await channel.get_queue("warnings.inbound")
        for _ in range(times - 1):
            await (await queue.get(timeout=5)).nack(requeue=True)


def test_an_address_that_is_neither_is_refused_with_what_to_type(sqlite_store: Store) -> None:
    with pytest.raises(ValueError, match="MINGLUO_BROKER_URL"):
        brokers.open_broker("kafka://x", sqlite_store, node_that_tells([]))

"""Rate, in-flight bound, breaker and the last look at the drill marks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from channels.contract import Accepted, Message, NotKnown, Outcome, ProviderSettings, TryAgain
from channels.pacing import FAILURES_TO_OPEN, Paced
from tests.channels.conformance import NOW, bulletin

MESSAGE = Message(id="a", to="+8615400000001", text="立即转移", bulletin=bulletin())
DOWN = TryAgain(code="http_503", reason="对方故障")
YES = Accepted(ref="1")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Scripted:
    """A provider that answers as told; by peer, or for all."""

    max_batch = 1

    def __init__(self, answer: Outcome = YES) -> None:
        self.answer = answer
        self.by_peer: dict[str, Outcome] = {}
        self.calls = 0
        self.most = self.under_way = 0
        self.hold: asyncio.Event | None = None

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        self.calls += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        if self.hold is not None:
            await self.hold.wait()
        self.under_way -= 1
        return [self.by_peer.get(message.peer, self.answer) for message in batch]

    async def close(self) -> None:
        pass


def paced(provider: Scripted, clock: Clock | None = None, **settings: float) -> Paced:
    given = {"rate": 1_000_000, "in_flight": 8, **settings}
    return Paced(provider, ProviderSettings.model_validate({"kind": "scripted", **given}), clock)


async def send(way: Paced, peer: str = "") -> Outcome:
    (outcome,) = await way.send([replace(MESSAGE, peer=peer)], NOW)
    return outcome


async def test_the_rate_is_exact_from_the_first_moment() -> None:
    way, loop = paced(Scripted(), rate=100), asyncio.get_running_loop()
    start = loop.time()
    async with asyncio.TaskGroup() as group:
        for _ in range(21):
            group.create_task(send(way))
    assert loop.time() - start >= 20 / 100 - 0.005


async def test_a_turn_that_is_far_off_is_not_waited_for_and_costs_no_attempt() -> None:
    clock, provider = Clock(), Scripted()
    way = paced(provider, clock, rate=0.25)
    assert await send(way) == YES
    held = await send(way)
    assert isinstance(held, TryAgain)
    assert (held.code, held.throttled, held.after_s) == ("paced", True, 4)
    clock.now += 4
    assert await send(way) == YES
    assert provider.calls == 2


async def test_no_more_are_under_way_than_allowed() -> None:
    provider = Scripted()
    provider.hold = asyncio.Event()
    way = paced(provider, in_flight=3)
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(send(way))
        while provider.under_way < 3:
            await asyncio.sleep(0)
        provider.hold.set()
    assert (provider.calls, provider.most) == (10, 3)


async def test_a_dead_peer_is_left_alone_and_costs_its_messages_no_attempt() -> None:
    clock, provider = Clock(), Scripted(DOWN)
    way = paced(provider, clock)
    for _ in range(FAILURES_TO_OPEN):
        assert await send(way) == DOWN
    held = await send(way)
    assert isinstance(held, TryAgain)
    assert (held.code, held.throttled, held.after_s) == ("resting", True, 5)
    assert provider.calls == FAILURES_TO_OPEN


async def test_one_probe_of_fifty_goes_through_after_the_rest() -> None:
    clock, provider = Clock(), Scripted(NotKnown(code="timeout", reason="未应答"))
    way = paced(provider, clock, in_flight=100)
    for _ in range(FAILURES_TO_OPEN):
        await send(way)
    clock.now += 5
    provider.calls, provider.answer, provider.hold = 0, YES, asyncio.Event()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(send(way)) for _ in range(50)]
        while sum(task.done() for task in tasks) < 49:
            await asyncio.sleep(0)
        assert provider.calls == 1
        provider.hold.set()
    assert await send(way) == YES


async def test_a_failed_probe_doubles_the_rest_up_to_a_minute() -> None:
    clock, provider = Clock(), Scripted(DOWN)
    way = paced(provider, clock)
    for _ in range(FAILURES_TO_OPEN):
        await send(way)
    rests = []
    for _ in range(6):
        held = await send(way)
        assert isinstance(held, TryAgain)
        assert held.after_s is not None
        rests.append(held.after_s)
        clock.now += held.after_s
        assert await send(way) == DOWN
    assert rests == [5, 10, 20, 40, 60, 60]


async def test_a_dead_gateway_does_not_shut_the_others_out() -> None:
    clock, provider = Clock(), Scripted()
    provider.by_peer["dead"] = DOWN
    way = paced(provider, clock)
    for _ in range(FAILURES_TO_OPEN + 1):
        await send(way, "dead")
        assert await send(way, "alive") == YES


async def test_a_throttling_peer_is_left_in_peace_as_long_as_it_asks() -> None:
    clock, provider = Clock(), Scripted(TryAgain(code="http_429", reason="对方限流", after_s=7, throttled=True))
    way = paced(provider, clock)
    await send(way)
    provider.answer = YES
    held = await send(way)
    assert isinstance(held, TryAgain)
    assert held.after_s == pytest.approx(7)
    assert provider.calls == 1
    clock.now += 7
    assert await send(way) == YES


async def test_a_mismarked_message_does_not_stop_its_batch() -> None:
    way = paced(Scripted())
    drill = replace(MESSAGE, text="【演练】立即转移【演练】")
    outcomes = await way.send([MESSAGE, drill, MESSAGE], NOW)
    assert [type(one).__name__ for one in outcomes] == ["Accepted", "Refused", "Accepted"]
    assert way.reads is None
    assert way.asks is None
    await way.close()

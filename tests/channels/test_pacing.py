"""Rate, in-flight bound, breaker and the last look at the drill marks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest
from msgspec.structs import replace

from channels.contract import Accepted, Blame, Message, NotKnown, Outcome, ProviderSettings, Refused, TryAgain
from channels.pacing import ACCOUNT_REST_S, COOL_S, EASE_S, FAILURES_TO_OPEN, GROWTH, MANY, Paced, Rate
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


async def in_turn(way: Paced, turns: asyncio.Lock) -> Outcome:
    """As the sender does it: one waits at a time, and sends without a wait between."""
    async with turns:
        await way.turn()
    return await send(way)


async def test_the_rate_is_exact_from_the_first_moment() -> None:
    way, loop, turns = paced(Scripted(), rate=100), asyncio.get_running_loop(), asyncio.Lock()
    start = loop.time()
    async with asyncio.TaskGroup() as group:
        for _ in range(21):
            group.create_task(in_turn(way, turns))
    assert loop.time() - start >= 20 / 100 - 0.01


async def test_whoever_gives_up_waiting_has_taken_no_turn() -> None:
    clock = Clock()
    rate = Rate(0.25, clock)
    await rate.turn()
    assert rate.wait_s == 4
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await rate.turn()
    assert rate.wait_s == 4
    clock.now += 4
    await rate.turn()


class Slow(Scripted):
    """Takes a tenth of a second for each."""

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        outcomes = await super().send(batch, now)
        await asyncio.sleep(0.1)
        return outcomes


@pytest.mark.long
async def test_what_one_person_waits_for_goes_before_ten_thousand_others() -> None:
    """Whoever comes back from a call takes the place that it left; whoever presses gets it all the same."""
    provider = Slow()
    way, turns, waited = paced(provider, in_flight=4), asyncio.Lock(), []

    async def many() -> None:
        while True:
            if not way.try_turn():
                async with turns:
                    await way.turn()
            await send(way)

    async with asyncio.TaskGroup() as group:
        crowd = [group.create_task(many()) for _ in range(8)]
        for _ in range(10):
            others = provider.calls + 5
            async with asyncio.timeout(10):
                while provider.calls < others:  # the crowd has every place again
                    await asyncio.sleep(0.01)
                before = provider.calls
                await way.next_turn()
            waited.append(provider.calls - before)
            await send(way)
        for one in crowd:
            one.cancel()
    assert max(waited) <= 1
    assert provider.calls >= 50, "and the others go on"


async def test_no_more_are_under_way_than_allowed() -> None:
    provider, turns = Scripted(), asyncio.Lock()
    provider.hold = asyncio.Event()
    way = paced(provider, in_flight=3)
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(in_turn(way, turns))
        while provider.under_way < 3:
            await asyncio.sleep(0)
        assert not way.try_turn()
        provider.hold.set()
    assert (provider.calls, provider.most) == (10, 3)


def test_a_rate_that_is_too_much_shrinks_at_once_and_grows_back_slowly() -> None:
    clock = Clock()
    rate = Rate(100, clock)
    rate.cut()
    assert rate.allowed == pytest.approx(70)
    rate.cut()
    assert rate.allowed == pytest.approx(70), "the calls that were under way say the same thing again"
    clock.now += COOL_S
    rate.cut()
    assert rate.allowed == pytest.approx(49)
    for _ in range(1000):
        clock.now += COOL_S
        rate.cut()
    assert rate.allowed >= 1
    clock.now += EASE_S / 10
    rate._grow(clock())
    assert rate.allowed < 2, "who takes one is not offered six after a second"
    clock.now += EASE_S * 9 / 10
    rate._grow(clock())
    assert rate.allowed == pytest.approx(1 + 100 * GROWTH * EASE_S / 2, rel=0.1)
    clock.now += 5
    rate._grow(clock())
    assert rate.allowed == pytest.approx(1 + 100 * GROWTH * (EASE_S / 2 + 5), rel=0.1)
    clock.now += 1000
    rate._grow(clock())
    assert rate.allowed == 100


async def test_under_silence_fewer_are_under_way_and_under_success_more() -> None:
    clock, provider = Clock(), Scripted(NotKnown(code="timeout", reason="未应答"))
    way = paced(provider, clock, in_flight=8)
    await send(way)
    await send(way)
    provider.answer, provider.hold = YES, asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(send(way))
        group.create_task(send(way))
        while provider.under_way < 2:
            await asyncio.sleep(0)
        assert not way.try_turn()
        provider.hold.set()
    for _ in range(100):
        await send(way)
    assert way.try_turn()


BUSY = TryAgain(code="http_429", reason="限流", throttled=True)


async def turns_in(way: Paced, clock: Clock, seconds: float) -> int:
    """How many turns come in that time."""
    taken = 0
    for _ in range(int(seconds * 1000)):
        clock.now += 0.001
        taken += way.try_turn()
    return taken


async def test_where_most_gateways_say_429_all_of_them_are_asked_less() -> None:
    clock, provider = Clock(), Scripted(BUSY)
    way = paced(provider, clock, rate=400)
    before = await turns_in(way, clock, 1)
    for number in range(2 * MANY):
        await send(way, peer=f"GW{number}")
    assert await turns_in(way, clock, 1) < before * 0.8


async def test_a_few_gateways_that_say_429_slow_nobody_else() -> None:
    clock, provider = Clock(), Scripted()
    way = paced(provider, clock, rate=400)
    before = await turns_in(way, clock, 1)
    provider.by_peer = {f"GW{number}": BUSY for number in range(2 * MANY)}
    for number in range(2 * MANY + 1):
        await send(way, peer=f"GW{number + 2 * MANY}")
    for number in range(2 * MANY):
        await send(way, peer=f"GW{number}")
    assert await turns_in(way, clock, 1) == pytest.approx(before, abs=2)


async def most_under_way(way: Paced, provider: Scripted) -> int:
    """How many calls may be under way at once, as things stand."""
    provider.answer, provider.hold = YES, asyncio.Event()
    async with asyncio.TaskGroup() as group:
        while way.try_turn():
            group.create_task(send(way, peer=f"N{provider.under_way}"))
            await asyncio.sleep(0)
        most = provider.under_way
        provider.hold.set()
    return most


async def test_a_crowd_that_says_429_in_one_second_cuts_what_may_be_under_way_once() -> None:
    clock, provider = Clock(), Scripted(BUSY)
    way = paced(provider, clock, in_flight=100)
    for number in range(250):
        await send(way, peer=f"GW{number}")
    assert await most_under_way(way, provider) == 70


async def test_many_calls_under_way_that_all_say_429_cut_what_may_be_under_way_once() -> None:
    clock, provider = Clock(), Scripted(BUSY)
    way = paced(provider, clock, in_flight=100)
    for _ in range(2):
        provider.answer, provider.hold = BUSY, asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(40):
                group.create_task(send(way))
            while provider.under_way < 40:
                await asyncio.sleep(0)
            provider.hold.set()
        clock.now += COOL_S
    assert await most_under_way(way, provider) == 49, "a second later it is too much once more"


async def test_a_turn_waits_for_a_provider_that_rests() -> None:
    clock, provider = Clock(), Scripted(DOWN)
    way = paced(provider, clock)
    for _ in range(FAILURES_TO_OPEN):
        await send(way)
    assert way.rests
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(way.turn())
        await asyncio.sleep(0.02)
        assert not waiting.done()
        clock.now += 5
    assert not way.rests


async def test_a_provider_that_refuses_our_account_is_left_alone() -> None:
    clock, provider = Clock(), Scripted(Refused(code="20003", reason="密钥不对", blame=Blame.ACCOUNT))
    way = paced(provider, clock)
    await send(way)
    assert way.rests
    clock.now += ACCOUNT_REST_S
    assert not way.rests


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
    provider = Scripted()
    way = paced(provider)
    drill = replace(MESSAGE, text="【演练】立即转移【演练】")
    outcomes = await way.send([MESSAGE, drill, MESSAGE], NOW)
    assert [type(one).__name__ for one in outcomes] == ["Accepted", "Refused", "Accepted"]
    assert [type(one).__name__ for one in await way.send([drill], NOW)] == ["Refused"]
    assert provider.calls == 1
    assert way.reads is None
    assert way.asks is None
    await way.close()

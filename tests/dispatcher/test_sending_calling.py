"""Which provider is called, what it is asked before, and what is handed back when the sender stops."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import pytest

from channels.contract import (
    Accepted,
    Asked,
    Blame,
    Message,
    NotKnown,
    Outcome,
    Receipt,
    ReceiptState,
    Refused,
    TryAgain,
)
from dispatcher.model import Channel, Level
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.withdraw import end, told
from dispatcher.sending.calling import Wire
from dispatcher.sending.dispatch import Dispatcher, Identity
from dispatcher.sending.live import Desk
from dispatcher.service.assembly import event_code_of
from dispatcher.states import DeliveryState, WarningState
from dispatcher.store import ledger, nodes
from dispatcher.store.engine import Store
from dispatcher.store.tries import tries_of
from tests.city import Clock, Provider, always, people, red, released, settings
from tests.dispatcher.test_sending_dispatch import SEAL, all_in, counts, find, until


@asynccontextmanager
async def sending(
    store: Store, clock: Clock, *providers: Provider, rate: float = 10_000, window: int = 64
) -> AsyncIterator[tuple[Dispatcher, Context]]:
    """A running sender of SMS over these providers, the first and its reserves; killed at the end."""
    ours = settings()
    async with store.begin() as tx:
        epoch = await nodes.enter(tx, "node-1", clock())
    desk = Desk(ours.policy, ours.service.sender_name, partial(event_code_of, ours.hazards))
    dispatcher = Dispatcher(store, Identity(node="node-1", epoch=epoch), desk, clock, lambda: 0.5)
    wires = [
        Wire(name=f"p{no}", way=one, in_flight=4, window=window, timeout_s=5, rate=rate, look_up=True)
        for no, one in enumerate(providers)
    ]
    dispatcher.connect({(Channel.SMS, False): wires}, find)
    context = Context(settings=ours, store=store, seal=SEAL, now=clock, wake=dispatcher.wake, ended=dispatcher.end)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(dispatcher.run())
        try:
            yield dispatcher, context
        finally:
            running.cancel()


@dataclass
class Knowing(Provider):
    """A provider that can be asked, and has what it was sent."""

    had: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def ask(self, batch: Sequence[Message], now: datetime) -> list[Asked]:
        self.asked += [one.id for one in batch]
        sent = ReceiptState.SENT
        return [
            Asked(id=one.id, receipt=Receipt(state=sent, id=one.id, ref="SM1") if one.id in self.had else None)
            for one in batch
        ]


@dataclass
class Batched(Provider):
    """Writes down how many it was handed at once."""

    sizes: list[int] = field(default_factory=list)

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        self.sizes.append(len(batch))
        return await Provider.send(self, batch, now)


async def _true(value: bool) -> bool:
    return value


async def test_a_reserve_takes_over_while_the_first_rests_and_gives_back(store: Store) -> None:
    first, reserve = Provider(resting=True), Provider()
    warning = await released(store, red(), people(5))
    async with sending(store, Clock(), first, reserve):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 5}))
        assert (len(first.got), len(reserve.got)) == (0, 5)
        first.resting = False
        again = await released(store, red(), people(5), 2)
        await until(all_in(store, again.id, {DeliveryState.SENT: 5}))
    assert (len(first.got), len(reserve.got)) == (5, 5)


async def test_batches_are_cut_as_the_first_takes_them_and_a_reserve_takes_what_it_can(store: Store) -> None:
    first, reserve = Batched(max_batch=20), Batched(max_batch=3)
    warning = await released(store, red(), people(50))
    async with sending(store, Clock(), first, reserve):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 50}))
        assert sorted(first.sizes) == [10, 20, 20]
        assert reserve.sizes == []
        first.resting = True
        again = await released(store, red(), people(50), 2)
        await until(all_in(store, again.id, {DeliveryState.SENT: 50}))
    assert max(reserve.sizes) == 3
    assert len(reserve.ids) == len(set(reserve.ids)) == 50


async def test_what_a_reserve_left_of_a_batch_is_handed_back_at_a_stop(store: Store) -> None:
    first, reserve = Batched(max_batch=20, resting=True), Batched(max_batch=3, hold=asyncio.Event())
    warning = await released(store, red(), people(20))
    async with sending(store, Clock(), first, reserve) as (dispatcher, _):
        await until(lambda: _true(reserve.under_way == 12))
        stopping = asyncio.get_running_loop().create_task(dispatcher.drain())
        await until(lambda: _true(dispatcher.unsettled == 12))
        assert reserve.hold is not None
        reserve.hold.set()
        assert await stopping
    assert await counts(store, warning.id) == {DeliveryState.SENT: 12, DeliveryState.PLANNED: 8}


async def test_when_all_rest_nothing_is_called_and_nothing_written_until_one_is_back(store: Store) -> None:
    only = Provider(resting=True)
    warning = await released(store, red(), people(20))
    async with sending(store, Clock(), only) as (dispatcher, _):
        await until(lambda: _opened(dispatcher))
        assert only.got == []
        only.resting = False
        await until(all_in(store, warning.id, {DeliveryState.SENT: 20}))
    async with store.read() as tx:
        tries = await tries_of(tx, warning.id, [f"officer-JA{no:05d}" for no in range(20)])
    assert {len(one) for one in tries.values()} == {1}


async def test_what_waits_for_a_resting_provider_still_expires_and_is_still_called_off(store: Store) -> None:
    clock, only = Clock(), Provider(resting=True)
    short = await released(store, red(expires=clock() + timedelta(minutes=5)), people(3))
    long = await released(store, red(), people(3), 2)
    async with sending(store, clock, only) as (dispatcher, context):
        await until(lambda: _opened(dispatcher, 6))
        clock.pass_(minutes=6)
        await until(all_in(store, short.id, {DeliveryState.EXPIRED: 3}))
        async with store.begin() as tx:
            assert await end(context, tx, long.id, WarningState.CANCELLED)
        told(context, long.id, WarningState.CANCELLED)
        await until(all_in(store, long.id, {DeliveryState.WITHDRAWN: 3}))
    assert only.got == []


async def test_a_refusal_of_our_account_goes_to_the_reserve_within_a_second(store: Store) -> None:
    clock = Clock()
    first = Provider(answer=always(Refused(code="20003", reason="密钥不对", blame=Blame.ACCOUNT)))
    reserve = Provider()
    warning = await released(store, red(), people(1))
    async with sending(store, clock, first, reserve) as (dispatcher, _):
        await until(lambda: _true(len(first.got) == 1))
        first.resting = True
        clock.pass_(seconds=2)
        dispatcher.wake()
        await until(all_in(store, warning.id, {DeliveryState.SENT: 1}))
        first_, second = dispatcher.outlets["sms", False].standings
        assert first_.account_fault == "20003 密钥不对", "somebody has to mend it, though a reserve carries it"
        assert second.account_fault == ""
    assert len(reserve.got) == 1


async def test_what_may_have_been_sent_is_asked_about_before_it_is_sent_again(store: Store) -> None:
    clock = Clock()
    unsure: list[Outcome] = [NotKnown(code="timeout", reason="没有应答")] * 3

    def answer(_message: Message) -> Outcome:
        return unsure.pop() if unsure else Accepted(ref="SM2")

    provider = Knowing(answer=answer)
    warning = await released(store, red(), people(3))
    async with sending(store, clock, provider) as (dispatcher, _):
        await until(lambda: _true(len(provider.got) == 3))
        provider.had = provider.ids[:2]
        clock.pass_(seconds=5)
        dispatcher.wake()
        await until(all_in(store, warning.id, {DeliveryState.SENT: 3}))
    assert len(provider.got) == 4, "the two it had are not sent again"
    assert sorted(provider.asked) == sorted(provider.ids[:3])
    async with store.read() as tx:
        entries = await ledger.page(tx, warning.id, None)
        tries = await tries_of(tx, warning.id, [entry.target for entry in entries])
    assert all(entry.possible_duplicate for entry in entries)
    assert sorted(one[-1].outcome for one in tries.values()) == ["accepted", "looked_up", "looked_up"]


async def test_a_look_up_that_fails_is_no_reason_for_silence(store: Store) -> None:
    clock = Clock()

    class Broken(Knowing):
        async def ask(self, batch: Sequence[Message], now: datetime) -> list[Asked]:
            raise OSError("no line")

    unsure: list[Outcome] = [NotKnown(code="timeout", reason="没有应答")]
    provider = Broken(answer=lambda _: unsure.pop() if unsure else Accepted(ref="SM2"))
    warning = await released(store, red(), people(1))
    async with sending(store, clock, provider) as (dispatcher, _):
        await until(lambda: _true(len(provider.got) == 1))
        clock.pass_(seconds=5)
        dispatcher.wake()
        await until(all_in(store, warning.id, {DeliveryState.SENT: 1}))
    assert len(provider.got) == 2


async def test_a_look_up_that_answers_for_other_messages_stops_nobody(store: Store) -> None:
    clock = Clock()

    class Confused(Knowing):
        async def ask(self, batch: Sequence[Message], now: datetime) -> list[Asked]:
            known = await super().ask(batch, now)
            return [Asked(id="another", receipt=Receipt(state=ReceiptState.SENT, id="another", ref="SM9")), *known]

    unsure: list[Outcome] = [NotKnown(code="timeout", reason="没有应答")] * 2
    provider = Confused(answer=lambda _: unsure.pop() if unsure else Accepted(ref="SM2"))
    warning = await released(store, red(), people(2))
    async with sending(store, clock, provider) as (dispatcher, _):
        await until(lambda: _true(len(provider.got) == 2))
        provider.had = provider.ids[:1]
        clock.pass_(seconds=5)
        dispatcher.wake()
        await until(all_in(store, warning.id, {DeliveryState.SENT: 2}))
    assert len(provider.got) == 3, "what it had is not sent again, what it did not have is"


async def test_a_sender_that_stops_hands_back_what_it_had_not_begun(store: Store) -> None:
    provider = Provider(hold=asyncio.Event())
    warning = await released(store, red(), people(40))
    async with sending(store, Clock(), provider) as (dispatcher, _):
        await until(lambda: _true(provider.under_way == 4))
        async with asyncio.TaskGroup() as tasks:
            drained = tasks.create_task(dispatcher.drain())
            await until(lambda: _true(dispatcher.unsettled <= 4))
            assert provider.hold is not None
            provider.hold.set()
        assert drained.result()
    assert await counts(store, warning.id) == {DeliveryState.SENT: 4, DeliveryState.PLANNED: 36}
    async with store.read() as tx:
        assert await ledger.flagged(tx, warning.id) == 0


@pytest.mark.parametrize(("level", "most"), [(Level.RED, 64), (Level.BLUE, 48)])
async def test_what_is_less_urgent_than_a_red_leaves_room_for_one(store: Store, level: Level, most: int) -> None:
    provider = Provider(hold=asyncio.Event())
    await released(store, red(level=level), people(200))
    async with sending(store, Clock(), provider) as (dispatcher, _):
        await until(lambda: _true(dispatcher.unsettled == most))


async def test_no_more_is_opened_than_the_rate_takes_in_two_seconds(store: Store) -> None:
    provider = Provider(hold=asyncio.Event())
    await released(store, red(), people(50))
    async with sending(store, Clock(), provider, rate=4) as (dispatcher, _):
        await until(lambda: _true(dispatcher.unsettled == 8))


async def _opened(dispatcher: Dispatcher, rows: int = 20) -> bool:
    return dispatcher.unsettled == rows


async def _true(value: bool) -> bool:
    return value


async def test_retries_get_every_fifth_slice_while_first_tries_of_their_lane_wait(store: Store) -> None:
    """A provider that limps: what failed comes again beside what was never tried, and neither starves."""
    tried: Counter[str] = Counter()

    def answer(message: Message) -> Outcome:
        tried[message.id] += 1
        fails = tried[message.id] == 1 and message.bulletin.warning_id == limping.id
        return TryAgain(code="http_503", reason="故障") if fails else Accepted(ref="1")

    clock, only = Clock(), Provider(answer=answer)
    limping = await released(store, red(), people(40))
    async with sending(store, clock, only, window=4) as (dispatcher, _):
        await until(lambda: _true(len(tried) == 40))
        await until(lambda: _opened(dispatcher, 0))
        only.resting = True
        fresh = await released(store, red(), people(400, "360827103"), 2)
        clock.pass_(seconds=2)
        dispatcher.wake()
        await until(lambda: _true(dispatcher.outlets["sms", False].backlog > 270))
        only.got.clear()
        only.resting = False
        await until(all_in(store, limping.id, {DeliveryState.SENT: 40}))
        await until(all_in(store, fresh.id, {DeliveryState.SENT: 400}))
    again = [one.bulletin.warning_id == limping.id for one in only.got[:100]]
    assert 10 <= sum(again) <= 25, "a fifth, or the four that stood open before"


async def test_a_look_up_does_not_take_another_warnings_message_for_ours(store: Store) -> None:
    """Two warnings bear one text to one number; the first arrived, the second's try did not. Whoever looks by number and
    text finds the first for the second."""

    class Confused(Knowing):
        async def ask(self, batch: Sequence[Message], now: datetime) -> list[Asked]:
            self.asked += [one.id for one in batch]
            return [
                Asked(id=one.id, receipt=Receipt(state=ReceiptState.DELIVERED, id=one.id, ref="SM1")) for one in batch
            ]

    clock = Clock()
    answers: list[Outcome] = [
        Accepted(ref="SM2"), NotKnown(code="timeout", reason="没有应答"), Accepted(ref="SM1")
    ]  # fmt: skip
    provider = Confused(answer=lambda _: answers.pop())
    first = await released(store, red(), people(1), 1)
    async with sending(store, clock, provider) as (dispatcher, _):
        await until(all_in(store, first.id, {DeliveryState.SENT: 1}))
        second = await released(store, red(), people(1), 2)
        dispatcher.wake()
        await until(lambda: _true(len(provider.got) == 2))
        clock.pass_(seconds=5)
        dispatcher.wake()
        await until(all_in(store, second.id, {DeliveryState.SENT: 1}))
    assert len(provider.asked) == 1
    assert [message.bulletin.warning_id for message in provider.got] == [first.id, second.id, second.id]

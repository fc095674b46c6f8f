"""What a night shift watches: nothing past its deadline goes unseen, on both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from channels.contract import Accepted, Blame, Message, Outcome, Refused, TryAgain
from dispatcher.service.gauges import LeftBehind, gather, sweep
from dispatcher.states import DeliveryState
from dispatcher.store import chunks
from dispatcher.store.chunks import Holder
from dispatcher.store.engine import Store
from dispatcher.telemetry import metrics
from tests.city import Clock, Provider, people, red, released
from tests.dispatcher.test_sending_dispatch import all_in, dispatching, until


async def test_a_row_nobody_takes_up_again_is_counted_two_seconds_after_it_was_due(store: Store) -> None:
    clock = Clock()
    busy = Provider(answer=lambda _: TryAgain(code="http_503", reason="故障"))
    warning = await released(store, red(), people(3))
    async with dispatching(store, clock, sms=busy):
        await until(lambda: _due(store, 3))
    assert await sweep(store, clock()) == LeftBehind()
    clock.pass_(seconds=4)
    assert await sweep(store, clock()) == LeftBehind(overdue=3)
    assert b'mingluo_left_behind{kind="row"} 3.0' in metrics()
    async with dispatching(store, clock, sms=Provider()):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 3}))
    assert await sweep(store, clock()) == LeftBehind()


async def test_a_lease_that_ran_out_is_counted_until_somebody_takes_the_chunk(postgres_store: Store) -> None:
    await released(postgres_store, red(), people(3))
    dead, heir = Holder(node="dead", epoch=1), Holder(node="heir", epoch=1)
    async with postgres_store.begin() as tx:
        assert await chunks.take(tx, "sms", dead) is not None
    assert await sweep(postgres_store, Clock()()) == LeftBehind()
    async with postgres_store.begin() as tx:
        assert await chunks.reclaim(tx, heir, ["sms"]) is None, "its owner is alive"
        await tx.execute(text("UPDATE chunks SET lease_until = now() - interval '3 seconds'"))
    assert await sweep(postgres_store, Clock()()) == LeftBehind(orphaned=1)
    async with postgres_store.begin() as tx:
        assert await chunks.reclaim(tx, heir, ["sms"]) is not None
    assert await sweep(postgres_store, Clock()()) == LeftBehind()


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)])
async def test_a_wrong_clock_of_ours_takes_no_lease_from_the_living(postgres_store: Store, ahead: timedelta) -> None:
    """Leases run on the database's clock: what a dispatcher takes the time for plays no part."""
    await released(postgres_store, red(sent=Clock()() + ahead, expires=Clock()() + timedelta(days=1)), people(3))
    living = Holder(node="living", epoch=1)
    async with postgres_store.begin() as tx:
        assert await chunks.take(tx, "sms", living) is not None
    idle = Provider()
    async with dispatching(postgres_store, Clock(Clock()() + ahead), sms=idle) as (dispatcher, _):
        dispatcher.wake()
        await asyncio.sleep(0.1)
    assert idle.got == []


async def test_calls_are_counted_by_what_came_of_them_and_a_refused_account_is_seen(store: Store) -> None:
    answers: list[Outcome] = [Refused(code="20003", reason="密钥不对", blame=Blame.ACCOUNT)]

    def answer(_message: Message) -> Outcome:
        return answers.pop() if answers else Accepted(ref="1")

    warning = await released(store, red(), people(2))
    clock = Clock()
    async with dispatching(store, clock, sms=Provider(answer=answer)) as (dispatcher, _):
        await until(lambda: _due(store, 1))
        gather(dispatcher)
        before = metrics().decode()
        clock.pass_(seconds=60)
        dispatcher.wake()
        await until(all_in(store, warning.id, {DeliveryState.SENT: 2}))
        gather(dispatcher)
    assert 'mingluo_sends_total{channel="sms",outcome="Refused",provider="sms"}' in before
    assert 'mingluo_provider_up{channel="sms",provider="sms"} 1.0' in metrics().decode()


async def _due(store: Store, rows: int) -> bool:
    async with store.read() as tx:
        found = await tx.execute(text("SELECT count(*) FROM deliveries WHERE due_at IS NOT NULL"))
        return int(found.scalar_one()) == rows

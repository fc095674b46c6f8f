"""While something urgent is judged, what is less urgent stands still: for a moment, and not again and again."""

from __future__ import annotations

import asyncio

from dispatcher.model import Lane, Level
from dispatcher.states import DeliveryState
from dispatcher.store.engine import Store
from tests.city import Clock, Provider, people, red, released
from tests.dispatcher.test_sending_dispatch import all_in, dispatching, until

SENT, PLANNED = DeliveryState.SENT, DeliveryState.PLANNED
LONG_S = 60.0


async def _busy(provider: Provider) -> bool:
    return provider.under_way == 8


async def test_no_blue_call_begins_until_the_red_that_is_judged_has_left(store: Store) -> None:
    sms = Provider(hold=asyncio.Event())
    blue = await released(store, red(level=Level.BLUE), people(40))
    async with dispatching(store, Clock(), window=16, sms=sms) as (dispatcher, _):
        await until(lambda: _busy(sms))
        dispatcher.make_way(Lane.RED, LONG_S)
        assert sms.hold is not None
        sms.hold.set()
        await until(all_in(store, blue.id, {SENT: 8, PLANNED: 32}))
        urgent = await released(store, red(), people(5), 2)
        dispatcher.wake()
        await until(all_in(store, urgent.id, {SENT: 5}))
        await until(all_in(store, blue.id, {SENT: 40}))
    assert [one.bulletin.level for one in sms.got].index("red") == 8


async def test_what_is_as_urgent_goes_on(store: Store) -> None:
    sms = Provider()
    async with dispatching(store, Clock(), sms=sms) as (dispatcher, _):
        dispatcher.make_way(Lane.RED, LONG_S)
        warning = await released(store, red(), people(40))
        dispatcher.wake()
        await until(all_in(store, warning.id, {SENT: 40}))


async def test_where_nothing_urgent_follows_the_others_go_on_and_are_not_stopped_again_at_once(store: Store) -> None:
    sms = Provider()
    async with dispatching(store, Clock(), sms=sms) as (dispatcher, _):
        dispatcher.make_way(Lane.RED, 0.1)
        dispatcher.make_way(Lane.RED, LONG_S)
        blue = await released(store, red(level=Level.BLUE), people(40))
        await until(all_in(store, blue.id, {SENT: 40}))

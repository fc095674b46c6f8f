"""The queries behind the API, on both databases: what SQLite lets pass PostgreSQL may refuse."""

from __future__ import annotations

import asyncio

from dispatcher.pipeline.accept import Incoming, accept
from dispatcher.pipeline.context import Context
from dispatcher.store import ledger, pushes, rejects, warnings
from dispatcher.store.headlines import Wanted, headlines
from dispatcher.web import reach
from tests.city import cap


async def sent_in(jian: Context, body: bytes) -> str:
    incoming = Incoming(door="http", source="city-weather", content_type="application/cap+xml", body=body)
    return (await accept(jian, incoming)).warning_id


async def test_lists_pages_and_filters_agree_on_both_databases(jian: Context) -> None:
    numbers = [await sent_in(jian, cap(f"no-{number}")) for number in range(3)]
    await sent_in(jian, b"rubbish")
    async with jian.store.read() as tx:
        assert [row.id for row in await headlines(tx, Wanted(limit=2))] == numbers[:0:-1]
        assert [row.id for row in await headlines(tx, Wanted(before=numbers[1]))] == [numbers[0]]
        assert await headlines(tx, Wanted(states=["held"], level="red")) == []
        assert await warnings.exists(tx, numbers[0])
        assert not await warnings.exists(tx, "0" * 32)
        assert await warnings.states_of(tx, numbers) == dict.fromkeys(numbers, "approved")
        assert await warnings.states_of(tx, []) == {}
        assert all((await warnings.broadcast_ids(tx, numbers)).values())
        (refused,) = await rejects.refusals(tx, 10)
        assert (refused.size, refused.code) == (len(b"rubbish"), 220)
        assert await rejects.refusals(tx, 10, before=refused.id) == []
        assert await ledger.newest_event(tx) > 0


async def test_a_key_is_bound_to_its_first_body_however_many_come_at_once(jian: Context) -> None:
    async def claim(digest: str) -> str:
        async with jian.store.begin() as tx:
            return await warnings.claim_key(tx, "idempotency:1", digest)

    bound = await asyncio.gather(*(claim(str(number)) for number in range(8)))
    assert len(set(bound)) == 1
    assert await claim("later") == bound[0]


async def test_the_frozen_plan_is_counted_before_anybody_takes_it_in_hand(jian: Context) -> None:
    warning_id = await sent_in(jian, cap())
    frozen = reach.Frozen()
    async with jian.store.read() as tx:
        row = await warnings.one(tx, warning_id)
        units = await reach.by_unit(tx, frozen, warning_id)
        again = await reach.by_unit(tx, frozen, warning_id)
        counts = await ledger.counts(tx, warning_id)
        assert await ledger.troubles(tx, warning_id) == []
        assert await ledger.troubled(tx, warning_id, 10) == []
        assert await pushes.commands(tx, "gateway-1", (jian.now(), "message", warning_id, 1), 10) == []
    assert row is not None
    total = reach.summed(units.values())
    assert total.planned == total.pending == row.rows_planned == sum(count.rows for count in counts)
    assert reach.summed(again.values()) == total
    counties = reach.table(await jian.register(), row, units)
    assert reach.summed(county.unit.tally for county in counties) == total

"""What is reported is what the ledger holds: nothing twice, nothing left out."""

from __future__ import annotations

from datetime import timedelta

from dispatcher import reporting
from dispatcher.registry import register as registers
from dispatcher.reporting import Cell
from dispatcher.states import DeliveryState
from dispatcher.store import chunks, deliveries, ledger
from dispatcher.store.chunks import Holder
from dispatcher.store.deliveries import Attempt, Settled
from dispatcher.store.engine import Store
from dispatcher.store.packing import unpack
from dispatcher.store.sealed import Seal
from dispatcher.store.warnings import WarningRow
from tests.city import NOW, both, gateways, people, red, released

SEAL = Seal(bytes(32))
HOLDER = Holder(node="node-1", epoch=1)
FATES = {
    DeliveryState.DELIVERED: 5,
    DeliveryState.SENT: 3,
    DeliveryState.FAILED: 2,
    DeliveryState.UNDELIVERED: 1,
}


async def half_sent(store: Store) -> WarningRow:
    """40 people of whom 11 have a result, and 3 loudspeakers nobody took in hand yet."""
    warning = await released(store, red(), both(people(40), gateways(3)))
    async with store.begin() as tx:
        chunk = await chunks.take(tx, "sms", HOLDER)
        assert chunk is not None
        rows = await deliveries.plan(tx, chunk, unpack(chunk.packed), 0, None)
        fates = [fate for fate, number in FATES.items() for _ in range(number)]
        results = []
        for number, (row, fate) in enumerate(zip(rows, fates, strict=False)):
            at = NOW + timedelta(seconds=1 + number / 10)
            outcome = "refused" if fate is DeliveryState.FAILED else "accepted"
            attempt = Attempt(no=1, provider="twilio", started_at=at, ended_at=at, outcome=outcome)
            code = "21211" if fate is DeliveryState.FAILED else ""
            results.append(Settled(chunk_id=chunk.id, row=row, state=fate, code=code, at=at, attempt=attempt))
        await deliveries.settle(tx, results)
    return warning


async def test_every_planned_row_stands_in_exactly_one_column(store: Store) -> None:
    warning = await half_sent(store)
    found = await reporting.summary(store, await registers.load(store, SEAL), warning.id)
    assert found is not None
    assert found.channels == {
        "sms": Cell(waiting=29, under_way=3, delivered=5, missed=1, failed=2),
        "broadcast": Cell(waiting=3),
    }
    assert found.total.planned == found.warning.rows_planned == 43
    assert found.total.sent == 9
    assert found.total.open == 35


async def test_a_county_holds_what_its_townships_hold(store: Store) -> None:
    warning = await half_sent(store)
    found = await reporting.summary(store, await registers.load(store, SEAL), warning.id)
    assert found is not None
    assert [(place.code, place.total.planned, place.total.delivered) for place in found.counties] == [("360827", 40, 5)]
    assert [(place.code, place.total.failed) for place in found.townships] == [("360827102", 2)]


async def test_the_times_are_those_of_the_first_and_the_last_accepted_try(store: Store) -> None:
    warning = await half_sent(store)
    found = await reporting.summary(store, await registers.load(store, SEAL), warning.id)
    assert found is not None
    assert found.times.first_sent == NOW + timedelta(seconds=1)
    assert found.times.last_sent == NOW + timedelta(seconds=2)
    assert found.times.accept_to_first_ms == 1000
    assert found.times.accept_to_last_ms == 2000
    assert found.times.messages_per_s == 9.0


async def test_a_refusal_is_named_and_a_row_without_a_reason_is_not_excused(store: Store) -> None:
    warning = await half_sent(store)
    found = await reporting.summary(store, await registers.load(store, SEAL), warning.id)
    assert found is not None
    assert {(one.channel, one.state, one.code, one.rows) for one in found.troubles} == {
        ("sms", DeliveryState.FAILED, "21211", 2),
        ("sms", DeliveryState.UNDELIVERED, "", 1),
    }
    excused = [entry for entry in await reporting.entries(store, warning.id) if reporting.excused(entry)]
    assert sorted(entry.state for entry in excused) == [DeliveryState.DELIVERED] * 5 + [DeliveryState.FAILED] * 2


async def test_the_entries_of_a_large_warning_come_page_by_page_and_none_twice(store: Store) -> None:
    warning = await half_sent(store)
    entries = await reporting.entries(store, warning.id)
    assert len({(entry.channel, entry.target) for entry in entries}) == len(entries) == 40


async def test_a_warning_nobody_knows_has_no_summary(store: Store) -> None:
    assert await reporting.summary(store, await registers.load(store, SEAL), "0" * 32) is None


async def test_who_was_let_go_stays_known_when_all_is_settled_or_withdrawn(store: Store) -> None:
    warning = await released(store, red(), both(people(40), gateways(3)))
    async with store.begin() as tx:
        chunk = await chunks.take(tx, "sms", HOLDER)
        assert chunk is not None
        rows = await deliveries.plan(tx, chunk, unpack(chunk.packed), 0, None)
    results = [Settled(chunk_id=chunk.id, row=row, state=DeliveryState.SENT, at=NOW) for row in rows[:5]]
    await deliveries.group_commit(store, HOLDER, {chunk.id: 7}, results)
    async with store.begin() as tx:
        await chunks.hold(tx, warning.id)
        await chunks.end(tx, warning.id)
        assert await deliveries.withdraw(tx, warning.id, DeliveryState.WITHDRAWN, NOW) == 33
    async with store.read() as tx:
        assert await ledger.opened(tx, warning.id) == {("sms", row.target) for row in rows[:7]}

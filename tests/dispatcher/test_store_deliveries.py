"""Rows and their results, where something else came between: a receipt before the answer, a crash, a call-off."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import RowMapping, select, update

from dispatcher.states import DeliveryState
from dispatcher.store import chunks, deliveries
from dispatcher.store.chunks import Chunk, Holder
from dispatcher.store.deliveries import Attempt, Report, Row, Settled
from dispatcher.store.engine import Store
from dispatcher.store.packing import unpack
from dispatcher.store.tables import deliveries as ledger
from dispatcher.store.tables import warnings
from tests.city import NOW, gateways, people, red, released

HOLDER = Holder(node="n", epoch=1)
LATER = NOW + timedelta(seconds=3)


async def opened(store: Store, warning_id: str, channel: str) -> tuple[Chunk, list[Row]]:
    """Its one chunk, taken, planned, and opened to its end."""
    async with store.begin() as tx:
        chunk = await chunks.take(tx, channel, HOLDER)
        assert chunk is not None
        assert chunk.warning_id == warning_id
        rows = await deliveries.plan(tx, chunk, unpack(chunk.packed), 7000, None)
    assert await deliveries.group_commit(store, HOLDER, {chunk.id: len(rows)}, []) == {chunk.id: True}
    return chunk, rows


async def standing(store: Store, row: Row) -> RowMapping:
    async with store.read() as tx:
        found = await tx.execute(
            select(ledger).where(ledger.c.warning_id == row.warning_id, ledger.c.target == row.target)
        )
        return found.mappings().one()


def taken(chunk: Chunk, row: Row) -> Settled:
    row.calls, row.tries = 1, 1
    attempt = Attempt(no=1, provider="x", started_at=NOW, ended_at=NOW, outcome="accepted", provider_ref="r1")
    return Settled(chunk_id=chunk.id, row=row, state=DeliveryState.SENT, at=NOW, attempt=attempt)


@pytest.mark.parametrize("crashed", [False, True])
async def test_a_gateway_that_spoke_before_its_answer_was_told(store: Store, crashed: bool) -> None:
    """Or the next version does not stop what it plays: neither while the call is under way, nor after a crash in it."""
    first, second = await released(store, red(), gateways(1)), await released(store, red(), gateways(1), 2)
    async with store.begin() as tx:
        for warning in (first, second):
            said = {"chain_id": "c", "broadcast_id": warning.id.zfill(35)}
            await tx.execute(update(warnings).where(warnings.c.id == warning.id).values(said))
    _, (row,) = await opened(store, first.id, "broadcast")
    _, (next_row,) = await opened(store, second.id, "broadcast")
    report = Report(key=row.key, state=DeliveryState.SENT, code="playing", detail="")
    await deliveries.enter_receipts(store, [report], NOW)
    if crashed:
        async with store.begin() as tx:
            left = await chunks.reclaim(tx, replace(HOLDER, epoch=2), ["broadcast"])
            assert left is not None
            assert await deliveries.in_chunk(tx, left.id, left.opened_to) == []
    async with store.read() as tx:
        told = await deliveries.told_before(tx, [next_row])
    assert told == {row.target: frozenset({first.id.zfill(35)})}


async def test_who_called_off_first_says_how_it_ended(store: Store) -> None:
    """The sender finds the same rows in its memory a moment later, and knows less of them."""
    warning = await released(store, red(), people(1))
    async with store.begin() as tx:
        chunk = await chunks.take(tx, "sms", HOLDER)
        assert chunk is not None
        (row,) = await deliveries.plan(tx, chunk, unpack(chunk.packed), 0, None)
        await tx.execute(update(ledger).values(provider="x", state_code="30001", calls=1, tries=1))
    async with store.begin() as tx:
        await chunks.end(tx, warning.id)
        assert await deliveries.withdraw(tx, warning.id, DeliveryState.WITHDRAWN, NOW) == 1
    before = await standing(store, row)
    late = Settled(chunk_id=chunk.id, row=row, state=DeliveryState.WITHDRAWN, at=LATER)
    await deliveries.group_commit(store, HOLDER, {chunk.id: 0}, [late], [chunk.id])
    assert await standing(store, row) == before


async def test_a_result_written_again_takes_nothing_back(store: Store) -> None:
    """Its commit was answered by silence, and the receipt came before it was written once more."""
    warning = await released(store, red(), people(1))
    chunk, (row,) = await opened(store, warning.id, "sms")
    result = taken(chunk, row)
    await deliveries.group_commit(store, HOLDER, {chunk.id: 0}, [result])
    await deliveries.enter_receipts(
        store, [Report(key=row.key, state=DeliveryState.DELIVERED, code="", detail="")], LATER
    )
    before = await standing(store, row)
    assert (before["state"], before["provider_ref"]) == (DeliveryState.DELIVERED, "r1")
    await deliveries.group_commit(store, HOLDER, {chunk.id: 0}, [result], [chunk.id])
    assert await standing(store, row) == before

"""A chunk made ready beside the sending is written only where nothing has changed since it was looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from dispatcher.pipeline.withdraw import end
from dispatcher.sending.live import Desk
from dispatcher.sending.opened import Address
from dispatcher.service.assembly import event_code_of
from dispatcher.states import DeliveryState, WarningState
from dispatcher.store import chunks, deliveries, ledger, warnings
from dispatcher.store.chunks import Holder
from dispatcher.store.deliveries import Planned, Row
from dispatcher.store.engine import Store, Tx
from dispatcher.store.packing import unpack
from dispatcher.store.tables import deliveries as table
from dispatcher.store.warnings import WarningRow
from tests.city import Clock, Provider, kept, people, red, released, settings
from tests.dispatcher.test_sending_dispatch import _true, all_in, counts, dispatching, find, until

ME, YOU = Holder(node="me", epoch=1), Holder(node="you", epoch=1)


async def made_ready(store: Store, count: int = 300) -> Planned:
    """The second chunk of a warning that is being dispatched, looked at and not yet written."""
    warning = await released(store, red(), people(count))
    async with store.begin() as tx:
        first = await chunks.take(tx, "sms", ME)
        assert first is not None
        await deliveries.plan(tx, first, unpack(first.packed), 0, None)
        await warnings.move(tx, warning.id, WarningState.DISPATCHING)
    async with store.read() as tx:
        chunk = await chunks.look(tx, "sms")
    assert chunk is not None
    return deliveries.laid_out(store.dialect, chunk, unpack(chunk.packed))


async def rows_of(store: Store, planned: Planned) -> int:
    async with store.read() as tx:
        return int((await tx.execute(select(func.count()).where(table.c.chunk_id == planned.chunk_id))).scalar_one())


async def test_what_was_made_ready_is_written_and_is_ours(store: Store) -> None:
    planned = await made_ready(store)
    assert await store.in_one_go(partial(planned.write, ME))
    assert await rows_of(store, planned) == len(planned.rows) == 300 - 256
    async with store.read() as tx:
        assert await chunks.look(tx, "sms") is None


async def test_where_another_was_quicker_nothing_is_written(store: Store) -> None:
    planned = await made_ready(store)
    async with store.begin() as tx:
        assert await chunks.take(tx, "sms", YOU) is not None
    assert not await store.in_one_go(partial(planned.write, ME))
    assert await rows_of(store, planned) == 0


async def test_a_commit_answered_by_silence_is_ours_when_it_is_tried_again_and_its_rows_stand_once(
    store: Store,
) -> None:
    planned = await made_ready(store)
    assert await store.in_one_go(partial(planned.write, ME))
    assert await store.in_one_go(partial(planned.write, ME))
    assert not await store.in_one_go(partial(planned.write, YOU))
    assert await rows_of(store, planned) == len(planned.rows)


async def test_whoever_loads_a_warning_at_the_same_time_holds_the_same_one(store: Store) -> None:
    """Else a call-off would stop one of them."""
    planned = await made_ready(store)
    ours = settings()
    desk = Desk(ours.policy, ours.service.sender_name, partial(event_code_of, ours.hazards))

    async with AsyncExitStack() as opened:
        reading = [await opened.enter_async_context(store.read()) for _ in range(4)]
        for tx in reading:  # each is connected, so that none is through before the next begins
            await tx.execute(select(1))
        loads = [desk.load(tx, planned.rows[0].warning_id) for tx in reading]
        first, *others = await asyncio.gather(*loads)
    assert all(one is first for one in others)


async def test_what_another_holds_is_passed_over_and_keeps_nobody_waiting(postgres_store: Store) -> None:
    held = await made_ready(postgres_store)
    other = await released(postgres_store, red(), people(20), number=2)
    sms = Provider()
    async with postgres_store.begin() as tx:
        await chunks.hold(tx, held.rows[0].warning_id)
        async with dispatching(postgres_store, Clock(), sms=sms):
            await until(all_in(postgres_store, other.id, {DeliveryState.SENT: 20}))


async def test_where_it_was_called_off_meanwhile_nothing_is_written(store: Store) -> None:
    planned = await made_ready(store)
    async with dispatching(store, Clock()) as (_, context), store.begin() as tx:
        assert await end(context, tx, planned.rows[0].warning_id, WarningState.CANCELLED)
    assert not await store.in_one_go(partial(planned.write, ME))
    assert await rows_of(store, planned) == 0


async def test_while_it_is_being_called_off_nobody_waits_for_it_and_nothing_is_written(postgres_store: Store) -> None:
    """A statement that waited for the lock would see the warning as it was before, and plan rows nobody withdraws."""
    planned = await made_ready(postgres_store)
    async with dispatching(postgres_store, Clock()) as (_, context), postgres_store.begin() as tx:
        assert await end(context, tx, planned.rows[0].warning_id, WarningState.CANCELLED)
        assert not await postgres_store.in_one_go(partial(planned.write, ME))
    assert await rows_of(postgres_store, planned) == 0


async def taken_in_silence(store: Store, number: int = 1) -> WarningRow:
    """A chunk of twenty that the sender under test took, in a commit whose answer never came: nobody there knows of it."""
    async with store.begin() as tx:
        warning = await kept(tx, red(), people(20), number)
        chunk = await chunks.take(tx, "sms", Holder(node="node-1", epoch=1))
        assert chunk is not None
        await deliveries.plan(tx, chunk, unpack(chunk.packed), 0, None)
        await warnings.move(tx, warning.id, WarningState.DISPATCHING)
    return warning


async def test_what_became_ours_in_a_commit_answered_by_silence_is_sent(store: Store) -> None:
    """A restart would find it; but it is 02:39."""
    sms = Provider()
    async with dispatching(store, Clock(), sms=sms):
        warning = await taken_in_silence(store)
        await until(all_in(store, warning.id, {DeliveryState.SENT: 20}))
    assert len(sms.got) == len(set(sms.ids)) == 20
    async with store.read() as tx:
        assert await ledger.flagged(tx, warning.id) == 0, "none of it was opened"


async def test_what_is_called_off_after_such_a_commit_comes_to_its_end(store: Store) -> None:
    async with dispatching(store, Clock(), sms=Provider()) as (_, context):
        warning = await taken_in_silence(store)
        async with store.begin() as tx:
            assert await end(context, tx, warning.id, WarningState.CANCELLED)
        await until(lambda: _over(store, warning.id))


async def test_what_is_under_way_for_long_is_not_taken_for_forgotten(store: Store) -> None:
    sms = Provider(hold=asyncio.Event())
    warning = await released(store, red(), people(8))
    async with dispatching(store, Clock(), sms=sms) as (dispatcher, _):
        await until(lambda: _true(sms.under_way == 8))
        await taken_in_silence(store, number=2)
        await until(lambda: _true(dispatcher.unsettled == 8 + 20))  # it has looked twice by now
        assert sms.hold is not None
        sms.hold.set()
        await until(all_in(store, warning.id, {DeliveryState.SENT: 8}))
    assert len(set(sms.ids)) == len(sms.got)


async def test_a_commit_that_is_answered_late_is_not_taken_for_one_answered_by_silence(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others read what it wrote seconds before whoever wrote it hears of it, and hands it over."""
    answered, write = asyncio.Event(), store.in_one_go

    async def late(work: Callable[[Connection], bool]) -> bool:
        written = await write(work)
        await answered.wait()
        return written

    monkeypatch.setattr(store, "in_one_go", late)
    looks, look = [], chunks.held_by

    async def counted(tx: Tx, holder: Holder) -> set[int]:
        looks.append(await look(tx, holder))
        return looks[-1]

    sms = Provider()
    warning = await released(store, red(), people(600))
    async with dispatching(store, Clock(), sms=sms):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 256, DeliveryState.PLANNED: 344}))
        monkeypatch.setattr(chunks, "held_by", counted)
        await until(lambda: _true(sum(bool(held) for held in looks) >= 3))
        answered.set()
        await until(all_in(store, warning.id, {DeliveryState.SENT: 600}))
    assert len(sms.got) == len(set(sms.ids)) == 600


async def test_what_was_called_off_while_its_mark_was_on_its_way_comes_to_its_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark was durable, its commit answered by silence, and asked for again it is said to be over."""
    silent, written = asyncio.Event(), deliveries.group_commit

    async def commit(*given: Any) -> dict[int, bool]:
        found = await written(*given)
        if not silent.is_set():
            silent.set()
            async with store.begin() as tx:
                assert await end(context, tx, warning.id, WarningState.CANCELLED)
            raise TimeoutError
        return found

    warning = await released(store, red(), people(20))
    monkeypatch.setattr(deliveries, "group_commit", commit)
    async with dispatching(store, Clock(), sms=Provider()) as (_, context):
        await until(lambda: _over(store, warning.id))
    assert await counts(store, warning.id) == {DeliveryState.UNKNOWN: 20}


async def _over(store: Store, warning_id: str) -> bool:
    async with store.read() as tx:
        return (await chunks.unfinished(tx, warning_id)) == (0, 0)


async def test_the_addresses_of_the_next_chunk_are_looked_up_whole_while_the_one_before_it_is_sent(
    store: Store,
) -> None:
    asked: list[int] = []

    async def noted(rows: Sequence[Row]) -> dict[str, Address]:
        asked.append(len(rows))
        return await find(rows)

    sms = Provider()
    warning = await released(store, red(), people(1_300))
    async with dispatching(store, Clock(), lookup=noted, sms=sms):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 1_300}))
    assert len(set(sms.ids)) == 1_300
    assert max(asked) >= 900, asked

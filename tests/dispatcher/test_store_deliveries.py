"""Rows and their results, where something else came between: a receipt before the answer, a crash, a call-off."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec.structs import replace as replace_in
from sqlalchemy import RowMapping, delete, select, update
from sqlalchemy.exc import DBAPIError

from dispatcher.states import DeliveryState
from dispatcher.store import chunks, deliveries
from dispatcher.store.chunks import Chunk, Holder, NewChunk
from dispatcher.store.deliveries import Attempt, Due, Report, Row, Settled
from dispatcher.store.engine import Store
from dispatcher.store.packing import unpack
from dispatcher.store.tables import attempts, warnings
from dispatcher.store.tables import deliveries as ledger
from dispatcher.store.tries import Try, tries_of
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


async def tries(store: Store, row: Row) -> list[Try]:
    async with store.read() as tx:
        found = await tries_of(tx, row.warning_id, [row.target])
    return found.get((row.channel, row.target, row.round), [])


@pytest.mark.parametrize("told_first", [False, True], ids=["answer first", "receipt first"])
async def test_a_try_that_was_taken_stands_in_its_row_and_is_read_as_any_other(store: Store, told_first: bool) -> None:
    """Also where the first try was taken after all, and its receipt overtook the second: what that proved of when stands."""
    warning = await released(store, red(), people(1))
    chunk, (row,) = await opened(store, warning.id, "sms")
    unknown = Attempt(
        no=1, provider="x", started_at=NOW, ended_at=NOW, outcome="not_known", code="cut", reason="cut off"
    )
    row.calls = row.tries = 1
    row.possible_duplicate = True
    again_at = Settled(chunk_id=chunk.id, row=row, state=DeliveryState.PLANNED, due_at=NOW, at=NOW, attempt=unknown)
    await deliveries.group_commit(store, HOLDER, {chunk.id: 0}, [again_at])
    async with store.begin() as tx:
        new = NewChunk(channel="sms", lane=1, seq=-1, size=1, packed=b"", hash="")
        again = await chunks.gather(tx, new, warning.id, HOLDER)
        due = Due(warning_id=warning.id, channel="sms", targets=((row.target, 0),))
        (row,) = await deliveries.regroup(tx, due, again)
    report = Report(key=row.key, state=DeliveryState.DELIVERED, code="", detail="")
    heard_at = NOW + timedelta(seconds=1) if told_first else LATER + timedelta(seconds=9)
    if told_first:
        await deliveries.enter_receipts(store, [report], heard_at)
    row.calls = row.tries = 2
    ended = LATER + timedelta(microseconds=2_345)
    answer = Attempt(no=2, provider="y", started_at=LATER, ended_at=ended, outcome="accepted", provider_ref="r2")
    result = Settled(chunk_id=again, row=row, state=DeliveryState.SENT, at=ended, attempt=answer)
    for _ in range(2):  # its commit was answered by silence
        await deliveries.group_commit(store, HOLDER, {again: 0}, [result])
    await deliveries.enter_receipts(store, [report], heard_at)
    first, second = await tries(store, row)
    assert (first.no, first.provider, first.outcome, first.code, first.reason) == (
        1,
        "x",
        "not_known",
        "cut",
        "cut off",
    )
    assert second == Try(
        target=row.target, channel="sms", round=0, no=2, provider="y", started_at=LATER, ended_at=ended,
        outcome="accepted", code="", reason="", provider_ref="r2", possible_duplicate=True,
    )  # fmt: skip
    stands = await standing(store, row)
    assert (stands["state"], stands["ended_at"]) == (DeliveryState.DELIVERED, heard_at)
    assert stands["sent_at"] == (heard_at if told_first else LATER)


async def test_a_second_answer_for_a_row_changes_nothing_and_keeps_no_other_result_back(store: Store) -> None:
    warning = await released(store, red(), people(2))
    chunk, (row, other) = await opened(store, warning.id, "sms")
    await deliveries.group_commit(store, HOLDER, {chunk.id: 0}, [taken(chunk, row)])
    before = await standing(store, row)
    once_more = taken(chunk, row)
    row.calls = 2
    await deliveries.group_commit(store, HOLDER, {chunk.id: 0}, [once_more, taken(chunk, other)])
    assert await standing(store, row) == before
    assert (await standing(store, other))["answered_at"] == NOW


async def test_a_try_that_left_a_trace_has_a_row_of_its_own(store: Store) -> None:
    """Or who keeps a platform could not be shown what was posted to it."""
    warning = await released(store, red(), people(1))
    chunk, (row,) = await opened(store, warning.id, "sms")
    result = taken(chunk, row)
    assert result.attempt is not None
    traced = replace_in(result, attempt=replace_in(result.attempt, trace="POST webhook-id"))
    await deliveries.group_commit(store, HOLDER, {chunk.id: 0}, [traced])
    async with store.read() as tx:
        assert (await tx.execute(select(attempts.c.target, attempts.c.trace))).all() == [
            (row.target, "POST webhook-id")
        ]
    assert (await standing(store, row))["answered_at"] is None
    assert [one.outcome for one in await tries(store, row)] == ["accepted"]


async def test_what_was_pushed_to_a_gateway_has_a_row_of_its_own_for_its_operator(store: Store) -> None:
    warning = await released(store, red(), gateways(1))
    chunk, (row,) = await opened(store, warning.id, "broadcast")
    await deliveries.group_commit(store, HOLDER, {chunk.id: 0}, [taken(chunk, row)])
    async with store.read() as tx:
        assert (await tx.execute(select(attempts.c.target, attempts.c.outcome))).all() == [(row.target, "accepted")]
    assert [one.outcome for one in await tries(store, row)] == ["accepted"]


@pytest.mark.parametrize(
    "forged",
    [{"provider": "z"}, {"provider_ref": "r9"}, {"calls": 9}, {"sent_at": LATER}, {"answered_at": None},
     {"answered_at": LATER}, {"took_us": 9}, {"possible_duplicate": True}, {"target": "officer-JA99999"},
     {"channel": "voice"}, {"round": 9}, {"warning_id": "w"}],
    ids=lambda forged: next(iter(forged)),
)  # fmt: skip
async def test_what_a_row_says_of_the_try_that_was_taken_cannot_be_changed(
    store: Store, forged: dict[str, object]
) -> None:
    warning = await released(store, red(), people(2))
    chunk, (row, other) = await opened(store, warning.id, "sms")
    async with store.begin() as tx:  # before, anything may
        await tx.execute(update(ledger).where(ledger.c.target == other.target).values(forged | {"target": "officer-X"}))
    await deliveries.group_commit(store, HOLDER, {chunk.id: 0}, [taken(chunk, row)])
    before = await standing(store, row)
    with pytest.raises(DBAPIError, match="append-only"):
        async with store.begin() as tx:
            await tx.execute(update(ledger).where(ledger.c.target == row.target).values(forged))
    with pytest.raises(DBAPIError, match="append-only"):
        async with store.begin() as tx:
            await tx.execute(delete(ledger).where(ledger.c.target == row.target))
    assert await standing(store, row) == before


async def test_what_the_provider_has_already_is_known_by_its_reference(store: Store) -> None:
    warning = await released(store, red(), people(2))
    chunk, (row, other) = await opened(store, warning.id, "sms")
    await deliveries.group_commit(store, HOLDER, {chunk.id: 0}, [taken(chunk, row)])
    named = [(row.target, "r1"), (row.target, "r2"), (other.target, "r1")]
    async with store.read() as tx:
        assert await deliveries.taken(tx, named, NOW - timedelta(days=1)) == {(row.target, "r1")}

"""A drill and the real thing never meet on a wire: whichever flag is flipped, at whatever moment, nothing of it leaves, every
row ends, and it is said aloud.
"""

from __future__ import annotations

import asyncio
import zlib
from functools import partial

import pytest
from sqlalchemy import text

from channels.contract import Accepted, TryAgain
from channels.text import mark_drill
from dispatcher.model import Channel, Level, Status, WarningMessage
from dispatcher.pipeline.settle import finish
from dispatcher.pipeline.withdraw import end, told
from dispatcher.sending.calling import Wire
from dispatcher.sending.dispatch import Dispatcher, Identity
from dispatcher.sending.live import Desk
from dispatcher.service.assembly import event_code_of
from dispatcher.states import DeliveryState, WarningState
from dispatcher.store import events, ledger, warnings
from dispatcher.store.engine import Store
from tests.city import Clock, Provider, both, gateways, people, red, released, settings
from tests.dispatcher.test_sending_dispatch import all_in, counts, dispatching, find, until
from tests.properties import noise
from tests.properties.noise import flip, run

SIDES = pytest.mark.parametrize("drill", [False, True], ids=["live", "drill"])
MIXED = "240"


def said(*, drill: bool, **changes: object) -> WarningMessage:
    return red(status=Status.EXERCISE if drill else Status.ACTUAL, **changes)


def own(*, drill: bool, providers: tuple[Provider, Provider]) -> dict[str, Provider]:
    """(the one it belongs to, the other), under their names."""
    return {"drill_sms" if drill else "sms": providers[0], "sms" if drill else "drill_sms": providers[1]}


FLIPS = pytest.mark.parametrize("what", noise.FLIPS)


async def codes(store: Store, warning_id: str) -> set[tuple[DeliveryState, str]]:
    async with store.read() as tx:
        return {(entry.state, entry.state_code) for entry in await ledger.page(tx, warning_id, None, 5000)}


async def told_of(store: Store, warning_id: str) -> list[str]:
    async with store.read() as tx:
        return [one.kind for one in await events.of_warning(tx, warning_id)]


# ── each to its own ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_drill_and_the_real_thing_each_go_by_their_own(store: Store) -> None:
    sms, drill_sms = Provider(), Provider()
    real, drill = (
        await released(store, said(drill=False), people(20)),
        await released(store, said(drill=True), people(30), 2),
    )
    async with dispatching(store, Clock(), sms=sms, drill_sms=drill_sms) as (dispatcher, _):
        await until(all_in(store, real.id, {DeliveryState.SENT: 20}))
        await until(all_in(store, drill.id, {DeliveryState.SENT: 30}))
        assert dispatcher.mixed == 0
    assert {one.bulletin.warning_id for one in sms.got} == {real.id}
    assert {one.bulletin.warning_id for one in drill_sms.got} == {drill.id}
    assert {one.bulletin.headline for one in drill_sms.got} == {mark_drill(drill.headline)}


async def test_a_provider_stands_on_one_side_and_a_wrong_one_stops_the_start(store: Store) -> None:
    ours = settings()
    desk = Desk(ours.policy, ours.service.sender_name, partial(event_code_of, ours.hazards))
    dispatcher = Dispatcher(store, Identity(node="n", epoch=1), desk, Clock(), lambda: 0.5)
    for drill in (False, True):
        wire = Wire(name="x", way=Provider(), in_flight=1, window=1, timeout_s=1, rate=1, drill=not drill)
        with pytest.raises(ValueError, match="wrong side"):
            dispatcher.connect({(Channel.SMS, drill): [wire]}, find)


async def test_a_drill_without_a_provider_of_its_own_is_suppressed_and_ends(store: Store) -> None:
    """Planned when there was one, and then it was switched off; the live one beside it is out of the question."""
    sms = Provider()
    drill = await released(store, said(drill=True), both(people(300), gateways(2)))
    async with dispatching(store, Clock(), sms=sms) as (_, context):
        await until(all_in(store, drill.id, {DeliveryState.SUPPRESSED: 302}))
        await finish(context)
        await finish(context)
    assert await codes(store, drill.id) == {(DeliveryState.SUPPRESSED, "no_drill_provider")}
    assert sms.got == []
    async with store.read() as tx:
        row = await warnings.one(tx, drill.id)
    assert row is not None
    assert row.state == WarningState.COMPLETED


async def test_what_is_real_waits_for_a_provider_and_never_takes_a_drills(store: Store) -> None:
    drill_sms, sms = Provider(), Provider()
    real = await released(store, said(drill=False), people(5))
    async with dispatching(store, Clock(), drill_sms=drill_sms) as (dispatcher, _):
        drill = await released(store, said(drill=True), people(5), 2)
        dispatcher.wake()
        await until(all_in(store, drill.id, {DeliveryState.SENT: 5}))
        assert await counts(store, real.id) == {DeliveryState.PLANNED: 5}
    async with dispatching(store, Clock(), sms=sms):
        await until(all_in(store, real.id, {DeliveryState.SENT: 5}))
    assert {one.bulletin.warning_id for one in drill_sms.got} == {drill.id}


async def test_a_drill_waits_for_all_that_is_real_although_its_provider_is_free(store: Store) -> None:
    sms, drill_sms = Provider(hold=asyncio.Event()), Provider()
    real = await released(store, said(drill=False, level=Level.BLUE), people(600))
    async with dispatching(store, Clock(), window=16, sms=sms, drill_sms=drill_sms) as (dispatcher, _):
        await until(lambda: _true(sms.under_way == 8))
        drill = await released(store, said(drill=True), people(10), 2)
        for _ in range(3):
            dispatcher.wake()
            await asyncio.sleep(0)
        assert dispatcher.outlets["sms", False].backlog > 0
        assert drill_sms.got == []
        assert sms.hold is not None
        sms.hold.set()
        await until(all_in(store, real.id, {DeliveryState.SENT: 600}))
        await until(all_in(store, drill.id, {DeliveryState.SENT: 10}))


# ── flipped ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@SIDES
@FLIPS
async def test_a_flag_flipped_before_the_sending_leaves_by_neither(store: Store, what: str, drill: bool) -> None:
    right, wrong = Provider(), Provider()
    warning = await released(store, said(drill=drill), people(300))
    await flip(store, what, warning.id)
    async with dispatching(store, Clock(), **own(drill=drill, providers=(right, wrong))) as (dispatcher, context):
        await until(all_in(store, warning.id, {DeliveryState.FAILED: 300}))
        await finish(context)
        assert dispatcher.mixed == 300
    assert await codes(store, warning.id) == {(DeliveryState.FAILED, MIXED)}
    assert right.got == wrong.got == []
    assert "warning.drill_mixed" in await told_of(store, warning.id)


@SIDES
@pytest.mark.parametrize("what", ["column", "status"])
async def test_a_flag_flipped_ends_also_where_nobody_sends_the_side_it_says(
    store: Store, what: str, drill: bool
) -> None:
    """Else it would wait for a provider there until it expired, and a real one with it."""
    right = Provider()
    warning = await released(store, said(drill=drill), people(30))
    await flip(store, what, warning.id)
    async with dispatching(store, Clock(), **{"drill_sms" if drill else "sms": right}):
        await until(all_in(store, warning.id, {DeliveryState.FAILED: 30}))
    assert await codes(store, warning.id) == {(DeliveryState.FAILED, MIXED)}
    assert right.got == []


@SIDES
@pytest.mark.parametrize("what", ["column", "status", "message"])
async def test_a_flag_flipped_in_the_middle_stops_the_rest(store: Store, what: str, drill: bool) -> None:
    right, wrong = Provider(hold=asyncio.Event()), Provider()
    warning = await released(store, said(drill=drill), people(3000))
    async with dispatching(store, Clock(), window=16, **own(drill=drill, providers=(right, wrong))):
        await until(lambda: _true(right.under_way == 8))
        await flip(store, what, warning.id)
        assert right.hold is not None
        right.hold.set()
        await until(lambda: _ended(store, warning.id, 3000))
    found = await counts(store, warning.id)
    assert set(found) <= {DeliveryState.SENT, DeliveryState.FAILED}
    assert found[DeliveryState.FAILED] >= 744, "the last chunk found it out"
    assert found[DeliveryState.SENT] == len(right.got)
    assert {one.bulletin.drill for one in right.got} == {drill}
    assert (DeliveryState.FAILED, MIXED) in await codes(store, warning.id)
    assert wrong.got == []


@SIDES
@FLIPS
async def test_a_flag_flipped_before_a_retry_ends_it(store: Store, what: str, drill: bool) -> None:
    """Another process takes it up, and nothing of before is in its memory."""
    right, wrong, clock = Provider(answer=lambda _: TryAgain(code="503", reason="忙")), Provider(), Clock()
    warning = await released(store, said(drill=drill), people(3))
    async with dispatching(store, clock, **own(drill=drill, providers=(right, wrong))):
        await until(lambda: _waits_for_a_retry(store, 3))
    await flip(store, what, warning.id)
    clock.pass_(seconds=30)
    right.answer = lambda _: Accepted(ref="1")
    async with dispatching(store, clock, **own(drill=drill, providers=(right, wrong))):
        await until(all_in(store, warning.id, {DeliveryState.FAILED: 3}))
    assert await codes(store, warning.id) == {(DeliveryState.FAILED, MIXED)}
    assert (len(right.got), wrong.got) == (3, [])
    assert "warning.drill_mixed" in await told_of(store, warning.id)


@SIDES
@FLIPS
async def test_a_flag_flipped_before_a_crash_is_mended_ends_all_and_what_may_have_left_is_not_called_unsent(
    store: Store, what: str, drill: bool
) -> None:
    right, wrong = Provider(hold=asyncio.Event()), Provider()
    warning = await released(store, said(drill=drill), people(100))
    async with dispatching(store, Clock(), window=16, **own(drill=drill, providers=(right, wrong))):
        await until(lambda: _true(right.under_way == 8))
    await flip(store, what, warning.id)
    again = Provider()
    async with dispatching(store, Clock(), window=16, **own(drill=drill, providers=(again, wrong))):
        await until(lambda: _ended(store, warning.id, 100))
    found = await counts(store, warning.id)
    assert set(found) == {DeliveryState.UNKNOWN, DeliveryState.FAILED}
    assert 8 <= found[DeliveryState.UNKNOWN] <= 16
    assert await codes(store, warning.id) == {(DeliveryState.UNKNOWN, MIXED), (DeliveryState.FAILED, MIXED)}
    assert again.got == wrong.got == []


async def test_a_drill_whose_provider_is_gone_after_a_crash_or_before_a_retry_is_suppressed(store: Store) -> None:
    held, busy = Provider(hold=asyncio.Event()), Provider(answer=lambda _: TryAgain(code="503", reason="忙"))
    sms, clock = Provider(), Clock()
    drill = await released(store, said(drill=True), both(people(40), gateways(3)))
    async with dispatching(store, clock, window=16, drill_sms=held, drill_broadcast=busy):
        await until(lambda: _true(held.under_way == 8))
        await until(lambda: _waits_for_a_retry(store, 3))
    clock.pass_(seconds=60)
    async with dispatching(store, clock, sms=sms):
        await until(lambda: _ended(store, drill.id, 43))
    found = await counts(store, drill.id)
    assert set(found) == {DeliveryState.SUPPRESSED, DeliveryState.UNKNOWN}
    assert {code for _, code in await codes(store, drill.id)} == {"no_drill_provider"}
    assert sms.got == []


@SIDES
async def test_a_chain_that_says_otherwise_stops_its_versions(store: Store, drill: bool) -> None:
    """Were one of a chain turned over whole, hashes and all, its company would still know what it is."""
    right, wrong = Provider(), Provider()
    one = await released(store, said(drill=drill), people(3))
    other = await released(store, said(drill=not drill), people(3), 2)
    await run(store, f"UPDATE warnings SET chain_id = '{other.id}' WHERE id = :w", one.id)
    async with dispatching(store, Clock(), **own(drill=drill, providers=(right, wrong))):
        for warning in (one, other):
            await until(all_in(store, warning.id, {DeliveryState.FAILED: 3}))
            assert await codes(store, warning.id) == {(DeliveryState.FAILED, MIXED)}
    assert right.got == wrong.got == []


@SIDES
async def test_a_flag_flipped_elsewhere_in_the_chain_silences_nobody_else(store: Store, drill: bool) -> None:
    """One bit of an earlier version is that version's fault: the next one, which is whole, must arrive."""
    right, wrong = Provider(), Provider()
    before = await released(store, said(drill=drill), people(3))
    after = await released(store, said(drill=drill), people(4), 2)
    await run(store, f"UPDATE warnings SET chain_id = '{before.id}' WHERE id = :w", after.id)
    await flip(store, "column", before.id)
    async with dispatching(store, Clock(), **own(drill=drill, providers=(right, wrong))):
        await until(all_in(store, before.id, {DeliveryState.FAILED: 3}))
        await until(all_in(store, after.id, {DeliveryState.SENT: 4}))
    assert wrong.got == []


@SIDES
async def test_a_lane_flipped_changes_the_order_and_not_the_side(store: Store, drill: bool) -> None:
    right, wrong = Provider(), Provider()
    warning = await released(store, said(drill=drill), people(20))
    await flip(store, noise.HARMLESS, warning.id)
    async with dispatching(store, Clock(), **own(drill=drill, providers=(right, wrong))):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 20}))
    assert wrong.got == []


@pytest.mark.parametrize("blob", [b"", b"\0\1", zlib.compress(b"JA00001")], ids=["empty", "noise", "other words"])
async def test_a_list_that_nobody_can_read_stops_itself_and_nobody_else(store: Store, blob: bytes) -> None:
    sms = Provider()
    broken = await released(store, said(drill=False), people(3))
    after = await released(store, said(drill=False), people(4), 2)
    async with store.begin() as tx:
        await tx.execute(text("UPDATE chunks SET packed = :b WHERE warning_id = :w"), {"b": blob, "w": broken.id})
    async with dispatching(store, Clock(), sms=sms) as (_, context):
        await until(all_in(store, after.id, {DeliveryState.SENT: 4}))
        await finish(context)
    assert {one.bulletin.warning_id for one in sms.got} == {after.id}
    assert "warning.plan_changed" in await told_of(store, broken.id)
    assert await counts(store, broken.id) == {}


async def test_words_changed_are_called_words_and_not_drill_and_live(store: Store) -> None:
    sms = Provider()
    warning = await released(store, said(drill=False), people(3))
    await run(store, "UPDATE warnings SET headline = '别的' WHERE id = :w", warning.id)
    async with dispatching(store, Clock(), sms=sms) as (dispatcher, _):
        await until(all_in(store, warning.id, {DeliveryState.FAILED: 3}))
        assert dispatcher.mixed == 0
    assert await codes(store, warning.id) == {(DeliveryState.FAILED, "plan_changed")}
    assert "warning.plan_changed" in await told_of(store, warning.id)


@SIDES
async def test_what_was_called_off_is_withdrawn_whatever_was_flipped(store: Store, drill: bool) -> None:
    right, wrong = Provider(), Provider()
    warning = await released(store, said(drill=drill), people(10))
    await flip(store, "status", warning.id)
    async with dispatching(store, Clock()) as (_, context):
        async with store.begin() as tx:
            assert await end(context, tx, warning.id, WarningState.CANCELLED)
        told(context, warning.id, WarningState.CANCELLED)
    async with dispatching(store, Clock(), **own(drill=drill, providers=(right, wrong))):
        await until(lambda: _ended(store, warning.id, 10))
    assert set(await counts(store, warning.id)) <= {DeliveryState.WITHDRAWN, DeliveryState.FAILED}
    assert right.got == wrong.got == []


async def _true(value: bool) -> bool:
    return value


async def _ended(store: Store, warning_id: str, rows: int) -> bool:
    found = await counts(store, warning_id)
    return DeliveryState.PLANNED not in found and sum(found.values()) == rows


async def _waits_for_a_retry(store: Store, rows: int) -> bool:
    async with store.read() as tx:
        found = await tx.execute(text("SELECT count(*) FROM deliveries WHERE due_at IS NOT NULL"))
        return bool(found.scalar_one() == rows)

"""The sender on a real database: what it must never lose, repeat unflagged, or send too late."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from msgspec import structs
from sqlalchemy import func, select, text

from channels.contract import Accepted, Blame, Message, NotKnown, Outcome, Refused, TryAgain
from dispatcher.model import Channel, Kind, Level, Why
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.settle import finish
from dispatcher.pipeline.withdraw import end, told
from dispatcher.sending import dispatch
from dispatcher.sending.calling import Wire
from dispatcher.sending.dispatch import Dispatcher, Identity
from dispatcher.sending.live import Desk
from dispatcher.sending.opened import Address, Lookup
from dispatcher.sending.writer import Writer
from dispatcher.service.assembly import event_code_of
from dispatcher.states import DeliveryState, WarningState
from dispatcher.store import chunks, deliveries, ledger, nodes, warnings
from dispatcher.store.chunks import Holder
from dispatcher.store.deliveries import Attempt, Row, Settled
from dispatcher.store.engine import Store
from dispatcher.store.packing import unpack
from dispatcher.store.sealed import Seal
from dispatcher.store.tables import deliveries as deliveries_table
from dispatcher.store.tries import tries_of
from dispatcher.store.warnings import WarningRow
from tests.city import NOW, Clock, Provider, both, gateways, people, red, released, settings

SEAL = Seal(bytes(32))


async def find(rows: Sequence[Row]) -> dict[str, Address]:
    return {row.target: Address(to="+8615400000000", peer="1") for row in rows}


@asynccontextmanager
async def dispatching(
    store: Store, clock: Clock, window: int = 64, lookup: Lookup = find, **providers: Provider
) -> AsyncIterator[tuple[Dispatcher, Context]]:
    """A running sender over providers by channel, `drill_sms` for a drill's; killed, not drained, at the end of the block: as
    kill -9 would."""
    ours = settings()
    async with store.begin() as tx:
        epoch = await nodes.enter(tx, "node-1", clock())
    desk = Desk(ours.policy, ours.service.sender_name, partial(event_code_of, ours.hazards))
    dispatcher = Dispatcher(store, Identity(node="node-1", epoch=epoch), desk, clock, lambda: 0.5)
    wires = {}
    for name, provider in providers.items():
        drill = name.startswith("drill_")
        wire = Wire(name=name, way=provider, in_flight=8, window=window, timeout_s=5, rate=10_000, drill=drill)
        wires[Channel(name.removeprefix("drill_")), drill] = [wire]
    dispatcher.connect(wires, lookup)
    context = Context(settings=ours, store=store, seal=SEAL, now=clock, wake=dispatcher.wake, ended=dispatcher.end)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(dispatcher.run())
        try:
            yield dispatcher, context
        finally:
            running.cancel()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await holds():
            await asyncio.sleep(0.01)


async def counts(store: Store, warning_id: str) -> dict[DeliveryState, int]:
    async with store.read() as tx:
        found: Counter[DeliveryState] = Counter()
        for count in await ledger.counts(tx, warning_id):
            found[count.state] += count.rows
    return dict(found)


def all_in(store: Store, warning_id: str, expected: dict[DeliveryState, int]) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return await counts(store, warning_id) == expected

    return holds


async def test_everybody_on_the_list_is_sent_to_once(store: Store) -> None:
    sms, loud = Provider(), Provider(answer=lambda _: Accepted(ref="2", delivered=True))
    warning = await released(store, red(), both(people(700), gateways(5)))
    async with dispatching(store, Clock(), sms=sms, broadcast=loud) as (_, context):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 700, DeliveryState.DELIVERED: 5}))
        await finish(context)
    assert len(sms.got) == len(set(sms.ids)) == 700
    assert sorted(message.serial for message in loud.got) == [1, 2, 3, 4, 5]
    async with store.read() as tx:
        row = await warnings.one(tx, warning.id)
        assert row is not None
        assert row.state == WarningState.DISPATCHED
        assert await ledger.flagged(tx, warning.id) == 0


async def test_never_more_than_the_window_is_opened_and_unsettled(store: Store) -> None:
    sms = Provider(hold=asyncio.Event())
    warning = await released(store, red(), people(300))
    async with dispatching(store, Clock(), window=16, sms=sms) as (dispatcher, _):
        await until(lambda: _true(sms.under_way == 8))
        assert dispatcher.unsettled <= 16
        async with store.read() as tx:
            opened = (await tx.execute(text("SELECT max(opened_to) FROM chunks"))).scalar_one()
        assert opened <= 16
        assert sms.hold is not None
        sms.hold.set()
        await until(all_in(store, warning.id, {DeliveryState.SENT: 300}))
    assert sms.most_under_way <= 8


async def test_a_crash_leaves_exactly_the_opened_rows_in_doubt_and_each_is_sent_again_flagged(store: Store) -> None:
    first, second = Provider(hold=asyncio.Event()), Provider()
    warning = await released(store, red(), people(120))
    async with dispatching(store, Clock(), window=16, sms=first):
        await until(lambda: _true(first.under_way == 8))
    async with dispatching(store, Clock(), window=16, sms=second):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 120}))
    twice = set(first.ids) & set(second.ids)
    async with store.read() as tx:
        page = await ledger.page(tx, warning.id, None)
        flagged = {f"{e.warning_id}.{e.target}.{e.channel}.{e.round}" for e in page if e.possible_duplicate}
        doubtful = await tries_of(tx, warning.id, [entry.target for entry in page if entry.possible_duplicate])
    assert twice <= flagged
    assert 8 <= len(flagged) <= 16
    assert len(second.got) == 120
    assert {attempts[0].outcome for attempts in doubtful.values()} == {"in_doubt"}


async def test_a_refused_number_fails_with_its_code_and_is_not_tried_again(store: Store) -> None:
    sms = Provider(answer=lambda _: Refused(code="21211", reason="号码无效", blame=Blame.ADDRESS))
    warning = await released(store, red(), people(3))
    async with dispatching(store, Clock(), sms=sms) as (_, context):
        await until(all_in(store, warning.id, {DeliveryState.FAILED: 3}))
        await finish(context)
        await finish(context)
    assert len(sms.got) == 3
    async with store.read() as tx:
        entries = await ledger.page(tx, warning.id, None)
        row = await warnings.one(tx, warning.id)
    assert {entry.state_code for entry in entries} == {"21211"}
    assert row is not None
    assert row.state == WarningState.COMPLETED


async def test_what_did_not_leave_is_tried_again_when_it_is_due(store: Store) -> None:
    failing = {"left": 2}

    def answer(_message: object) -> TryAgain | Accepted:
        failing["left"] -= 1
        return TryAgain(code="503", reason="忙") if failing["left"] >= 0 else Accepted(ref="1")

    sms, clock = Provider(answer=answer), Clock()
    warning = await released(store, red(), people(1))
    async with dispatching(store, clock, sms=sms) as (dispatcher, _):
        for tries in (1, 2):
            await until(lambda tries=tries: _true(len(sms.got) == tries))  # type: ignore[misc]
            await until(lambda: _due(store))
            clock.pass_(seconds=5)
            dispatcher.wake()
        await until(all_in(store, warning.id, {DeliveryState.SENT: 1}))
    async with store.read() as tx:
        attempts = await tries_of(tx, warning.id, ["officer-JA00000"])
    assert [(attempt.no, attempt.outcome) for attempt in next(iter(attempts.values()))] == [
        (1, "try_again"),
        (2, "try_again"),
        (3, "accepted"),
    ]
    assert len(set(sms.ids)) == 1


async def test_a_result_not_known_is_repeated_and_flagged_for_red_and_left_unknown_for_blue(store: Store) -> None:
    lost = Provider(answer=lambda _: NotKnown(code="timeout", reason="超时"))
    warning = await released(store, red(level=Level.BLUE), people(2))
    async with dispatching(store, Clock(), sms=lost):
        await until(all_in(store, warning.id, {DeliveryState.UNKNOWN: 2}))
    assert len(lost.got) == 2
    urgent, clock = await released(store, red(), people(1), number=2), Clock()
    async with dispatching(store, clock, sms=lost) as (dispatcher, _):
        await until(lambda: _due(store))
        lost.answer = lambda _: Accepted(ref="1")
        clock.pass_(seconds=5)
        dispatcher.wake()
        await until(all_in(store, urgent.id, {DeliveryState.SENT: 1}))
    async with store.read() as tx:
        assert await ledger.flagged(tx, urgent.id) == 1


async def test_nothing_is_sent_after_the_warning_has_expired(store: Store) -> None:
    sms, clock = Provider(), Clock()
    warning = await released(store, red(), people(50))
    clock.pass_(hours=7)
    async with dispatching(store, clock, sms=sms):
        await until(all_in(store, warning.id, {DeliveryState.EXPIRED: 50}))
    assert sms.got == []


async def test_a_warning_called_off_in_the_middle_stops_at_once(store: Store) -> None:
    sms = Provider(hold=asyncio.Event())
    warning = await released(store, red(), people(300))
    async with dispatching(store, Clock(), window=16, sms=sms) as (_, context):
        await until(lambda: _true(sms.under_way == 8))
        async with store.begin() as tx:
            assert await end(context, tx, warning.id, WarningState.CANCELLED)
        told(context, warning.id, WarningState.CANCELLED)
        assert sms.hold is not None
        sms.hold.set()
        await until(lambda: _none_planned(store, warning.id))
    found = await counts(store, warning.id)
    assert len(sms.got) == found[DeliveryState.SENT] <= 16
    assert sum(found.values()) == 300


async def test_what_nobody_can_send_waits_and_ends_with_its_warning(store: Store) -> None:
    sms = Provider()
    warning = await released(store, red(), both(people(5), gateways(3)))
    async with dispatching(store, Clock(), sms=sms) as (_, context):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 5, DeliveryState.PLANNED: 3}))
        async with store.begin() as tx:
            assert await end(context, tx, warning.id, WarningState.CANCELLED)
        told(context, warning.id, WarningState.CANCELLED)
        context.wake()
        await until(all_in(store, warning.id, {DeliveryState.SENT: 5, DeliveryState.WITHDRAWN: 3}))
    async with store.read() as tx:
        assert await ledger.unplanned(tx, warning.id) == []


async def test_a_yellow_waits_at_the_loudspeakers_for_the_end_of_the_quiet_hours(store: Store) -> None:
    clock, loud, sms = Clock(), Provider(), Provider()
    clock.at = NOW.replace(hour=13, minute=58)  # 21:58 in Ji'an
    late = clock.at + timedelta(hours=12)
    told_by_day = await released(store, red(level=Level.YELLOW, expires=late), gateways(2))
    async with dispatching(store, clock, broadcast=loud, sms=sms):
        await until(all_in(store, told_by_day.id, {DeliveryState.SENT: 2}))
        clock.pass_(minutes=2)
        by_night = await released(store, red(level=Level.YELLOW, expires=late), both(gateways(3), people(1)), 2)
        over_by_six = await released(store, red(level=Level.BLUE, expires=clock() + timedelta(hours=7)), gateways(1), 3)
        allowed = await released(store, red(level=Level.BLUE, expires=late, sound_at_night=True), gateways(1), 4)
        await until(all_in(store, by_night.id, {DeliveryState.PLANNED: 3, DeliveryState.SENT: 1}))
        await until(all_in(store, over_by_six.id, {DeliveryState.SUPPRESSED: 1}))
        await until(all_in(store, allowed.id, {DeliveryState.SENT: 1}))
        clock.pass_(hours=7, minutes=59)
        await until(lambda: _true(len(sms.got) == 1))
        assert len(loud.got) == 3
        clock.pass_(minutes=2)
        await until(all_in(store, by_night.id, {DeliveryState.SENT: 4}))
    assert len(loud.got) == 6


async def test_a_loudspeaker_that_is_outside_now_falls_silent_at_once_also_by_night(store: Store) -> None:
    clock, loud = Clock(), Provider()
    every = gateways(3).members
    outside = replace(gateways(0), former=(structs.replace(every[2], why=Why.FORMER),), members=every[:2])
    warning = await released(store, red(level=Level.YELLOW, expires=clock() + timedelta(hours=12)), outside)
    async with dispatching(store, clock, broadcast=loud):
        await until(all_in(store, warning.id, {DeliveryState.PLANNED: 2, DeliveryState.SENT: 1}))
        assert [message.former for message in loud.got] == [True]
        clock.pass_(hours=4)
        await until(all_in(store, warning.id, {DeliveryState.SENT: 3}))


async def test_a_loudspeaker_that_was_down_is_not_tried_again_by_night(store: Store) -> None:
    clock, loud = Clock(), Provider(answer=lambda _: TryAgain(code="503", reason="忙"))
    clock.at = NOW.replace(hour=13, minute=59, second=58)
    warning = await released(store, red(level=Level.YELLOW, expires=clock.at + timedelta(hours=12)), gateways(1))
    async with dispatching(store, clock, broadcast=loud):
        await until(lambda: _true(len(loud.got) == 1))
        clock.pass_(minutes=1)
        await until(lambda: _waits(store, warning.id))
        assert len(loud.got) == 1


async def _waits(store: Store, warning_id: str) -> bool:
    async with store.read() as tx:
        return [entry.state_code for entry in await ledger.page(tx, warning_id, None)] == ["quiet_hours"]


async def test_what_may_have_arrived_is_not_called_withdrawn(store: Store) -> None:
    clock, sms = Clock(), Provider(answer=lambda _: NotKnown(code="timeout", reason="没有应答"))
    warning = await released(store, red(), people(3))
    async with dispatching(store, clock, sms=sms) as (_, context):
        await until(lambda: _true(len(sms.got) == 3))
        await until(lambda: _retries(store, warning.id))
        async with store.begin() as tx:
            assert await end(context, tx, warning.id, WarningState.CANCELLED)
        assert await counts(store, warning.id) == {DeliveryState.UNKNOWN: 3}


async def _retries(store: Store, warning_id: str) -> bool:
    async with store.read() as tx:
        return all(entry.due_at for entry in await ledger.page(tx, warning_id, None))


@pytest.mark.parametrize("column", ["headline", "event", "sender"])
async def test_words_changed_after_the_approval_are_not_sent(store: Store, column: str) -> None:
    sms = Provider()
    warning = await released(store, red(), people(3))
    async with store.begin() as tx:
        await tx.execute(text(f"UPDATE warnings SET {column} = '别的' WHERE id = '{warning.id}'"))
    async with dispatching(store, Clock(), sms=sms):
        await until(all_in(store, warning.id, {DeliveryState.FAILED: 3}))
    assert not sms.got


async def test_an_answer_no_column_takes_costs_its_words_and_not_the_result(postgres_store: Store) -> None:
    warning = await released(postgres_store, red(), people(2))
    holder = Holder(node="node-1", epoch=1)
    writer = Writer(postgres_store, lambda: holder, Clock())
    async with postgres_store.begin() as tx:
        chunk = await chunks.take(tx, "sms", holder)
        assert chunk is not None
        rows = await deliveries.plan(tx, chunk, unpack(chunk.packed), 0, None)
    tries = [
        Attempt(no=1, provider="x", started_at=NOW, ended_at=NOW, outcome="accepted", reason=reason)
        for reason in ("好", "\0")
    ]
    results = [
        Settled(chunk_id=chunk.id, row=row, state=DeliveryState.SENT, at=NOW, attempt=attempt)
        for row, attempt in zip(rows, tries, strict=True)
    ]
    writer.settle(results, [chunk.id])
    await writer.flush()
    assert await counts(postgres_store, warning.id) == {DeliveryState.SENT: 2}


async def test_a_red_overtakes_a_blue_fan_out(store: Store) -> None:
    sms = Provider(hold=asyncio.Event())
    await released(store, red(level=Level.BLUE), people(2000), number=1)
    async with dispatching(store, Clock(), window=16, sms=sms) as (dispatcher, _):
        await until(lambda: _true(sms.under_way == 8))
        urgent = await released(store, red(), people(40), number=2)
        dispatcher.wake()
        await until(lambda: _taken(store, urgent.id))
        assert sms.hold is not None
        sms.hold.set()
        await until(all_in(store, urgent.id, {DeliveryState.SENT: 40}))
        reds = [number for number, message in enumerate(sms.got) if message.bulletin.warning_id == urgent.id]
        assert reds[-1] < 16 + 40 + 16


async def test_all_of_a_red_is_planned_while_blue_fills_the_memory(store: Store) -> None:
    """Else each of its chunks is begun only when the one before it is through, and blue ones leave meanwhile."""
    sms = Provider(hold=asyncio.Event())
    await released(store, red(level=Level.BLUE), people(3_000), number=1)
    async with dispatching(store, Clock(), window=16, sms=sms) as (dispatcher, _):
        await until(lambda: _true(dispatcher.outlets[Channel.SMS, False].backlog >= 2_000))
        urgent = await released(store, red(), people(600), number=2)
        dispatcher.wake()
        await until(lambda: _laid_out(store, urgent.id, 600))


async def test_the_rest_of_a_red_is_planned_as_soon_as_there_is_room_for_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not when the planner looks by itself, once a second."""
    monkeypatch.setattr(dispatch, "LOOK_S", 60.0)
    sms = Provider(hold=asyncio.Event())
    await released(store, red(level=Level.BLUE), people(3_000), number=1)
    async with dispatching(store, Clock(), sms=sms) as (dispatcher, _):
        await until(lambda: _true(dispatcher.outlets[Channel.SMS, False].backlog >= 2_000))
        urgent = await released(store, red(), people(3_300), number=2)
        dispatcher.wake()
        await until(lambda: _laid_out(store, urgent.id, 256 + 1_000 + 1_000))
        assert sms.hold is not None
        sms.hold.set()
        await until(all_in(store, urgent.id, {DeliveryState.SENT: 3_300}))


async def test_a_plan_changed_after_its_approval_is_not_sent(store: Store) -> None:
    sms = Provider()
    warning = await released(store, red(), people(10))
    async with store.begin() as tx:
        await tx.execute(text("UPDATE texts SET body = '大家回家睡觉'"))
    async with dispatching(store, Clock(), sms=sms):
        await until(all_in(store, warning.id, {DeliveryState.FAILED: 10}))
    assert sms.got == []


async def test_a_drained_sender_leaves_no_row_in_doubt(store: Store) -> None:
    sms, again = Provider(), Provider()
    warning = await released(store, red(), people(2000))
    async with dispatching(store, Clock(), sms=sms) as (dispatcher, _):
        await until(lambda: _true(len(sms.got) > 100))
        assert await dispatcher.drain()
    async with dispatching(store, Clock(), sms=again):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 2000}))
    async with store.read() as tx:
        assert await ledger.flagged(tx, warning.id) == 0
    assert len(sms.got) + len(again.got) == 2000


async def test_a_database_that_is_away_while_phones_are_looked_up_stops_nothing(store: Store) -> None:
    broken = {"left": 3}

    async def sometimes(rows: Sequence[Row]) -> dict[str, Address]:
        broken["left"] -= 1
        if broken["left"] >= 0:
            raise ConnectionResetError("the database's line was cut")
        return await find(rows)

    sms = Provider()
    warning = await released(store, red(), people(40))
    async with dispatching(store, Clock(), lookup=sometimes, sms=sms):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 40}))
    assert len(sms.got) == 40


@pytest.mark.parametrize("level", [Level.RED, Level.YELLOW])
async def test_expiry_bounds_every_retry(store: Store, level: Level) -> None:
    sms = Provider(answer=lambda _: TryAgain(code="503", reason="忙", after_s=3600))
    warning = await released(store, replace(red(level=level), expires=Clock().at + timedelta(minutes=30)), people(2))
    async with dispatching(store, Clock(), sms=sms):
        await until(all_in(store, warning.id, {DeliveryState.EXPIRED: 2}))


class Running(Clock):
    """It goes with the real one."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def __call__(self) -> datetime:
        return self.at + timedelta(seconds=time.monotonic() - self._began)


async def test_retries_that_fall_due_one_after_another_are_taken_up_together(store: Store) -> None:
    """Each time is a transaction between the results of those who are being told."""
    asked: Counter[str] = Counter()

    def later(message: Message) -> Outcome:
        asked[message.id] += 1
        if asked[message.id] > 1:
            return Accepted(ref="1")
        return TryAgain(code="429", reason="太快", after_s=1 + len(asked) / 300, throttled=True)

    sms = Provider(answer=later)
    warning = await released(store, red(), people(300))
    async with dispatching(store, Running(), sms=sms):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 300}))
    async with store.read() as tx:
        times = (await tx.execute(text("SELECT count(*) FROM chunks WHERE seq < 0"))).scalar_one()
    assert times <= 25, "in two seconds"


async def _true(value: bool) -> bool:
    return value


async def _due(store: Store) -> bool:
    async with store.read() as tx:
        return (await tx.execute(text("SELECT count(*) FROM deliveries WHERE due_at IS NOT NULL"))).scalar_one() > 0


async def _none_planned(store: Store, warning_id: str) -> bool:
    return DeliveryState.PLANNED not in await counts(store, warning_id)


async def _laid_out(store: Store, warning_id: str, rows: int) -> bool:
    async with store.read() as tx:
        mine = select(func.count()).where(deliveries_table.c.warning_id == warning_id)
        return bool((await tx.execute(mine)).scalar_one() == rows)


async def _taken(store: Store, warning_id: str) -> bool:
    async with store.read() as tx:
        statement = text("SELECT count(*) FROM chunks WHERE warning_id = :w AND state = 1")
        return (await tx.execute(statement, {"w": warning_id})).scalar_one() == 0


async def test_nobody_hears_the_correction_before_what_it_corrects(store: Store) -> None:
    """Both stand open at once, and the second is the more urgent: it waits for the call under way."""
    sms = Provider(hold=asyncio.Event())
    first = await released(store, red(), people(1), number=1)
    async with dispatching(store, Clock(), sms=sms) as (dispatcher, _):
        await until(lambda: _true(sms.under_way == 1))
        second = await released(store, red(kind=Kind.CANCEL), people(2), number=2)
        dispatcher.wake()
        await until(lambda: _true(sms.under_way == 2))
        assert {message.id.split(".")[1] for message in sms.got} == {"officer-JA00000", "officer-JA00001"}
        assert sms.hold is not None
        sms.hold.set()
        await until(all_in(store, second.id, {DeliveryState.SENT: 2}))
    heard = [message.bulletin.warning_id for message in sms.got if ".officer-JA00000." in message.id]
    assert heard == [first.id, second.id]


async def test_a_second_crash_doubts_nobody_who_was_not_called_again(store: Store) -> None:
    """What the first crash left in doubt waits in a chunk of its own, and is opened again before it is called again."""
    first, second, third = Provider(hold=asyncio.Event()), Provider(hold=asyncio.Event()), Provider()
    warning = await released(store, red(), people(60))
    async with dispatching(store, Clock(), window=16, sms=first):
        await until(lambda: _true(first.under_way == 8))
    async with dispatching(store, Clock(), window=16, sms=second) as (dispatcher, _):
        await until(lambda: _true(second.under_way == 8))
        assert dispatcher.unsettled <= 16
    async with dispatching(store, Clock(), window=16, sms=third):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 60}))
    async with store.read() as tx:
        rows = (
            await tx.execute(
                text("SELECT target, count(*) AS n FROM attempts WHERE outcome = 'in_doubt' GROUP BY target")
            )
        ).all()
    twice = [row.target for row in rows if row.n > 1]
    called_twice = {m.id.split(".")[1] for m in first.got} & {m.id.split(".")[1] for m in second.got}
    assert set(twice) <= called_twice, "doubted twice, and not called in between"
    assert len(rows) <= 32


@asynccontextmanager
async def standing_still(
    store: Store, count: int, window: int
) -> AsyncIterator[tuple[WarningRow, Provider, Dispatcher]]:
    """A sender whose eight calls are not answered before `hold` is set."""
    sleepy = Provider(hold=asyncio.Event())
    warning = await released(store, red(), people(count))
    async with dispatching(store, Clock(), window=window, sms=sleepy) as (dispatcher, _):
        await until(lambda: _true(sleepy.under_way == 8))
        yield warning, sleepy, dispatcher


async def taken_over(store: Store, *, and_left: bool = False) -> None:
    """The chunk's lease is over and another node takes it; `and_left`: and stands still in turn."""
    over = text("UPDATE chunks SET lease_until = now() - interval '1 second'")
    async with store.begin() as tx:
        await tx.execute(over)
        assert await chunks.reclaim(tx, Holder(node="heir", epoch=1), ["sms"]) is not None
        if and_left:
            await tx.execute(over)


def let_go(sleepy: Provider) -> None:
    assert sleepy.hold is not None
    sleepy.hold.set()


async def test_a_process_that_stood_still_past_its_lease_sends_nothing_that_another_has_taken(
    postgres_store: Store,
) -> None:
    """The clock jumps over the lease while calls are opened; meanwhile another node took the chunk and heard a cancel."""
    async with standing_still(postgres_store, 60, window=32) as (warning, sleepy, dispatcher):
        dispatcher.lease.renewed(-1000.0)
        await taken_over(postgres_store)
        let_go(sleepy)
        await until(lambda: _true(sleepy.under_way == 0))
        await until(lambda: _true(dispatcher.lease.holds))
        await until(lambda: _true(dispatcher.unsettled == 0))
    assert len(sleepy.got) == 8, "the calls under way, and not one more"
    assert (await counts(postgres_store, warning.id)) == {DeliveryState.PLANNED: 60}


async def test_a_process_that_takes_back_what_another_had_meanwhile_forgets_what_it_held_of_it(
    postgres_store: Store,
) -> None:
    """Two stood still in turn: the first one's calls and opened rows belong to a claim that is over."""
    async with standing_still(postgres_store, 60, window=32) as (warning, sleepy, dispatcher):
        await taken_over(postgres_store, and_left=True)
        await until(lambda: _has_doubt(postgres_store))
        let_go(sleepy)
        await until(all_in(postgres_store, warning.id, {DeliveryState.SENT: 60}))
        await until(lambda: _true(dispatcher.unsettled == 0))
    calls = Counter(message.id for message in sleepy.got)
    assert len(calls) == 60
    assert sum(calls.values()) <= 60 + 8, "once more only those whose call was under way"


async def test_a_slice_asked_for_before_its_chunk_is_taken_back_is_sent_once(postgres_store: Store) -> None:
    """Its mark is moved, for the chunk is ours again; but whoever took it back has laid out the same rows anew."""
    async with standing_still(postgres_store, 16, window=8) as (warning, sleepy, dispatcher):
        async with postgres_store.begin() as tx:
            await tx.execute(text("SELECT 1 FROM deliveries WHERE pos = 0 FOR UPDATE"))
            await taken_over(postgres_store, and_left=True)
            dispatcher.wake()
            await until(lambda: _waits_for_a_lock(postgres_store))  # whoever takes it back, before it is committed
            let_go(sleepy)
            await until(lambda: _true(sleepy.under_way == 0 and dispatcher.outlets["sms", False].backlog == 0))
        await until(all_in(postgres_store, warning.id, {DeliveryState.SENT: 16}))
        await until(lambda: _true(dispatcher.unsettled == 0))
    calls = Counter(message.id for message in sleepy.got)
    assert len(calls) == 16
    twice = {name for name, times in calls.items() if times > 1}
    assert twice <= set(sleepy.ids[:8]), "once more only those whose call was under way"
    assert sum(calls.values()) <= 16 + 8


async def _has_doubt(store: Store) -> bool:
    async with store.read() as tx:
        return bool((await tx.execute(select(func.count()).where(deliveries_table.c.possible_duplicate))).scalar_one())


async def _waits_for_a_lock(store: Store) -> bool:
    async with store.read() as tx:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool((await tx.execute(text(waiting))).scalar())

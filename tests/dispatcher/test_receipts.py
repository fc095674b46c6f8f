"""Receipts: recorded whatever they are, and only ever moving a delivery forward."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import pytest
from msgspec.structs import replace
from sqlalchemy import event, text

from channels.contract import Accepted, Asked, Message, Receipt, ReceiptState, TryAgain
from dispatcher.model import Channel, DeliveryKey, Status
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.follow import Follower
from dispatcher.pipeline.settle import NextLook, finish, take_receipts
from dispatcher.pipeline.withdraw import end
from dispatcher.receipts import ReceiptBook
from dispatcher.sending.live import Desk
from dispatcher.service.assembly import event_code_of
from dispatcher.states import DeliveryState, WarningState
from dispatcher.store import ledger, pushes, warnings
from dispatcher.store.engine import Store
from dispatcher.store.tries import tries_of
from dispatcher.store.warnings import WarningRow
from tests.city import NOW, Clock, Provider, always, gateways, people, red, released, settings
from tests.dispatcher.test_sending_dispatch import SEAL, all_in, counts, dispatching, find, until


@asynccontextmanager
async def a_book(store: Store, clock: Clock) -> AsyncIterator[ReceiptBook]:
    book = ReceiptBook(store, clock)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(book.run())
        yield book
        running.cancel()


def context_of(store: Store, clock: Clock) -> Context:
    return Context(settings=settings(), store=store, seal=SEAL, now=clock)


async def a_sent_warning(store: Store, clock: Clock, count: int = 3) -> WarningRow:
    warning = await released(store, red(), people(count))
    async with dispatching(store, clock, sms=Provider()):
        await until(all_in(store, warning.id, {DeliveryState.SENT: count}))
    return warning


async def a_warning_sent_in_two(store: Store, clock: Clock) -> WarningRow:
    """One officer at once, the other five minutes later."""
    busy = TryAgain(code="503", reason="忙")
    sms = Provider(answer=lambda message: busy if "JA00001" in message.id else Accepted(ref="1"))
    warning = await released(store, red(), people(2))
    async with dispatching(store, clock, sms=sms) as (dispatcher, _):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 1, DeliveryState.PLANNED: 1}))
        await until(lambda: _has_tries(store, warning.id, "officer-JA00001"))
        sms.answer = always(Accepted(ref="1"))
        clock.pass_(minutes=5)
        dispatcher.wake()
        await until(all_in(store, warning.id, {DeliveryState.SENT: 2}))
    return warning


def about(warning: WarningRow, *said: tuple[int, ReceiptState]) -> list[Receipt]:
    return [Receipt(id=f"{warning.id}.officer-JA{no:05d}.sms.0", state=state) for no, state in said]


async def test_a_receipt_moves_its_delivery_and_never_back(store: Store) -> None:
    clock = Clock()
    warning = await a_sent_warning(store, clock)
    async with a_book(store, clock) as book:
        done, late = ReceiptState.DELIVERED, ReceiptState.SENT
        first = about(warning, (0, done), (1, ReceiptState.UNDELIVERED), (2, done))
        assert await take_receipts(context_of(store, clock), book, Channel.SMS, first) == 0
        again = about(warning, (0, late), (0, ReceiptState.FAILED), (1, done), (2, done))
        assert await take_receipts(context_of(store, clock), book, Channel.SMS, again) == 0
    assert await counts(store, warning.id) == {DeliveryState.DELIVERED: 3}
    async with store.read() as tx:
        heard = await ledger.receipts_of(tx, warning.id, "officer-JA00000")
    assert [one.state for one in heard] == ["delivered", "sent", "failed"]


async def test_receipts_of_one_delivery_that_come_together_count_in_their_order(store: Store) -> None:
    clock = Clock()
    warning = await a_sent_warning(store, clock, 2)
    words = (ReceiptState.UNDELIVERED, ReceiptState.SENT, ReceiptState.DELIVERED, ReceiptState.DELIVERED)
    said = [one for word in words for one in about(warning, (0, word), (1, word))]
    async with a_book(store, clock) as book:
        assert await take_receipts(context_of(store, clock), book, Channel.SMS, said) == 0
    assert await counts(store, warning.id) == {DeliveryState.DELIVERED: 2}
    async with store.read() as tx:
        heard = await ledger.receipts_of(tx, warning.id, "officer-JA00001")
    assert [one.state for one in heard] == [str(word) for word in words]


async def test_whoever_comes_while_a_group_is_written_is_in_the_next_and_all_are_answered(store: Store) -> None:
    clock = Clock()
    warning = await a_sent_warning(store, clock, 40)
    async with a_book(store, clock) as book, asyncio.TaskGroup() as callers:
        for number in range(40):
            some = about(warning, (number, ReceiptState.DELIVERED))
            callers.create_task(take_receipts(context_of(store, clock), book, Channel.SMS, some))
            await asyncio.sleep(0)
    assert await counts(store, warning.id) == {DeliveryState.DELIVERED: 40}


async def test_a_receipt_that_overtakes_its_answer_is_kept(store: Store) -> None:
    clock, sms = Clock(), Provider(hold=asyncio.Event())
    warning = await released(store, red(), people(1))
    async with dispatching(store, clock, sms=sms), a_book(store, clock) as book:
        await until(lambda: _is(sms.under_way, 1))
        await take_receipts(context_of(store, clock), book, Channel.SMS, about(warning, (0, ReceiptState.DELIVERED)))
        assert await counts(store, warning.id) == {DeliveryState.DELIVERED: 1}
        assert sms.hold is not None
        sms.hold.set()
        await until(lambda: _has_tries(store, warning.id))
    async with store.read() as tx:
        (entry,) = await ledger.page(tx, warning.id, None)
    assert (entry.state, entry.provider_ref) == (DeliveryState.DELIVERED, "1")


@pytest.mark.parametrize("drill", [False, True])
async def test_what_a_provider_of_the_other_side_says_is_not_believed(store: Store, drill: bool) -> None:
    """The account for drills is shown round: whoever has it must not be able to call a real warning delivered."""
    clock = Clock()
    warning = await released(store, red(status=Status.EXERCISE if drill else Status.ACTUAL), people(2))
    async with dispatching(store, clock, **{"drill_sms" if drill else "sms": Provider()}):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 2}))
    said, context = about(warning, (0, ReceiptState.DELIVERED)), context_of(store, clock)
    async with a_book(store, clock) as book:
        for _ in range(2):
            assert await take_receipts(context, book, Channel.SMS, said, drill=not drill) == 1
            assert await counts(store, warning.id) == {DeliveryState.SENT: 2}
        assert await take_receipts(context, book, Channel.SMS, said, drill=drill) == 0
    assert await counts(store, warning.id) == {DeliveryState.SENT: 1, DeliveryState.DELIVERED: 1}


@pytest.mark.parametrize("name", ["nonsense", "1.officer-X.sms", "1.ghost-X.sms.0", "1.officer-X.pigeon.0"])
async def test_a_receipt_for_nobody_is_counted_and_harms_nothing(store: Store, name: str) -> None:
    clock = Clock()
    async with a_book(store, clock) as book:
        stranger = [Receipt(id=name, state=ReceiptState.DELIVERED)]
        assert await take_receipts(context_of(store, clock), book, Channel.SMS, stranger) == 1


async def test_whoever_never_reports_becomes_unknown_at_the_deadline_and_the_warning_is_completed(store: Store) -> None:
    clock = Clock()
    warning = await a_sent_warning(store, clock)
    context = context_of(store, clock)
    await finish(context)
    assert await _state(store, warning) == WarningState.DISPATCHED
    clock.pass_(minutes=16)
    await finish(context)
    assert await counts(store, warning.id) == {DeliveryState.UNKNOWN: 3}
    assert await _state(store, warning) == WarningState.COMPLETED


@contextmanager
def looks_for_late_receipts(store: Store) -> Iterator[list[str]]:
    """The statements that walk through a warning's rows for the oldest without a receipt."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "min(deliveries.sent_at)" in statement:
            said.append(statement)

    event.listen(store.engine.sync_engine, "before_cursor_execute", note)
    yield said
    event.remove(store.engine.sync_engine, "before_cursor_execute", note)


async def test_late_receipts_are_looked_for_once_a_deadline_and_not_at_every_tick(store: Store) -> None:
    clock, next_look = Clock(), NextLook()
    clock.pass_(minutes=5)  # it waited for its approval
    warning = await a_sent_warning(store, clock)
    with looks_for_late_receipts(store) as looks:
        while clock() < NOW + timedelta(minutes=20):
            await finish(context_of(store, clock), next_look)
            clock.pass_(seconds=30)
    assert len(looks) == 1, "a deadline after it came; and again a deadline after it was sent"
    assert await counts(store, warning.id) == {DeliveryState.SENT: 3}


async def test_everybody_is_given_up_at_the_first_look_past_a_deadline_of_their_own(store: Store) -> None:
    clock, next_look = Clock(), NextLook()
    warning, context = await a_warning_sent_in_two(store, clock), context_of(store, clock)
    for minutes, waiting in ((15, 2), (20, 1)):
        clock.at = NOW + timedelta(minutes=minutes)
        await finish(context, next_look)
        assert (await counts(store, warning.id))[DeliveryState.SENT] == waiting
        clock.pass_(seconds=0.5)
        await finish(context, next_look)
        assert (await counts(store, warning.id)).get(DeliveryState.SENT, 0) == waiting - 1
    assert await counts(store, warning.id) == {DeliveryState.UNKNOWN: 2}
    assert await _state(store, warning) == WarningState.COMPLETED


async def test_no_look_is_kept_for_a_warning_that_is_finished(store: Store) -> None:
    clock, next_look = Clock(), NextLook()
    over = await a_sent_warning(store, clock)
    context = context_of(store, clock)
    clock.pass_(minutes=16)
    under_way = await released(store, red(), people(1), number=2)
    await finish(context, next_look)
    assert await _state(store, over) == WarningState.COMPLETED
    assert {warning_id for warning_id, _ in next_look} == {over.id, under_way.id}
    await finish(context, next_look)
    assert {warning_id for warning_id, _ in next_look} == {under_way.id}


@dataclass
class Loud(Provider):
    """A gateway that says it has played, when it is asked; `silent` ones do not answer."""

    silent: int = 0
    asked: list[str] = field(default_factory=list)

    async def ask(self, batch: Sequence[Message], now: datetime) -> list[Asked]:
        self.asked += [one.id for one in batch]
        return [
            Asked(id=one.id, code="timeout", reason="没有应答", trace="?")
            if int(one.id.split("GW")[1][:5]) < self.silent
            else Asked(id=one.id, receipt=Receipt(id=one.id, state=ReceiptState.DELIVERED), trace="? !")
            for one in batch
        ]


def following(store: Store, clock: Clock, book: ReceiptBook, loud: Loud, *, drill: bool = False) -> Follower:
    return Follower(
        context=context_of(store, clock),
        book=book,
        desk=Desk(settings().policy, "吉安市应急管理局", partial(event_code_of, settings().hazards)),
        lookup=find,
        askers={Channel.BROADCAST: loud},
        now=clock,
        drill=drill,
    )


async def test_a_gateway_is_asked_until_it_has_played_and_every_question_stands_on_record(store: Store) -> None:
    clock, loud = Clock(), Loud(answer=lambda _: Accepted(ref="1"), silent=1)
    warning = await released(store, red(), gateways(3))
    async with dispatching(store, clock, broadcast=loud), a_book(store, clock) as book:
        await until(all_in(store, warning.id, {DeliveryState.SENT: 3}))
        follower = following(store, clock, book, loud)
        await follower.look()
        clock.pass_(seconds=5)
        await follower.look()
    assert await counts(store, warning.id) == {DeliveryState.DELIVERED: 2, DeliveryState.SENT: 1}
    async with store.read() as tx:
        said = [await pushes.commands(tx, f"gateway-GW{number:05d}", None, 10) for number in (0, 1)]
    assert [(one.packet, one.outcome) for one in said[0]] == [
        ("message", "accepted"),
        ("question", "silent"),
        ("question", "silent"),
    ]
    assert [(one.packet, one.outcome) for one in said[1]] == [("message", "accepted"), ("question", "answered")]


async def test_each_side_asks_its_own_gateways_about_its_own(store: Store) -> None:
    clock, loud, practice = Clock(), Loud(answer=lambda _: Accepted(ref="1")), Loud(answer=lambda _: Accepted(ref="1"))
    real = await released(store, red(), gateways(3))
    drill = await released(store, red(status=Status.EXERCISE), gateways(2), number=2)
    mixed = await released(store, red(), gateways(4), number=3)
    async with dispatching(store, clock, broadcast=loud, drill_broadcast=practice), a_book(store, clock) as book:
        for warning, count in ((real, 3), (drill, 2), (mixed, 4)):
            await until(all_in(store, warning.id, {DeliveryState.SENT: count}))
        async with store.begin() as tx:
            await tx.execute(text("UPDATE warnings SET drill = true WHERE id = :w"), {"w": mixed.id})
        for asker, is_drills in ((loud, False), (practice, True)):
            await following(store, clock, book, asker, drill=is_drills).look()
    assert {one.split(".")[0] for one in loud.asked} == {real.id}
    assert {one.split(".")[0] for one in practice.asked} == {drill.id}
    assert await counts(store, mixed.id) == {DeliveryState.SENT: 4}


async def test_a_thousand_silent_gateways_do_not_keep_the_next_one_from_being_asked(store: Store) -> None:
    clock, loud = Clock(), Loud(answer=lambda _: Accepted(ref="1"), silent=1000)
    warning = await released(store, red(), gateways(1001))
    async with dispatching(store, clock, window=256, broadcast=loud), a_book(store, clock) as book:
        await until(all_in(store, warning.id, {DeliveryState.SENT: 1001}))
        await following(store, clock, book, loud).look()
    assert await counts(store, warning.id) == {DeliveryState.SENT: 1000, DeliveryState.DELIVERED: 1}
    assert len(loud.asked) == len(set(loud.asked)) == 1001


async def test_a_warning_called_off_still_waits_for_its_receipts_and_then_gives_them_up(store: Store) -> None:
    clock = Clock()
    warning = await a_sent_warning(store, clock)
    context = context_of(store, clock)
    async with store.begin() as tx:
        assert await end(context, tx, warning.id, WarningState.CANCELLED)
    await finish(context)
    assert await counts(store, warning.id) == {DeliveryState.SENT: 3}
    clock.pass_(minutes=16)
    await finish(context)
    assert await counts(store, warning.id) == {DeliveryState.UNKNOWN: 3}
    async with store.read() as tx:
        row = await warnings.one(tx, warning.id)
        assert await warnings.unfinished(tx) == []
    assert row is not None
    assert (row.state, row.completed_at) == (WarningState.CANCELLED, clock())


async def test_a_provider_is_told_to_come_again_when_its_receipts_could_not_be_kept(sqlite_store: Store) -> None:
    clock = Clock()
    warning = await a_sent_warning(sqlite_store, clock, 1)
    reports = about(warning, (0, ReceiptState.DELIVERED))
    async with a_book(sqlite_store, clock) as book:
        await sqlite_store.close()
        broken = replace(reports[0], detail="x" * 10)
        async with sqlite_store.begin() as tx:
            await tx.exec_driver_sql("DROP TABLE receipts")
        with pytest.raises(Exception, match="receipts"):
            await take_receipts(context_of(sqlite_store, clock), book, Channel.SMS, [broken])
    assert DeliveryKey.parse(reports[0].id).channel is Channel.SMS


async def _state(store: Store, warning: WarningRow) -> str:
    async with store.read() as tx:
        row = await warnings.one(tx, warning.id)
    assert row is not None
    return row.state


async def _is(value: int, expected: int) -> bool:
    return value == expected


async def _has_tries(store: Store, warning_id: str, target: str = "officer-JA00000") -> bool:
    async with store.read() as tx:
        return bool(await tries_of(tx, warning_id, [target]))


async def test_an_answer_no_database_takes_stops_nobody(store: Store) -> None:
    """A provider may say anything: NUL, half a surrogate pair."""
    clock, sms = Clock(), Provider(answer=lambda _: Accepted(ref="SM\ud800\0", trace="\0"))
    warning = await released(store, red(), people(3))
    async with dispatching(store, clock, sms=sms), a_book(store, clock) as book:
        await until(all_in(store, warning.id, {DeliveryState.SENT: 3}))
        said = [replace(one, code="\0", detail="\udfff") for one in about(warning, (0, ReceiptState.DELIVERED))]
        assert await take_receipts(context_of(store, clock), book, Channel.SMS, said) == 0
    assert await counts(store, warning.id) == {DeliveryState.DELIVERED: 1, DeliveryState.SENT: 2}

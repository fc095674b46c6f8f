"""Aliyun's receipts and what people write back, on both databases: found by warning and number, kept before the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import pytest
from msgspec.structs import replace
from sqlalchemy import insert, text

from channels.contract import Accepted, Asked, Message, Receipt, ReceiptState, Uplink
from dispatcher.model import Channel
from dispatcher.pipeline.follow import Follower
from dispatcher.pipeline.hear import hear
from dispatcher.pipeline.settle import take_receipts
from dispatcher.receipts import ReceiptBook
from dispatcher.sending.live import Desk
from dispatcher.service.assembly import event_code_of
from dispatcher.states import DeliveryState
from dispatcher.store import ledger, tables, uplinks
from dispatcher.store.engine import Store
from dispatcher.store.tries import tries_of
from dispatcher.store.warnings import WarningRow
from tests.city import Clock, Provider, people, red, released, settings
from tests.dispatcher.test_receipts import a_book, context_of
from tests.dispatcher.test_sending_dispatch import SEAL, all_in, counts, dispatching, find, until

DONE, FAILED, SENT = ReceiptState.DELIVERED, ReceiptState.UNDELIVERED, ReceiptState.SENT


def phone(number: int) -> str:
    return f"+86154{number:08d}"


async def registered(store: Store, *phones: str) -> None:
    """Officers JA00000, JA00001, … with these phones."""
    some = {"name": "人", "home_code": "360827102200", "lat": 26.0, "lon": 114.0, "roles": 1, "party_member": False}
    rows = [
        {**some, "id": f"JA{no:05d}", "phone": SEAL.seal(one), "phone_index": SEAL.index(one), "synthetic": True}
        for no, one in enumerate(phones)
    ]
    async with store.begin() as tx:
        await tx.execute(insert(tables.officers), rows)


async def a_sent_warning(store: Store, clock: Clock, count: int, number: int = 1, ref: str = "9^0") -> WarningRow:
    warning = await released(store, red(), people(count), number)
    async with dispatching(store, clock, sms=Provider(answer=lambda _: Accepted(ref=ref))):
        await until(all_in(store, warning.id, {DeliveryState.SENT: count}))
    return warning


def about(warning: WarningRow, to: str, state: ReceiptState = DONE, ref: str = "9^0") -> Receipt:
    return Receipt(state=state, warning_id=warning.id, to=to, ref=ref)


async def states(store: Store, warning: WarningRow) -> list[DeliveryState]:
    async with store.read() as tx:
        return [entry.state for entry in await ledger.page(tx, warning.id, None)]


async def test_a_receipt_finds_its_delivery_by_warning_and_number(store: Store) -> None:
    clock = Clock()
    await registered(store, *map(phone, range(3)))
    first, second = await a_sent_warning(store, clock, 3), await a_sent_warning(store, clock, 3, 2)
    async with a_book(store, clock) as book:
        said = [about(first, phone(0)), about(first, phone(2), FAILED), about(second, phone(2)), about(first, phone(0))]
        assert await take_receipts(context_of(store, clock), book, Channel.SMS, said) == 0
    assert await states(store, first) == [DeliveryState.DELIVERED, DeliveryState.SENT, DeliveryState.UNDELIVERED]
    assert await states(store, second) == [DeliveryState.SENT, DeliveryState.SENT, DeliveryState.DELIVERED]


async def test_a_receipt_that_overtakes_the_answer_finds_it_too(store: Store) -> None:
    clock, sms = Clock(), Provider(answer=lambda _: Accepted(ref="9^0"), hold=asyncio.Event())
    await registered(store, phone(0))
    warning = await released(store, red(), people(1))
    async with dispatching(store, clock, sms=sms), a_book(store, clock) as book:
        await until(lambda: _true(sms.under_way == 1))
        await take_receipts(context_of(store, clock), book, Channel.SMS, [about(warning, phone(0))])
        assert await counts(store, warning.id) == {DeliveryState.DELIVERED: 1}
        assert sms.hold is not None
        sms.hold.set()
        await until(lambda: _answered(store, warning))
    assert await states(store, warning) == [DeliveryState.DELIVERED]


async def test_two_who_share_a_phone_are_told_apart_by_what_the_provider_called_it(store: Store) -> None:
    clock = Clock()
    await registered(store, phone(7), phone(7))
    warning = await released(store, red(), people(2))
    answers = iter(("1^0", "2^0"))
    async with dispatching(store, clock, sms=Provider(answer=lambda _: Accepted(ref=next(answers)))):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 2}))
    async with a_book(store, clock) as book:
        context = context_of(store, clock)
        assert await take_receipts(context, book, Channel.SMS, [about(warning, phone(7), ref="3^0")]) == 1
        assert await take_receipts(context, book, Channel.SMS, [about(warning, phone(7), ref="2^0")]) == 0
    assert sorted(await states(store, warning)) == [DeliveryState.SENT, DeliveryState.DELIVERED]


@pytest.mark.parametrize("to", ["+8615499999999", "+", "\0"])
async def test_a_receipt_for_nobody_on_the_list_is_counted_and_harms_nothing(store: Store, to: str) -> None:
    clock = Clock()
    await registered(store, phone(0), phone(1))
    warning = await a_sent_warning(store, clock, 1)
    not_told = replace(about(warning, phone(1)))
    elsewhere = Receipt(state=DONE, warning_id="x\0" * 40, to=phone(0), ref="9^0")
    async with a_book(store, clock) as book:
        strangers = [about(warning, to), not_told, elsewhere]
        assert await take_receipts(context_of(store, clock), book, Channel.SMS, strangers) == 3
    assert await states(store, warning) == [DeliveryState.SENT]


async def test_no_phone_stands_in_the_ledger(store: Store) -> None:
    clock = Clock()
    await registered(store, phone(0))
    warning = await a_sent_warning(store, clock, 1)
    async with a_book(store, clock) as book:
        await take_receipts(context_of(store, clock), book, Channel.SMS, [about(warning, phone(0))])
    async with store.read() as tx:
        for table in ("deliveries", "attempts", "receipts"):
            for row in await tx.execute(text(f"SELECT * FROM {table}")):
                assert phone(0)[3:] not in repr(row), table


# ── polling ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Slow(Provider):
    """It has everything, and says so of each the third time it is asked."""

    times = 0

    async def ask(self, batch: Sequence[Message], now: datetime) -> list[Asked]:
        self.times += 1
        state = DONE if self.times > 2 else SENT
        return [Asked(id=one.id, receipt=Receipt(state=state, id=one.id)) for one in batch]


def following(store: Store, clock: Clock, book: ReceiptBook, provider: Slow, after_s: float) -> Follower:
    return Follower(
        context=context_of(store, clock),
        book=book,
        desk=Desk(settings().policy, "吉安市应急管理局", partial(event_code_of, settings().hazards)),
        lookup=find,
        askers={Channel.SMS: provider},
        now=clock,
        after_s={Channel.SMS: after_s},
    )


async def test_who_reports_by_itself_is_only_asked_about_the_rest_and_later(store: Store) -> None:
    clock, sms = Clock(), Slow()
    await registered(store, phone(0), phone(1))
    warning = await a_sent_warning(store, clock, 2)
    async with a_book(store, clock) as book:
        follower = following(store, clock, book, sms, 300)
        await follower.look()
        clock.pass_(seconds=299)
        await follower.look()
        assert sms.times == 0
        await take_receipts(context_of(store, clock), book, Channel.SMS, [about(warning, phone(1))])
        for _ in range(3):
            clock.pass_(seconds=2)
            await follower.look()
        assert sms.times == 3
    assert await counts(store, warning.id) == {DeliveryState.DELIVERED: 2}
    async with store.read() as tx:
        heard = await ledger.receipts_of(tx, warning.id, "officer-JA00000")
    assert [one.state for one in heard] == ["delivered"], "that it was sent was known"


# ── what people write back ──────────────────────────────────────────────────────────────────────────────────────────


def uplink(number: str, said: str = "收到", **changes: object) -> Uplink:
    given = {"number": number, "phone": phone(0), "text": said, "sent": Clock()() - timedelta(seconds=3)}
    return Uplink(**{**given, "dest_code": "1234", **changes})  # type: ignore[arg-type]


async def test_what_a_person_writes_is_kept_once_word_for_word_and_the_phone_is_sealed(store: Store) -> None:
    clock = Clock()
    context = context_of(store, clock)
    strange = uplink("2", "已\0到岗\ud800", phone=phone(1), sent=None)
    assert await hear(context, Channel.SMS, "aliyun", [uplink("1"), uplink("1"), strange]) == 2
    assert await hear(context, Channel.SMS, "aliyun", [uplink("1"), uplink("3", "转移完毕")]) == 1
    assert await hear(context, Channel.SMS, "another", [uplink("1")]) == 1
    assert await hear(context, Channel.SMS, "aliyun", []) == 0
    async with store.read() as tx:
        mine, other = [await uplinks.from_phone(tx, SEAL, phone(number)) for number in (0, 1)]
        heard = await uplinks.heard(tx)
        rows = [repr(row) for row in await tx.execute(text("SELECT * FROM uplinks"))]
    assert [(one.provider, one.number, one.text) for one in mine] == [
        ("aliyun", "1", "收到"),
        ("aliyun", "3", "转移完毕"),
        ("another", "1", "收到"),
    ]
    assert (mine[0].at, mine[0].sent_at, mine[0].dest_code) == (clock(), clock() - timedelta(seconds=3), "1234")
    assert other[0].sent_at is None
    assert (heard.count, heard.last_at) == (4, clock())
    assert not any(phone(number)[3:] in row for row in rows for number in (0, 1))


async def test_before_anybody_wrote_there_is_nothing(store: Store) -> None:
    async with store.read() as tx:
        assert await uplinks.heard(tx) == uplinks.Heard(count=0, last_at=None)
        assert await uplinks.from_phone(tx, SEAL, phone(0)) == []


async def _true(value: bool) -> bool:
    return value


async def _answered(store: Store, warning: WarningRow) -> bool:
    async with store.read() as tx:
        return bool(await tries_of(tx, warning.id, ["officer-JA00000"]))

"""Whoever has to sign is paged when his time comes, once, until it has left; a drill's page is a drill."""

from __future__ import annotations

from datetime import timedelta

import pytest

from channels.contract import Accepted, NotKnown, TryAgain
from channels.text import is_drill
from dispatcher.accounts.authority import Principal
from dispatcher.pipeline.approve import approve
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.edit import edit
from dispatcher.pipeline.page import AGAIN_S, Looked, Pager, Purpose, refusals_due, send_pages, sign_off_due
from dispatcher.pipeline.submit import Submitted, submit
from dispatcher.store import accounts, audit, events, pages
from dispatcher.store.pages import Page
from tests.city import NOW, Clock, Provider
from tests.dispatcher.desk import PHONE, leader, officer, submitted, written
from tests.dispatcher.test_sending_dispatch import dispatching, until
from tests.dispatcher.test_signing import run

RED = {"level": "red", "headline": "遂川县应急管理局发布暴雨红色预警"}


async def put(jian: Context, warning_id: str, purpose: Purpose = Purpose.SIGN) -> list[Page]:
    async with jian.store.read() as tx:
        return [one for one in await pages.of_warning(tx, warning_id) if one.purpose == purpose]


async def three_leaders(jian: Context) -> list[Principal]:
    """The first and the second on duty; the third at home."""
    return [await leader(jian, number, on_duty=number != 13) for number in (11, 12, 13)]


async def paged(jian: Context, warning_id: str) -> list[str]:
    return [one.account_id for one in await put(jian, warning_id)]


async def test_of_a_red_the_first_signer_is_paged_at_once_the_alternate_at_60_s_and_all_at_120_s(
    jian: Context, clock: Clock
) -> None:
    one = await officer(jian)
    first, second, third = [each.id for each in await three_leaders(jian)]
    red = await submitted(jian, one, **RED)
    whom = {}
    for seconds in (0, 59, 60, 119, 120, 300):
        clock.at = NOW + timedelta(seconds=seconds)
        await sign_off_due(jian)
        whom[seconds] = await paged(jian, red.warning_id)
    assert whom == {
        0: [first],
        59: [first],
        60: [first, second],
        119: [first, second],
        120: [first, second, third],
        300: [first, second, third],
    }


@pytest.mark.parametrize("level", ["orange", "yellow", "blue"])
async def test_of_other_levels_all_are_paged_at_300_s(jian: Context, clock: Clock, level: str) -> None:
    one, every = await officer(jian), await three_leaders(jian)
    colour = {"orange": "橙", "yellow": "黄", "blue": "蓝"}[level]
    other = await submitted(jian, one, level=level, headline=f"遂川县应急管理局发布暴雨{colour}色预警")
    clock.pass_(seconds=299)
    assert await sign_off_due(jian) == 0
    clock.pass_(seconds=1)
    assert await sign_off_due(jian) == 3
    assert await sign_off_due(jian) == 0
    assert sorted(await paged(jian, other.warning_id)) == sorted(each.id for each in every)
    async with jian.store.read() as tx:
        said = [event.kind for event in await events.of_warning(tx, other.warning_id)]
        logged = [entry.action for entry in await audit.newest(tx, 1)]
    assert said[-1] == "approval.paged"
    assert logged == ["approval.paged"]


async def test_nobody_is_paged_who_wrote_it_was_disabled_or_signs_for_another_county(
    jian: Context, clock: Clock
) -> None:
    one, able = await officer(jian), await leader(jian, 11)
    await leader(jian, 12, scope=("360881",))
    await leader(jian, 13, disabled_at=NOW)
    other = await submitted(jian, one)
    clock.pass_(seconds=300)
    await sign_off_due(jian)
    assert await paged(jian, other.warning_id) == [able.id]


async def test_what_is_put_forward_anew_begins_anew_and_what_was_signed_pages_nobody(
    jian: Context, clock: Clock
) -> None:
    one, able = await officer(jian), await leader(jian, 11)
    first = await submitted(jian, one)
    clock.pass_(seconds=200)
    await edit(jian, one, first.warning_id, written(description="另一段文字。"))
    again = await submit(jian, one, first.warning_id)
    clock.pass_(seconds=200)
    assert await sign_off_due(jian) == 0
    clock.pass_(seconds=100)
    assert await sign_off_due(jian) == 1
    await approve(jian, able, again.warning_id, plan_hash=again.plan_hash)
    clock.pass_(seconds=300)
    assert await sign_off_due(jian) == 0


async def due_page(jian: Context, clock: Clock, **changes: str) -> Submitted:
    one = await officer(jian)
    await leader(jian, 11)
    other = await submitted(jian, one, **changes)
    clock.pass_(seconds=300)
    await sign_off_due(jian)
    return other


def sms(provider: Provider) -> dict[bool, Pager]:
    return {False: provider}


async def test_a_page_goes_to_the_sealed_number_once(jian: Context, clock: Clock) -> None:
    other = await due_page(jian, clock)
    live, drill = Provider(), Provider()
    ways: dict[bool, Pager] = {False: live, True: drill}
    assert await send_pages(jian, ways) == 1
    assert await send_pages(jian, ways) == 0
    (message,) = live.got
    assert (message.to, drill.got) == (PHONE.format(11), [])
    assert "请签发：暴雨黄色预警" in message.text
    assert message.text.startswith("【")
    (page,) = await put(jian, other.warning_id)
    assert (page.sent_at, page.due_at) == (clock.at, None)


@pytest.mark.parametrize("outcome", [TryAgain(code="503", reason="忙"), NotKnown(code="cut", reason="断线")])
async def test_a_page_that_did_not_leave_is_tried_again_and_at_last_given_up_aloud(
    jian: Context, clock: Clock, outcome: TryAgain | NotKnown
) -> None:
    other = await due_page(jian, clock)
    provider = Provider(answer=lambda _: outcome)
    for wait in (*AGAIN_S, 1):
        assert await send_pages(jian, sms(provider)) == 0
        assert await send_pages(jian, sms(provider)) == 0
        clock.pass_(seconds=wait)
    assert len(provider.got) == len(AGAIN_S) + 1
    assert len(set(provider.ids)) == 1
    async with jian.store.read() as tx:
        said = [event.kind for event in await events.of_warning(tx, other.warning_id)]
    assert said[-1] == "approval.page_failed"


@pytest.mark.long
async def test_a_provider_that_breaks_and_then_mends_loses_no_page(jian: Context, clock: Clock) -> None:
    await due_page(jian, clock)

    def broken(_: object) -> Accepted:
        raise ConnectionResetError("cut")

    assert await send_pages(jian, sms(Provider(answer=broken))) == 0
    clock.pass_(seconds=AGAIN_S[0])
    mended = Provider()
    assert await send_pages(jian, sms(mended)) == 1


async def test_a_page_claimed_before_a_crash_is_sent_a_minute_later(jian: Context, clock: Clock) -> None:
    other = await due_page(jian, clock)
    (page,) = await put(jian, other.warning_id)
    async with jian.store.begin() as tx:
        assert await pages.claim(tx, page, clock.at + timedelta(seconds=60))
        assert not await pages.claim(tx, page, clock.at + timedelta(seconds=60))
    assert await send_pages(jian, sms(Provider())) == 0
    clock.pass_(seconds=60)
    assert await send_pages(jian, sms(Provider())) == 1


async def test_a_drills_page_is_marked_and_leaves_by_a_drills_provider_alone(jian: Context, clock: Clock) -> None:
    await due_page(jian, clock, status="Exercise", headline="【演练】暴雨黄色预警【演练】")
    live, drill = Provider(), Provider()
    assert await send_pages(jian, sms(live)) == 0
    clock.pass_(seconds=AGAIN_S[0])
    assert await send_pages(jian, {False: live, True: drill}) == 1
    assert live.got == []
    (message,) = drill.got
    assert is_drill(message.text)
    assert message.bulletin.drill


@pytest.mark.long
async def test_whoever_has_no_number_stops_nobody_else(jian: Context, clock: Clock) -> None:
    one = await officer(jian)
    for number in (11, 12):
        await leader(jian, number)
    async with jian.store.begin() as tx:
        await accounts.change(tx, f"{11:032x}", phone=b"")
    await submitted(jian, one)
    clock.pass_(seconds=300)
    await sign_off_due(jian)
    provider = Provider()
    assert await send_pages(jian, sms(provider)) == 1
    assert [message.to for message in provider.got] == [PHONE.format(12)]


@pytest.mark.long
async def test_officers_on_duty_are_paged_with_what_differs_when_the_sender_refuses(jian: Context) -> None:
    one, other = await officer(jian), await leader(jian)
    home = await officer(jian, 2, on_duty=False)
    got = await submitted(jian, one)
    await approve(jian, other, got.warning_id, plan_hash=got.plan_hash)
    await run(jian.store, "UPDATE warnings SET headline = '别的标题' WHERE id = :w", w=got.warning_id)
    async with dispatching(jian.store, Clock(), sms=Provider()):
        await until(lambda: _refused(jian, got.warning_id))
    looked = Looked()
    assert await refusals_due(jian, looked) == 1
    assert await refusals_due(jian, looked) == 0
    (page,) = await put(jian, got.warning_id, Purpose.REFUSED)
    assert page.account_id == one.id != home.id
    assert "别的标题" in page.text


async def _refused(jian: Context, warning_id: str) -> bool:
    async with jian.store.read() as tx:
        return any(event.kind == "warning.plan_changed" for event in await events.of_warning(tx, warning_id))

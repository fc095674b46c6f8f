"""A mistake is taken back by one person, in fixed words and at once; the end of a danger needs two."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from dispatcher.accounts.authority import AccountRole
from dispatcher.model import Channel
from dispatcher.pipeline.approve import approve
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.correct import all_clear, retract
from dispatcher.pipeline.edit import join
from dispatcher.pipeline.page import Purpose
from dispatcher.pipeline.persons import Hindrance, NotDone
from dispatcher.pipeline.submit import submit
from dispatcher.pipeline.telephone import Call, record_call
from dispatcher.signing import Act
from dispatcher.states import DeliveryState, WarningState
from dispatcher.store import accounts, warnings
from tests.city import NOW, Clock, Provider, cap, named
from tests.dispatcher.desk import leader, officer, row_of, signed, submitted
from tests.dispatcher.test_accept import sent_in
from tests.dispatcher.test_former import FIRST, reached
from tests.dispatcher.test_page import put
from tests.dispatcher.test_sending_dispatch import counts, dispatching, until


async def test_one_person_takes_a_mistake_back_at_once_and_the_leaders_are_told(jian: Context, clock: Clock) -> None:
    one, other = await officer(jian), await leader(jian)
    first = await sent_in(jian, cap(FIRST))
    heard = {row.target for row in await reached(jian, Channel.SMS, 5)}
    answer = await retract(jian, one, first.warning_id)
    assert answer.state is WarningState.APPROVED
    before, after = await row_of(jian, first.warning_id), await row_of(jian, answer.warning_id)
    assert (before.state, after.message["retraction"], after.source) == (WarningState.CANCELLED, True, "console")
    (only,) = await signed(jian, after.id)
    assert (only.act, only.account_id) == (Act.RETRACTED, one.id)
    assert [page.account_id for page in await put(jian, after.id, Purpose.RETRACTED)] == [other.id]
    sms = Provider()
    async with dispatching(jian.store, clock, sms=sms):
        await until(lambda: _sent(jian, after.id, 5))
    assert {message.id.split("/")[1] if "/" in message.id else message.id for message in sms.got}
    assert len(sms.got) == len(heard) == 5
    assert all("误发" in message.text for message in sms.got)


async def _sent(jian: Context, warning_id: str, number: int) -> bool:
    return (await counts(jian.store, warning_id)).get(DeliveryState.SENT, 0) == number


async def test_a_leader_may_take_it_back_too_and_nobody_without_the_second_factor(jian: Context) -> None:
    other = await leader(jian)
    first = await sent_in(jian, cap(FIRST))
    await reached(jian, Channel.SMS, 5)
    with pytest.raises(NotDone) as stopped:
        await retract(jian, replace(other, stepped_up=False), first.warning_id)
    assert stopped.value.hindrance is Hindrance.STEP_UP
    assert (await row_of(jian, first.warning_id)).state == WarningState.APPROVED
    assert (await retract(jian, other, first.warning_id)).state is WarningState.APPROVED


async def test_who_has_another_area_or_was_disabled_takes_nothing_back(jian: Context, clock: Clock) -> None:
    away, gone = await officer(jian, 1, scope=("360881",)), await officer(jian, 2)
    first = await sent_in(jian, cap(FIRST))
    await reached(jian, Channel.SMS, 5)
    async with jian.store.begin() as tx:
        await accounts.change(tx, gone.id, disabled_at=clock.at)
    for who, why in ((away, Hindrance.AREA), (gone, Hindrance.ACCOUNT)):
        with pytest.raises(NotDone) as stopped:
            await retract(jian, who, first.warning_id)
        assert stopped.value.hindrance is why
    async with jian.store.read() as tx:
        assert len(await warnings.latest(tx)) == 1


async def test_what_nobody_heard_is_not_taken_back(jian: Context) -> None:
    one = await officer(jian)
    put_forward = await submitted(jian, one)
    for verb in (retract, all_clear):
        for warning_id, why in ((put_forward.warning_id, Hindrance.NOTHING), ("0" * 32, Hindrance.NOT_THERE)):
            with pytest.raises(NotDone) as stopped:
                await verb(jian, one, warning_id)
            assert stopped.value.hindrance is why


async def test_the_end_of_a_danger_needs_two(jian: Context, clock: Clock) -> None:
    one, other = await officer(jian), await leader(jian)
    first = await sent_in(jian, cap(FIRST))
    await reached(jian, Channel.SMS, 5)
    clock.pass_(minutes=5)
    end = await all_clear(jian, one, first.warning_id)
    assert (await row_of(jian, first.warning_id)).state == WarningState.APPROVED
    now = replace(one, role=AccountRole.APPROVER)
    async with jian.store.begin() as tx:
        await accounts.change(tx, one.id, role=AccountRole.APPROVER.value)
    with pytest.raises(NotDone) as stopped:
        await approve(jian, now, end.warning_id, plan_hash=end.plan_hash, reason="雨停了")
    assert stopped.value.hindrance is Hindrance.SAME_PERSON
    await approve(jian, other, end.warning_id, plan_hash=end.plan_hash, reason="雨停了")
    before, after = await row_of(jian, first.warning_id), await row_of(jian, end.warning_id)
    assert (before.state, before.ended_by, after.state) == (WarningState.CANCELLED, after.id, WarningState.APPROVED)
    assert after.rows_planned == 5


async def test_an_end_that_would_miss_somebody_who_heard_since_is_put_forward_anew(jian: Context, clock: Clock) -> None:
    one, other = await officer(jian), await leader(jian)
    first = await sent_in(jian, cap(FIRST))
    await reached(jian, Channel.SMS, 5)
    clock.pass_(minutes=5)
    end = await all_clear(jian, one, first.warning_id)
    await reached(jian, Channel.BROADCAST)
    with pytest.raises(NotDone) as stopped:
        await approve(jian, other, end.warning_id, plan_hash=end.plan_hash, reason="雨停了")
    assert stopped.value.hindrance is Hindrance.OUTGROWN
    assert (await row_of(jian, first.warning_id)).state == WarningState.APPROVED
    again = await submit(jian, one, end.warning_id)
    assert again.rows > end.rows
    await approve(jian, other, end.warning_id, plan_hash=again.plan_hash, reason="雨停了")
    assert (await row_of(jian, first.warning_id)).state == WarningState.CANCELLED


async def test_it_is_ended_once_whoever_puts_it_forward_twice(jian: Context, clock: Clock) -> None:
    one, other = await officer(jian), await leader(jian)
    first = await sent_in(jian, cap(FIRST))
    await reached(jian, Channel.SMS, 5)
    clock.pass_(minutes=5)
    end = await all_clear(jian, one, first.warning_id)
    clock.pass_(seconds=5)
    twin = await all_clear(jian, one, first.warning_id)
    await approve(jian, other, twin.warning_id, plan_hash=twin.plan_hash, reason="雨停了")
    with pytest.raises(NotDone):
        await approve(jian, other, end.warning_id, plan_hash=end.plan_hash, reason="雨停了")
    clock.at += timedelta(seconds=1)
    assert (await retract(jian, one, first.warning_id)).state is WarningState.RECEIVED


async def test_a_joined_end_is_signed_by_whoever_may_speak_to_all_that_heard_and_by_nobody_of_a_part(
    jian: Context, clock: Clock
) -> None:
    one, two, other = await officer(jian), await officer(jian, 2), await leader(jian)
    of_a_part = await leader(jian, 12, scope=("360827",))
    await sent_in(jian, cap("V1", area="360800"))
    again = NOW + timedelta(seconds=1)
    second = await sent_in(jian, cap("V2", again, "Update", "360827", references=named("V1")))
    end = await sent_in(jian, cap("END", NOW + timedelta(seconds=2), "Cancel"), source="county-weather")
    clock.pass_(minutes=5)
    await join(jian, one, end.warning_id, second.warning_id)
    put_forward = await submit(jian, one, end.warning_id)
    with pytest.raises(NotDone) as stopped:
        await approve(jian, of_a_part, end.warning_id, plan_hash=put_forward.plan_hash, reason="雨停了")
    assert stopped.value.hindrance is Hindrance.AREA
    call = Call(leader="login12", number="+8615400000012", at=jian.now(), words="同意解除")
    with pytest.raises(NotDone) as stopped:
        await record_call(jian, two, end.warning_id, plan_hash=put_forward.plan_hash, call=call)
    assert (stopped.value.hindrance, "login12" in str(stopped.value)) == (Hindrance.ROLE, True)
    assert (await row_of(jian, second.warning_id)).state == WarningState.APPROVED
    await approve(jian, other, end.warning_id, plan_hash=put_forward.plan_hash, reason="雨停了")
    assert (await row_of(jian, second.warning_id)).state == WarningState.CANCELLED

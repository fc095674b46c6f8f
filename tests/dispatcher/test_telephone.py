"""A leader says yes by telephone: put down whole, told to him at once, objected to, and the paper asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from dispatcher.pipeline.context import Context
from dispatcher.pipeline.page import Purpose, ink_slips_due
from dispatcher.pipeline.persons import Hindrance, NotDone
from dispatcher.pipeline.telephone import Call, hand_in_slip, object_to_call, record_call
from dispatcher.signing import Act
from dispatcher.store import accounts, audit
from tests.city import NOW, Clock
from tests.dispatcher.desk import leader, officer, row_of, signed, submitted
from tests.dispatcher.test_page import RED, put

NUMBER = "+8615400000011"
YES = Call(leader="login11", number=NUMBER, at=NOW + timedelta(seconds=30), words="同意发布红色预警")


async def test_a_second_officer_puts_down_the_call_and_the_leader_is_told(jian: Context, clock: Clock) -> None:
    one, two, other = await officer(jian), await officer(jian, 2), await leader(jian)
    red = await submitted(jian, one, **RED)
    clock.pass_(minutes=1)
    await record_call(jian, two, red.warning_id, plan_hash=red.plan_hash, call=YES)
    row, last = await row_of(jian, red.warning_id), (await signed(jian, red.warning_id))[-1]
    assert (row.state, last.act, last.account_id, last.detail["leader"]) == (
        "approved",
        Act.TELEPHONE,
        two.id,
        other.id,
    )
    assert (last.detail["words"], last.detail["called_at"]) == (YES.words, YES.at.isoformat())
    assert jian.seal.open(bytes.fromhex(last.detail["number"])) == NUMBER
    assert NUMBER not in json.dumps(dict(last.detail))
    (page,) = await put(jian, red.warning_id, Purpose.TELEPHONE)
    assert page.account_id == other.id


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"leader": "login1"}, Hindrance.ROLE),
        ({"leader": "nobody"}, Hindrance.ROLE),
        ({"words": " "}, Hindrance.REASON),
        ({"number": ""}, Hindrance.REASON),
        ({"at": NOW - timedelta(seconds=1)}, Hindrance.REASON),
        ({"at": NOW + timedelta(hours=1)}, Hindrance.REASON),
    ],
)
async def test_a_call_that_is_not_whole_releases_nothing(
    jian: Context, clock: Clock, changes: dict[str, object], why: Hindrance
) -> None:
    one, two = await officer(jian), await officer(jian, 2)
    await leader(jian)
    red = await submitted(jian, one, **RED)
    clock.pass_(minutes=1)
    call = replace(YES, **changes)  # type: ignore[arg-type]
    with pytest.raises(NotDone) as stopped:
        await record_call(jian, two, red.warning_id, plan_hash=red.plan_hash, call=call)
    assert stopped.value.hindrance is why
    assert (await row_of(jian, red.warning_id)).released_at is None


async def test_whoever_wrote_it_or_is_off_duty_puts_down_no_call(jian: Context, clock: Clock) -> None:
    one, two = await officer(jian), await officer(jian, 2, on_duty=False)
    await leader(jian)
    red = await submitted(jian, one, **RED)
    clock.pass_(minutes=1)
    for who, why in ((one, Hindrance.SAME_PERSON), (two, Hindrance.ROLE)):
        with pytest.raises(NotDone) as stopped:
            await record_call(jian, who, red.warning_id, plan_hash=red.plan_hash, call=YES)
        assert stopped.value.hindrance is why


async def test_the_leader_objects_and_everybody_who_may_act_is_woken(jian: Context, clock: Clock) -> None:
    one, two = await officer(jian), await officer(jian, 2)
    other, third = await leader(jian), await leader(jian, 12)
    red = await submitted(jian, one, **RED)
    clock.pass_(minutes=1)
    await record_call(jian, two, red.warning_id, plan_hash=red.plan_hash, call=YES)
    for who, words, why in (
        (third, "没有", Hindrance.NOTHING),
        (other, "", Hindrance.REASON),
        (two, "没有", Hindrance.ROLE),
    ):
        with pytest.raises(NotDone) as stopped:
            await object_to_call(jian, who, red.warning_id, words=words)
        assert stopped.value.hindrance is why
    await object_to_call(jian, other, red.warning_id, words="我没有同意过")
    told = await put(jian, red.warning_id, Purpose.OBJECTED)
    assert {page.account_id for page in told} == {one.id, two.id, other.id, third.id}
    async with jian.store.read() as tx:
        actions = [entry.action for entry in await audit.newest(tx, 2)]
    assert sorted(actions) == ["approval.objected", "approval.paged"]


async def test_a_paper_that_does_not_come_in_a_day_is_asked_for_once(jian: Context, clock: Clock) -> None:
    one, two, other = await officer(jian), await officer(jian, 2), await leader(jian)
    red = await submitted(jian, one, **RED)
    late = await submitted(jian, one, identifier="L", **RED)
    clock.pass_(minutes=1)
    for each in (red, late):
        await record_call(jian, two, each.warning_id, plan_hash=each.plan_hash, call=YES)
    await hand_in_slip(jian, two, red.warning_id, number="签批〔2026〕12号")
    clock.pass_(hours=23)
    assert await ink_slips_due(jian) == 0
    clock.pass_(hours=1)
    assert await ink_slips_due(jian) == 2
    assert await ink_slips_due(jian) == 0
    assert {page.account_id for page in await put(jian, late.warning_id, Purpose.INK_DUE)} == {two.id, other.id}
    assert await put(jian, red.warning_id, Purpose.INK_DUE) == []


async def test_a_leader_who_was_disabled_says_yes_to_nothing(jian: Context, clock: Clock) -> None:
    one, two, other = await officer(jian), await officer(jian, 2), await leader(jian)
    red = await submitted(jian, one, **RED)
    clock.pass_(minutes=1)
    async with jian.store.begin() as tx:
        await accounts.change(tx, other.id, disabled_at=NOW)
    with pytest.raises(NotDone):
        await record_call(jian, two, red.warning_id, plan_hash=red.plan_hash, call=YES)

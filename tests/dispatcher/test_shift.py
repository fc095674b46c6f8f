"""One officer hands over, another takes it by himself: both names, the time, and what was open are kept for good."""

from __future__ import annotations

import asyncio
import json

import pytest

from dispatcher.pipeline.context import Context
from dispatcher.pipeline.matters import Kind, frozen, open_matters, thawed
from dispatcher.pipeline.persons import Hindrance, NotDone
from dispatcher.pipeline.shift import LONGEST, Step, digest, offer, take_over, withdraw_offer, write_note
from dispatcher.store import accounts, audit, shifts
from dispatcher.store.shifts import Entry
from tests.city import Clock
from tests.dispatcher.desk import leader, officer, submitted


async def kept(jian: Context, number: int) -> Entry:
    async with jian.store.read() as tx:
        found = await shifts.one(tx, number)
    assert found is not None
    return found


async def on_duty(jian: Context) -> dict[str, bool]:
    async with jian.store.read() as tx:
        return {one.id: one.on_duty for one in await accounts.every(tx)}


async def logged(jian: Context) -> list[tuple[str, str]]:
    async with jian.store.read() as tx:
        return [(one.action, one.detail) async for one in audit.entries(tx)]


async def test_what_was_open_is_frozen_with_both_names_when_the_other_takes_it(jian: Context, clock: Clock) -> None:
    goes, comes = await officer(jian), await officer(jian, 2, on_duty=False)
    waits = await submitted(jian, goes)
    number = await offer(jian, goes, words="遂川河水位高，两小时看一次\r\n<b>碧洲</b>大喇叭坏了", stays=False)
    clock.pass_(minutes=3)
    done = await take_over(jian, comes, number, troubles=["短信的服务商 x 拒绝本单位账户"])
    entry = await kept(jian, done)
    assert (entry.step, entry.name, entry.account_id, entry.at) == (Step.TAKEN, comes.name, comes.id, clock.at)
    assert (entry.detail["from_name"], entry.detail["said"]) == (
        goes.name,
        "遂川河水位高，两小时看一次\n<b>碧洲</b>大喇叭坏了",
    )
    found = thawed(entry.detail["matters"])
    assert [(one.kind, one.warning_id) for one in found] == [(Kind.SUBMITTED, waits.warning_id), (Kind.TROUBLE, "")]
    assert frozen(found) == entry.detail["matters"]
    assert await on_duty(jian) == {goes.id: False, comes.id: True}
    actions = await logged(jian)
    assert [name for name, _ in actions if name.startswith(("shift.", "account."))] == [
        "shift.offered",
        "shift.taken",
        "account.off_duty",
        "account.on_duty",
    ]
    assert json.loads(dict(actions)["shift.taken"])["sha256"] == digest(entry)
    assert all(
        "碧洲" not in detail and goes.name not in detail for name, detail in actions if name.startswith("shift.")
    )


async def test_whoever_stays_is_still_on_duty(jian: Context) -> None:
    goes, comes = await officer(jian), await officer(jian, 2, on_duty=False)
    number = await offer(jian, goes, words="无", stays=True)
    await take_over(jian, comes, number, troubles=())
    assert await on_duty(jian) == {goes.id: True, comes.id: True}


async def test_nobody_takes_his_own_offer_nor_one_from_outside_his_area_nor_is_a_leader_an_officer(
    jian: Context,
) -> None:
    goes, county, chief = await officer(jian), await officer(jian, 2, scope=("360827",)), await leader(jian)
    number = await offer(jian, goes, words="无", stays=False)
    for who, why in ((goes, Hindrance.SAME_PERSON), (county, Hindrance.AREA), (chief, Hindrance.ROLE)):
        with pytest.raises(NotDone) as stopped:
            await take_over(jian, who, number, troubles=())
        assert stopped.value.hindrance is why
    assert (await on_duty(jian))[goes.id]


@pytest.mark.long
async def test_a_county_hands_over_what_is_its_own_alone(jian: Context) -> None:
    city = await officer(jian)
    goes, comes = await officer(jian, 2, scope=("360826",)), await officer(jian, 3, scope=("360826",))
    waits = await submitted(jian, city)
    done = await take_over(jian, comes, await offer(jian, goes, words="无", stays=False), troubles=())
    assert (await kept(jian, done)).detail["matters"] == []
    async with jian.store.read() as tx:
        seen = await open_matters(jian, tx, ("360827",), ())
    assert [one.warning_id for one in seen] == [waits.warning_id]


async def test_of_two_who_take_it_at_once_one_has_it(jian: Context) -> None:
    goes = await officer(jian)
    comers = [await officer(jian, number, on_duty=False) for number in (2, 3, 4)]
    number = await offer(jian, goes, words="无", stays=False)
    taken = [take_over(jian, one, number, troubles=()) for one in comers]
    found = await asyncio.gather(*taken, return_exceptions=True)
    stopped = [one for one in found if isinstance(one, NotDone)]
    assert [one.hindrance for one in stopped] == [Hindrance.STATE] * 2
    assert sum(duty for who, duty in (await on_duty(jian)).items() if who != goes.id) == 1


async def test_an_offer_is_withdrawn_by_whoever_made_it_and_is_over_then(jian: Context) -> None:
    goes, comes = await officer(jian), await officer(jian, 2)
    number = await offer(jian, goes, words="无", stays=False)
    with pytest.raises(NotDone) as twice:
        await offer(jian, goes, words="再写一次", stays=False)
    with pytest.raises(NotDone) as others:
        await withdraw_offer(jian, comes, number)
    await withdraw_offer(jian, goes, number)
    with pytest.raises(NotDone) as over:
        await take_over(jian, comes, number, troubles=())
    assert [one.value.hindrance for one in (twice, others, over)] == [
        Hindrance.STATE,
        Hindrance.SAME_PERSON,
        Hindrance.STATE,
    ]
    assert await offer(jian, goes, words="再写一次", stays=False) > number


@pytest.mark.parametrize("words", ["", " \n ", "\0"])
async def test_an_empty_note_is_none(jian: Context, words: str) -> None:
    who = await officer(jian)
    for verb in (write_note(jian, who, words=words), offer(jian, who, words=words, stays=False)):
        with pytest.raises(NotDone) as stopped:
            await verb
        assert stopped.value.hindrance is Hindrance.REASON


async def test_whoever_is_off_duty_has_nothing_to_hand_over_and_may_note_something_down(jian: Context) -> None:
    who = await officer(jian, on_duty=False)
    with pytest.raises(NotDone) as stopped:
        await offer(jian, who, words="无", stays=False)
    assert stopped.value.hindrance is Hindrance.STATE
    await write_note(jian, who, words="雨" * 5000)
    async with jian.store.read() as tx:
        (note,) = await shifts.of_step(tx, Step.NOTE, limit=5)
    assert (len(note.text), note.scope) == (LONGEST, ("360800",))

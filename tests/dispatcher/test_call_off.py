"""误发撤回 and 解除 in one tap: prepared words, whoever may have heard, nobody else, once, ahead of everything."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from dispatcher.model import Channel, Lane
from dispatcher.pipeline.accept import Answer, Incoming, accept
from dispatcher.pipeline.call_off import NothingToCallOff, call_off
from dispatcher.pipeline.context import Context
from dispatcher.states import DeliveryState, WarningState
from dispatcher.store import chunks, ledger, warnings
from tests.browser.standing import HELD_TOKEN, House, standing
from tests.browser.standing import cap as web_cap
from tests.city import NOW, Clock, cap, named
from tests.dispatcher.test_accept import sent_in
from tests.dispatcher.test_former import FIRST, SECOND, TOWN, listed, reached

PATH = "/api/v1/warnings"


async def tap(jian: Context, warning_id: str, *, retraction: bool = True, source: str = "city-weather") -> Answer:
    body = await call_off(jian, warning_id, retraction=retraction)
    assert body is not None
    return await accept(jian, Incoming(door="http", source=source, content_type="", body=body))


async def test_every_warning_carries_its_retraction_before_anybody_needs_it(jian: Context) -> None:
    answer = await sent_in(jian, cap(FIRST))
    async with jian.store.read() as tx:
        row = await warnings.one(tx, answer.warning_id)
    assert row is not None
    assert set(row.plan["retraction"]) == {"sms", "resident", "broadcast", "party"}
    for words in row.plan["retraction"].values():
        assert re.search("误发|更正", words)
        assert "暴雨红色预警" in words


async def test_a_retraction_goes_to_whoever_may_have_heard_and_stops_the_rest(jian: Context) -> None:
    first = await sent_in(jian, cap(FIRST))
    heard = {(row.target, row.channel) for row in await reached(jian, Channel.SMS, 5)}
    heard |= {(row.target, row.channel) for row in await reached(jian, Channel.BROADCAST)}
    answer = await tap(jian, first.warning_id)
    told = await listed(jian, answer)
    assert set(told) == heard
    assert all("误发" in said for _, said in told.values())
    async with jian.store.begin() as tx:
        chunk = await chunks.take(tx, Channel.SMS, chunks.Holder(node="test", epoch=1))
        row, counted = await warnings.one(tx, first.warning_id), await ledger.counts(tx, first.warning_id)
    assert chunk is not None
    assert chunk.lane == Lane.CORRECTION
    assert row is not None
    assert row.state == WarningState.CANCELLED
    assert {one.state for one in counted if one.channel != Channel.PARTY} == {
        DeliveryState.SENT,
        DeliveryState.WITHDRAWN,
    }


async def test_an_all_clear_does_not_speak_of_a_mistake(jian: Context) -> None:
    first = await sent_in(jian, cap(FIRST))
    await reached(jian, Channel.SMS, 5)
    told = await listed(jian, await tap(jian, first.warning_id, retraction=False))
    assert len(told) == 5
    assert all("解除" in said and "误发" not in said for _, said in told.values())


async def test_two_taps_tell_once(jian: Context, clock: Clock) -> None:
    first = await sent_in(jian, cap(FIRST))
    await reached(jian, Channel.SMS)
    retracted = await tap(jian, first.warning_id)
    clock.pass_(seconds=2)
    again = await tap(jian, first.warning_id)
    assert again.state is WarningState.RECEIVED
    assert await listed(jian, again) == {}
    async with jian.store.read() as tx:
        row = await warnings.one(tx, retracted.warning_id)
    assert row is not None
    assert row.state == WarningState.APPROVED, "the second has not ended the first"


async def test_two_at_the_same_instant_tell_once(jian: Context) -> None:
    first = await sent_in(jian, cap(FIRST))
    await reached(jian, Channel.SMS)
    answers = await asyncio.gather(*(tap(jian, first.warning_id) for _ in range(4)))
    assert len({answer.warning_id for answer in answers}) == 1


async def test_it_calls_off_the_whole_chain_also_by_an_early_version_and_against_a_fast_clock(jian: Context) -> None:
    first = await sent_in(jian, cap(FIRST))
    await reached(jian, Channel.SMS)
    ahead = cap(SECOND, NOW + timedelta(minutes=4), kind="Update", area=TOWN, references=named(FIRST))
    second = await sent_in(jian, ahead)
    answer = await tap(jian, first.warning_id)
    assert answer.state is WarningState.APPROVED
    async with jian.store.read() as tx:
        row = await warnings.one(tx, second.warning_id)
    assert row is not None
    assert row.state == WarningState.CANCELLED


async def test_what_was_warned_of_again_after_it_can_be_called_off_again(jian: Context) -> None:
    first = await sent_in(jian, cap(FIRST))
    await tap(jian, first.warning_id)
    second = await sent_in(jian, cap(SECOND, NOW + timedelta(minutes=1), kind="Update", references=named(FIRST)))
    assert second.state is WarningState.APPROVED
    await reached(jian, Channel.PARTY)
    heard = {row.target for row in await reached(jian, Channel.SMS)}
    told = {target for target, channel in await listed(jian, await tap(jian, second.warning_id)) if channel == "sms"}
    assert told == heard


async def test_what_nobody_heard_is_not_retracted(jian: Context) -> None:
    held = await sent_in(jian, cap(FIRST), source="county-weather")
    with pytest.raises(NothingToCallOff):
        await call_off(jian, held.warning_id, retraction=True)
    assert await call_off(jian, "0" * 32, retraction=True) is None


async def test_a_drill_source_cannot_retract_what_is_real(jian: Context) -> None:
    first = await sent_in(jian, cap(FIRST))
    answer = await tap(jian, first.warning_id, source="drill")
    assert answer.code == 240


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


async def test_by_http_it_is_one_post_without_a_body(house: House) -> None:
    _, first, _ = await house.post(web_cap())
    status, said, headers = await house.post(b"", path=f"{PATH}/{first['warning_id']}/cancel")
    assert (status, said["verdict"]) == (202, "accept")
    assert headers["Location"] == f"{PATH}/{said['warning_id']}"
    status, problem, _ = await house.post(b"", path=f"{PATH}/{said['warning_id']}/cancel")
    assert (status, problem["code"]) == (409, "nothing_to_call_off")
    assert (await house.post(b"", path=f"{PATH}/{'0' * 32}/all-clear"))[0] == 404
    assert (await house.post(b"", "wrong", path=f"{PATH}/{first['warning_id']}/cancel"))[0] == 401


async def test_a_source_that_needs_a_person_cannot_retract_alone(house: House) -> None:
    _, first, _ = await house.post(web_cap())
    status, said, _ = await house.post(b"", HELD_TOKEN, path=f"{PATH}/{first['warning_id']}/cancel")
    assert (status, said["verdict"], said["state"]) == (202, "hold", "held")

"""What breaks and is mended is on record once, whoever restarts in between; what is only starting up is no news."""

from __future__ import annotations

from dataclasses import replace

from dispatcher.pipeline.context import Context
from dispatcher.pipeline.watch import BACK, BROKEN, LOST, MENDED, Watched, watch
from dispatcher.store import audit, events
from dispatcher.store.events import Recorded

DUMB = "短信发不出去：没有可用的发送接口"
LATE = "有 {} 行到时未重发、0 批无人接手"


async def told(jian: Context) -> list[Recorded]:
    async with jian.store.read() as tx:
        return [one for one in await events.since(tx, 0) if one.kind in (BROKEN, MENDED, LOST, BACK)]


async def test_a_trouble_is_told_once_when_it_was_seen_twice_and_once_when_it_is_over(jian: Context) -> None:
    watched = Watched()
    for troubles in ([DUMB], [DUMB], [DUMB], [], [DUMB], [], [], []):
        await watch(jian, watched, troubles)
    found = await told(jian)
    assert [(one.kind, one.detail["what"]) for one in found] == [(BROKEN, DUMB), (MENDED, DUMB)]
    async with jian.store.read() as tx:
        assert [one.action async for one in audit.entries(tx)] == [BROKEN, MENDED]


async def test_a_number_that_grows_is_the_same_trouble_and_a_restart_tells_it_no_second_time(jian: Context) -> None:
    watched = Watched()
    for rows in (3, 40, 1200):
        await watch(jian, watched, [LATE.format(rows)])
    again = Watched()
    for rows in (5000, 6000):
        await watch(jian, again, [LATE.format(rows)])
    assert [one.kind for one in await told(jian)] == [BROKEN]
    await watch(jian, Watched(), [])
    assert [one.kind for one in await told(jian)] == [BROKEN, MENDED]


async def test_gateways_that_fall_silent_or_answer_again_are_named_and_those_known_at_first_are_no_news(
    jian: Context,
) -> None:
    watched, register = Watched(), await jian.register()
    await watch(jian, watched, [])
    one = next(gateway for gateway in register.gateways.values() if gateway.online)
    changed = {**register.gateways, one.id: replace(one, online=False)}
    for gateways in (changed, changed, register.gateways):
        jian.in_memory = replace(register, gateways=gateways)
        await watch(jian, watched, [])
    found = await told(jian)
    assert [(each.kind, each.detail["count"]) for each in found] == [(LOST, 1), (BACK, 1)]
    assert found[0].detail["gateways"] == [{"id": one.id, "area": one.area_code}]

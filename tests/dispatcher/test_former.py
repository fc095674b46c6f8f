"""Whoever heard of a warning and lies outside its update is told just that, once; nobody else is."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from dispatcher.model import Area, Channel, Circle, Point, Why
from dispatcher.pipeline.accept import Answer
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.preview import preview
from dispatcher.states import DeliveryState
from dispatcher.store import chunks, deliveries, warnings
from dispatcher.store.chunks import Holder
from dispatcher.store.deliveries import Row, Settled
from dispatcher.store.packing import FrozenRow, unpack
from tests.city import NOW, cap, named
from tests.dispatcher.test_accept import sent_in

COUNTY, TOWN, ANOTHER = "360827000000", "360827102000", "360827103000"
FIRST, SECOND = "36080041600000_20260403023900", "36080041600000_20260403024000"
ME = Holder(node="test", epoch=1)
OUTSIDE = "已不在预警区域内"


def update(identifier: str, minutes: int, of: str, area: str, **more: str) -> bytes:
    references = named(of, NOW + timedelta(minutes=minutes - 1))
    return cap(identifier, NOW + timedelta(minutes=minutes), kind="Update", area=area, references=references, **more)


async def reached(jian: Context, channel: Channel, most: int = 10_000) -> list[Row]:
    """Sends the first rows of the most urgent chunk of a channel, as the sender would."""
    async with jian.store.begin() as tx:
        chunk = await chunks.take(tx, channel, ME)
        assert chunk is not None
        rows = (await deliveries.plan(tx, chunk, unpack(chunk.packed), 1, None))[:most]
    results = [Settled(chunk_id=chunk.id, row=row, state=DeliveryState.SENT, at=jian.now()) for row in rows]
    await deliveries.group_commit(jian.store, ME, {chunk.id: len(rows)}, results)
    return rows


async def arrived(jian: Context, channel: Channel = Channel.SMS, most: int = 10_000) -> set[str]:
    """The first rows of a channel are sent, and their receipts come in."""
    rows = await reached(jian, channel, most)
    async with jian.store.begin() as tx:
        for row in rows:
            await tx.execute(
                text("UPDATE deliveries SET state = :state WHERE warning_id = :id AND target = :target"),
                {"state": int(DeliveryState.DELIVERED), "id": row.warning_id, "target": row.target},
            )
    return {row.target for row in rows}


async def listed(jian: Context, answer: Answer) -> dict[tuple[str, str], tuple[FrozenRow, str]]:
    """(target, channel) → its frozen row and text."""
    async with jian.store.read() as tx:
        texts = await warnings.texts_of(tx, answer.warning_id)
        plan = await tx.execute(
            text("SELECT channel, packed FROM chunks WHERE warning_id = :id"), {"id": answer.warning_id}
        )
    return {(row.target, channel): (row, texts[row.text_no].body) for channel, packed in plan for row in unpack(packed)}


def told_outside(rows: dict[tuple[str, str], tuple[FrozenRow, str]]) -> set[tuple[str, str]]:
    for row, said in rows.values():
        assert (row.why == Why.FORMER) is (OUTSIDE in said), said
    return {key for key, (row, _) in rows.items() if row.why == Why.FORMER}


async def test_whoever_heard_and_is_outside_now_is_told_and_whoever_never_heard_is_not(jian: Context) -> None:
    whole = await listed(jian, await sent_in(jian, cap(FIRST, area=COUNTY)))
    heard = {
        (row.target, row.channel)
        for row in (*await reached(jian, Channel.SMS, 20), *await reached(jian, Channel.BROADCAST))
    }
    now = await listed(jian, await sent_in(jian, update(SECOND, 1, FIRST, TOWN)))
    inside = {target for (target, _), (row, _) in now.items() if row.why != Why.FORMER}
    gone = told_outside(now)
    assert gone == {(target, channel) for target, channel in heard if target not in inside}
    assert {channel for _, channel in gone} == {"sms", "broadcast"}
    assert {target for target, _ in whole} - {target for target, _ in now}, "whoever never heard of it is left in peace"
    assert not {row.suppressed for row, _ in now.values() if row.why == Why.FORMER} - {""}


async def test_nobody_is_told_that_a_place_is_outside_while_any_of_it_is_inside(jian: Context) -> None:
    """One village of the town is left: what is said of the town would not be true. The county's own posts stay inside."""
    await sent_in(jian, cap(FIRST, area=COUNTY))
    await reached(jian, Channel.SMS)
    village = "360827102201"
    now = await listed(jian, await sent_in(jian, update(SECOND, 1, FIRST, village)))
    outside = {row.township for row, _ in now.values() if row.why == Why.FORMER}
    assert outside
    assert not outside & {village[:9], village[:6], "360800"}


async def test_a_town_that_the_area_still_touches_is_not_told_that_it_is_outside(jian: Context) -> None:
    """None of its villages counts as inside, yet homes at its edge do."""
    fence = (await jian.register()).geofence
    lat, lon = next(
        (la, lo) for code, la, lo in zip(fence.village_codes, fence.lat, fence.lon, strict=True) if code[:9] == TOWN[:9]
    )
    for tenths in range(1, 100):
        circle = Circle(Point(float(lat), float(lon)), tenths / 10)
        found = fence.resolve((Area(description="", circles=(circle,)),), text="", prefixes=("360800",))
        edge = {code[:9] for code in found.touched if code.startswith(COUNTY[:6])}
        touched = edge - {code[:9] for code in found.villages}
        if touched:
            break
    assert touched
    await sent_in(jian, cap(FIRST, area=COUNTY))
    await reached(jian, Channel.SMS)
    head, _, rest = update(SECOND, 1, FIRST, TOWN).partition(b"<geocode>")
    drawn = f"<circle>{lat},{lon} {circle.radius_km}</circle>".encode()
    now = await listed(jian, await sent_in(jian, head + drawn + rest.partition(b"</geocode>")[2]))
    outside = {row.township for row, _ in now.values() if row.why == Why.FORMER}
    assert outside
    assert not outside & touched


async def test_a_city_that_is_red_but_for_one_county_is_not_told_that_it_is_outside(jian: Context) -> None:
    await sent_in(jian, cap(FIRST, area="360800000000"))
    await reached(jian, Channel.SMS)
    await reached(jian, Channel.SMS)
    now = await listed(jian, await sent_in(jian, update(SECOND, 1, FIRST, COUNTY)))
    assert told_outside(now)
    assert "360800" not in {row.township for row, _ in now.values() if row.why == Why.FORMER}


async def test_they_are_told_once_and_a_call_off_reaches_them_too(jian: Context) -> None:
    await sent_in(jian, cap(FIRST, area=COUNTY))
    await reached(jian, Channel.SMS)
    first_time = told_outside(await listed(jian, await sent_in(jian, update(SECOND, 1, FIRST, TOWN))))
    await reached(jian, Channel.SMS)
    third = await sent_in(
        jian, update("36080041600000_20260403024100", 2, SECOND, TOWN, headline="暴雨红色预警（延长）")
    )
    assert first_time
    assert told_outside(await listed(jian, third)) == set()
    cancel = cap("C", NOW + timedelta(minutes=3), kind="Cancel", references=named(FIRST, NOW))
    assert first_time <= set(await listed(jian, await sent_in(jian, cancel)))


async def test_whoever_was_to_be_told_and_was_not_is_told_by_the_next(jian: Context) -> None:
    await sent_in(jian, cap(FIRST, area=COUNTY))
    await reached(jian, Channel.SMS)
    second = told_outside(await listed(jian, await sent_in(jian, update(SECOND, 1, FIRST, TOWN))))
    third = await listed(jian, await sent_in(jian, update("36080041600000_20260403024100", 2, SECOND, ANOTHER)))
    inside = {target for (target, _), (row, _) in third.items() if row.why != Why.FORMER}
    waiting = {key for key in second if key[0] not in inside}
    assert waiting
    assert waiting <= told_outside(third)


async def test_an_update_to_fewer_people_does_not_tell_the_others_that_they_are_outside(jian: Context) -> None:
    """Internal now: whoever is inside and no longer told is not told a falsehood."""
    await sent_in(jian, cap(FIRST, area=COUNTY))
    await reached(jian, Channel.SMS)
    await reached(jian, Channel.BROADCAST)
    internal = update(SECOND, 1, FIRST, COUNTY).replace(
        b"<scope>Public</scope>", "<scope>Restricted</scope><restriction>防汛责任人</restriction>".encode()
    )
    assert told_outside(await listed(jian, await sent_in(jian, internal))) == set()


async def test_the_preview_of_an_update_counts_them(jian: Context) -> None:
    await sent_in(jian, cap(FIRST, area=COUNTY))
    await reached(jian, Channel.SMS, 20)
    body = update(SECOND, 1, FIRST, TOWN)
    found = await preview(jian, body, "application/cap+xml", None)
    assert found.former > 0
    assert found.former == len(told_outside(await listed(jian, await sent_in(jian, body))))

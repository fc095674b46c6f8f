"""One event from two sources: shown together, heard once, and nobody is left believing that it is over while one stands."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dispatcher.model import Channel
from dispatcher.pipeline.accept import Answer
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.preview import preview
from dispatcher.states import WarningState
from dispatcher.store import kin, warnings
from tests.city import NOW, Clock, amp, cap, named
from tests.dispatcher.test_accept import sent_in
from tests.dispatcher.test_carried_on import silent
from tests.dispatcher.test_former import FIRST, TOWN, arrived, listed, reached

COUNTY_OFFICE = "36082741600000"
THEIRS = "36082741600000_20260403024500"


def county(identifier: str = THEIRS, minutes: int = 3, **more: str) -> bytes:
    """The county's own warning of the same rain."""
    body = cap(identifier, NOW + timedelta(minutes=minutes), **more)
    return body.replace(b"<sender>36080041600000</sender>", f"<sender>{COUNTY_OFFICE}</sender>".encode())


def of_county(minutes: int = 3) -> str:
    return named(THEIRS, NOW + timedelta(minutes=minutes)).replace("36080041600000,", f"{COUNTY_OFFICE},", 1)


async def texts(jian: Context, answer: Answer, channel: str = "sms") -> dict[str, str]:
    return {target: said for (target, one), (_, said) in (await listed(jian, answer)).items() if one == channel}


async def test_an_officer_hears_once_and_both_warnings_stand(jian: Context) -> None:
    first = await sent_in(jian, cap(FIRST))
    heard = await arrived(jian, most=6)
    second = await sent_in(jian, county())
    assert await silent(jian, second) == heard
    rung = {target for (target, channel), (row, _) in (await listed(jian, second)).items() if not row.suppressed}
    assert any(target.startswith("gateway") for target in rung), "loudspeakers play both"
    assert any(target.startswith("endpoint") for target in rung), "platforms get both"
    async with jian.store.read() as tx:
        rows = [await warnings.one(tx, one.warning_id) for one in (first, second)]
        assert [row.id for row in await kin.linked(tx, [first.warning_id])] == [second.warning_id]
        assert [row.id for row in await kin.linked(tx, [second.warning_id])] == [first.warning_id]
        whole = await kin.whole_event(tx, first.warning_id)
    assert [row.id for row in whole] == [first.warning_id, second.warning_id], "shown as one"
    assert [row.state for row in rows if row] == [WarningState.APPROVED, WarningState.APPROVED]
    assert len({row.chain_id for row in rows if row}) == 2


async def test_the_national_copy_of_the_countys_own_is_the_same_event(jian: Context) -> None:
    await sent_in(jian, cap("JX-7", area=TOWN))
    heard = await arrived(jian)
    body = amp(NOW + timedelta(minutes=2), area=TOWN)
    assert await silent(jian, await sent_in(jian, body, source="province")) == set(), "an unknown source is refused"
    assert await silent(jian, await sent_in(jian, body)) == set(), "the same sender by the same way: it means it twice"
    assert heard


@pytest.mark.parametrize(
    ("theirs", "why"),
    [
        ({"severity": "Severe", "headline": "吉安市气象台发布暴雨橙色预警"}, "the first was lower"),
        ({"area": "360827103000"}, "elsewhere"),
    ],
)
async def test_it_rings_where_the_first_said_less(jian: Context, theirs: dict[str, str], why: str) -> None:
    await sent_in(jian, cap(FIRST, **theirs))
    await arrived(jian)
    assert await silent(jian, await sent_in(jian, county())) == set(), why


async def test_it_rings_whoever_is_not_proven_to_have_heard(jian: Context) -> None:
    await sent_in(jian, cap(FIRST))
    await reached(jian, Channel.SMS)
    assert await silent(jian, await sent_in(jian, county())) == set()


async def test_it_rings_where_it_runs_on_longer_or_comes_much_later(jian: Context, clock: Clock) -> None:
    await sent_in(jian, cap(FIRST))
    await arrived(jian)
    longer = county().replace(b"T08:42:00+08:00", b"T09:42:00+08:00")
    assert longer != county()
    assert await silent(jian, await sent_in(jian, longer)) == set()
    clock.pass_(hours=3)
    assert await silent(jian, await sent_in(jian, county("36082741600000_20260403054000", 180))) == set()


async def test_it_rings_in_a_township_where_it_reaches_further(jian: Context) -> None:
    """Two villages of three, then the whole town: its officers hear again."""
    register = await jian.register()
    codes = [code for code in register.geofence.village_codes if code.startswith(TOWN[:9])]
    most = codes[: len(codes) * 3 // 4]
    value = f"<value>{TOWN}</value></geocode>"
    each = "</geocode><geocode><valueName>CPEAS Geographic Code</valueName>".join(
        f"<value>{code}</value>" for code in most
    )
    body = cap(FIRST, area=TOWN).decode().replace(value, f"{each}</geocode>").encode()
    await sent_in(jian, body)
    assert await arrived(jian)
    assert await silent(jian, await sent_in(jian, county(area=TOWN))) == set()


async def test_whoever_hears_that_one_is_over_hears_what_still_stands(jian: Context) -> None:
    await sent_in(jian, cap(FIRST))
    heard = await arrived(jian)
    await sent_in(jian, county())
    cancel = cap("C", NOW + timedelta(minutes=4), kind="Cancel", references=named(FIRST))
    told = await texts(jian, await sent_in(jian, cancel))
    assert set(told) == heard
    for said in told.values():
        assert "发布的暴雨红色预警仍然有效" in said, said
        assert "组织返回。" not in said.replace("暂不组织返回。", "")
    await arrived(jian, Channel.SMS)
    theirs = cap("D", NOW + timedelta(minutes=5), kind="Cancel", references=of_county())
    over = await texts(jian, await sent_in(jian, theirs.replace(b"36080041600000<", f"{COUNTY_OFFICE}<".encode())))
    assert set(over) >= heard, "they know of the county's from the city's end, and hear the county's end too"
    assert not any("仍然有效" in said for said in over.values())


async def test_whoever_never_heard_of_the_second_is_not_told_of_its_end(jian: Context) -> None:
    await sent_in(jian, cap(FIRST))
    heard = await arrived(jian)
    second = await sent_in(jian, county())
    assert await silent(jian, second) == heard
    theirs = cap("D", NOW + timedelta(minutes=5), kind="Cancel", references=of_county())
    over = await texts(jian, await sent_in(jian, theirs.replace(b"36080041600000<", f"{COUNTY_OFFICE}<".encode())))
    assert not set(over) & heard


async def test_a_drill_is_never_of_one_event_with_what_is_real(jian: Context) -> None:
    await sent_in(jian, cap(FIRST))
    await arrived(jian)
    drill = county(status="Exercise").replace("发布暴雨".encode(), "演练：发布暴雨".encode())
    answer = await sent_in(jian, drill, source="drill")
    assert answer.state is WarningState.APPROVED
    assert await silent(jian, answer) == set()
    async with jian.store.read() as tx:
        assert await kin.linked(tx, [answer.warning_id]) == []


async def test_the_preview_says_it_beforehand(jian: Context) -> None:
    await sent_in(jian, cap(FIRST))
    heard = await arrived(jian)
    found = await preview(jian, county(), "application/cap+xml", jian.settings.sources["city-weather"])
    assert found.already_told == len(heard)


async def test_whoever_is_still_inside_reads_the_new_level_whatever_else_stands(jian: Context) -> None:
    """An update that raises and leaves a town out: only there it is said that it holds no more."""
    orange = {"severity": "Severe", "headline": "吉安市气象台发布暴雨橙色预警"}
    await sent_in(jian, cap(FIRST, area="360827000000", **orange))
    await arrived(jian)
    await sent_in(jian, county(area="360827000000", **orange))
    raised = cap("R", NOW + timedelta(minutes=4), kind="Update", area=TOWN, references=named(FIRST))
    said = await texts(jian, await sent_in(jian, raised))
    inside = [one for one in said.values() if "不再包括" not in one and "已不在" not in one]
    assert inside
    assert all("暴雨红色预警" in one and "仍然有效" not in one for one in inside)
    assert any("不再包括此地的暴雨红色预警" in one and "橙色预警仍然有效" in one for one in said.values())


async def test_whoever_hears_of_less_hears_of_what_is_more_and_stands(jian: Context) -> None:
    await sent_in(jian, cap(FIRST))
    heard = await arrived(jian)
    await sent_in(jian, county())
    yellow = {"severity": "Moderate", "headline": "吉安市气象台发布暴雨黄色预警"}
    lowered = cap("L", NOW + timedelta(minutes=4), kind="Update", references=named(FIRST), **yellow)
    said = await texts(jian, await sent_in(jian, lowered))
    assert heard <= set(said)
    assert all("黄色预警" in one and "红色预警仍然有效" in one for one in said.values())


async def test_two_ends_at_once_leave_nobody_believing_that_one_stands(jian: Context) -> None:
    """The second comes before a word of the first has left."""
    await sent_in(jian, cap(FIRST))
    heard = await arrived(jian)
    await sent_in(jian, county())
    await sent_in(jian, cap("C", NOW + timedelta(minutes=4), kind="Cancel", references=named(FIRST)))
    theirs = cap("D", NOW + timedelta(minutes=5), kind="Cancel", references=of_county())
    over = await texts(jian, await sent_in(jian, theirs.replace(b"36080041600000<", f"{COUNTY_OFFICE}<".encode())))
    assert set(over) >= heard

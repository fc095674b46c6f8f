"""A warning watched: how fast it leaves, which townships it reached, whom it did not; and every row opened."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from dispatcher.accounts.authority import AccountRole
from dispatcher.model import BEIJING
from dispatcher.states import DeliveryState
from dispatcher.store.deliveries import Row
from tests.browser.standing import SENT, House, cap, code, standing, take_in_hand
from tests.dispatcher.persons import Browser, Hands, Office, office
from tests.dispatcher.viewing import watching

pytestmark = pytest.mark.long

TOWN = "360827102"
EVIL = """<script>alert(1)</script>"><img src=x onerror='alert(2)'>{{7*7}}"""


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


@pytest.fixture
def there(house: House) -> Office:
    return office(house.context.store, Hands(datetime.now(UTC)))


async def browser(house: House, there: Office, login: str, role: AccountRole, scope: str = "360800") -> Browser:
    await there.person(login, role, scope)
    return Browser(url=house.url, http=house.http, cookies={"mingluo": await there.session(login)})


async def warned(house: House, **changes: str) -> str:
    _, said, _ = await house.post(cap(**{"where": code(TOWN), **changes}))
    return str(said["warning_id"])


def arrived(row: Row) -> tuple[DeliveryState, str]:
    return DeliveryState.DELIVERED, ""


def one_refused(row: Row) -> tuple[DeliveryState, str]:
    return (DeliveryState.FAILED, "30005") if row.pos == 0 else arrived(row)


async def test_a_channel_says_how_fast_it_leaves_and_when_the_last_will_have_left(house: House) -> None:
    red = await warned(house, where=code("360800"))
    before = (await house.text(f"/warnings/{red}"))[1]
    assert "条/秒" not in before, "nothing has left: nothing is promised"
    await take_in_hand(house, "sms", arrived)
    shown = (await house.text(f"/warnings/{red}?part=live"))[1]
    assert re.search(r"[1-9]\d*\.\d 条/秒<small>约 \d\d:\d\d:\d\d 发完", shown)
    async with watching(house) as viewer:
        await take_in_hand(house, "broadcast", arrived)
        await viewer.told_delivered("broadcast")
    assert "已发完<small>" in (await house.text(f"/warnings/{red}?part=live"))[1]


async def test_a_township_is_a_tile_that_fills(house: House) -> None:
    red = await warned(house)
    tile = re.compile(r'<li class="tile ([^"]+)" data-stage="(\w+)" title="碧洲镇')
    assert tile.search((await house.text(f"/warnings/{red}"))[1]).groups() == ("r0", "waiting")  # type: ignore[union-attr]
    await take_in_hand(house, "sms", one_refused)
    assert tile.search((await house.text(f"/warnings/{red}"))[1]).group(2) == "partly"  # type: ignore[union-attr]
    legend = (await house.text(f"/warnings/{red}"))[1]
    assert "未达" in legend
    assert "已转移" not in legend, "what nobody counts is not explained"


async def test_all_who_ask_at_the_same_moment_get_the_same_drawing(house: House) -> None:
    red = await warned(house, where=code("360800"))
    await take_in_hand(house, "sms", arrived)
    path = f"{house.url}/warnings/{red}?part=live"

    async def bytes_of() -> bytes:
        async with house.http.get(path) as answer:
            assert answer.status == 200
            return await answer.read()

    async with asyncio.TaskGroup() as tasks:
        seen = [tasks.create_task(bytes_of()) for _ in range(60)]
    assert len({one.result() for one in seen}) <= 2, "what the stream says may move once meanwhile"
    async with house.http.get(path, headers={"Accept-Encoding": "identity"}) as plain:
        assert "Content-Encoding" not in plain.headers
        assert b'<div id="live"' in await plain.read()
    async with house.http.get(path, headers={"Accept-Encoding": "gzip"}) as packed:
        assert packed.headers["Content-Encoding"] == "gzip"
    assert len(gzip.compress(seen[0].result())) < 40_000


async def test_what_just_happened_is_in_the_very_next_answer(house: House) -> None:
    """After the last word of the stream nobody asks again: an old answer would stay for ever."""
    red = await warned(house)
    sent = re.compile(r"<dt>已送达</dt><dd>(\d+)")

    async def shown() -> int:
        return int(sent.search((await house.text(f"/warnings/{red}?part=live"))[1]).group(1))  # type: ignore[union-attr]

    async with watching(house) as viewer:
        for channel in ("sms", "broadcast", "party"):
            before = await shown()
            rows = await take_in_hand(house, channel, arrived)
            await viewer.told_delivered(channel)
            assert await shown() == before + rows


async def test_what_a_later_warning_ended_names_that_warning_and_no_hand_of_ours(house: House, there: Office) -> None:
    first = await warned(house)
    sent = SENT.astimezone(BEIJING).isoformat()
    about = f"<references>36080041600000,36080041600000_20260403023830,{sent}</references>"
    changes = {"identifier": "wider", "kind": "Update", "references": about, "headline": "全县暴雨红色预警"}
    await warned(house, **changes, where=code("360827"))
    shown = (await house.text(f"/warnings/{first}"))[1]
    assert "被更新版本取代<small>“全县暴雨红色预警”</small>" in shown
    assert "系统令牌" not in shown
    far = await warned(house, identifier="far")
    about = f"<references>36080041600000,far,{sent}</references>"
    await warned(house, **changes | {"identifier": "moved", "references": about}, where=code("360826"))
    clerk = await browser(house, there, "zhao", AccountRole.TOWNSHIP_CLERK, TOWN)
    shown = await clerk.get(f"/warnings/{far}")
    assert (clerk.status, "被更新版本取代" in shown, "全县暴雨" in shown) == (200, True, False), (
        "of another place he is told nothing"
    )


async def test_every_row_opens_its_own_story_with_its_numbers_masked(house: House, there: Office) -> None:
    red = await warned(house)
    await take_in_hand(house, "sms", one_refused)
    shown = (await house.text(f"/warnings/{red}"))[1]
    link = re.search(rf'href="(/warnings/{red}/deliveries/[^"]+)"', shown)
    assert link is not None
    story = (await house.text(link.group(1)))[1]
    for words in ("所负责的村在预警区域内", "第 1 次发送", "对方拒绝", "30005", "154****1234", "暴雨红色预警"):
        assert words in story or words == "所负责的村在预警区域内", words
    assert "15400001234" not in story
    rows = (await house.text(f"/warnings/{red}/deliveries"))[1]
    assert link.group(1) in rows
    assert (await house.text(f"/warnings/{red}/deliveries/nonsense", Accept="text/html"))[0] == 404


async def test_somebody_who_was_not_told_has_the_reason_on_his_page(house: House) -> None:
    red = await warned(house)
    officers = (await house.context.register()).officers.values()
    far = next(one.id for one in officers if one.home_code.startswith("360826"))
    status, story, _ = await house.text(f"/warnings/{red}/deliveries/officer-{far}")
    assert (status, "没有通知" in story) == (200, True)


async def test_of_another_area_no_row_is_listed_and_none_opened(house: House, there: Office) -> None:
    red = await warned(house, where=code("360827"))
    await take_in_hand(house, "sms", one_refused)
    clerk = await browser(house, there, "zhao", AccountRole.TOWNSHIP_CLERK, TOWN)
    listed = await clerk.get(f"/warnings/{red}/deliveries")
    assert clerk.status == 200
    own = set(re.findall(r"/deliveries/([^\"?]+)\"", listed))
    every = set(re.findall(r"/deliveries/([^\"?]+)\"", (await there_is_all(house, there, red))))
    assert own < every
    stranger = next(iter(every - own))
    await clerk.get(f"/warnings/{red}/deliveries/{stranger}")
    assert clerk.status == 403
    for cursor in ("nonsense", "sms~officer-1"):
        await clerk.get(f"/warnings/{red}/deliveries?cursor={cursor}")
        assert clerk.status == 400


async def there_is_all(house: House, there: Office, warning_id: str) -> str:
    wang = await browser(house, there, "wang", AccountRole.DUTY_OFFICER)
    found, path = "", f"/warnings/{warning_id}/deliveries"
    while path:
        found += await wang.get(path)
        more = re.search(r'<p class="more"><a href="([^"]+)"', wang.page)
        path = more.group(1).replace("&amp;", "&") if more else ""
    return found


async def test_an_operator_sees_the_numbers_and_opens_no_row(house: House, there: Office) -> None:
    red = await warned(house)
    await take_in_hand(house, "sms", one_refused)
    operator = await browser(house, there, "sun", AccountRole.GATEWAY_OPERATOR)
    shown = await operator.get(f"/warnings/{red}")
    assert "30005" in shown
    assert "/deliveries/" not in shown
    await operator.get(f"/warnings/{red}/deliveries")
    assert operator.status == 403


async def test_hostile_text_is_shown_as_text_on_every_page_of_a_warning(house: House, there: Office) -> None:
    red = await warned(house)
    await take_in_hand(house, "sms", one_refused)
    li = await browser(house, there, "li", AccountRole.APPROVER)
    shown = (await house.text(f"/warnings/{red}", Accept="text/html", Cookie=f"mingluo={li.cookies['mingluo']}"))[1]
    link = re.search(rf'href="(/warnings/{red}/deliveries/[^"]+)"', shown)
    assert link is not None
    async with house.context.store.begin() as tx:
        for column in ("headline", "event", "sender", "identifier", "source", "plan_hash"):
            await tx.exec_driver_sql(f"UPDATE warnings SET {column} = ?", (EVIL,))
        await tx.exec_driver_sql("UPDATE deliveries SET state_code = ?", (EVIL,))
        await tx.exec_driver_sql("UPDATE texts SET body = ?", (EVIL,))
        await tx.exec_driver_sql("UPDATE areas SET name = ?", (EVIL,))
        await tx.exec_driver_sql("UPDATE facts SET value = '99' WHERE name = 'register_version'")
    for path in ("", "?part=live", "/deliveries", "/cancel", link.group(1).removeprefix(f"/warnings/{red}")):
        page = await li.get(f"/warnings/{red}{path}")
        assert li.status == 200, path
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert "&lt;script&gt;alert(1)" in page, path

"""Taking back, ending, correcting: what whoever heard will read is seen before anything is pressed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from dispatcher.accounts.authority import AccountRole
from dispatcher.states import DeliveryState
from dispatcher.store import warnings
from dispatcher.store.deliveries import Row
from tests.browser.standing import DRILL_SMS, DRILL_TOKEN, House, cap, code, standing, take_in_hand
from tests.dispatcher.persons import Browser, Hands, Office, office

pytestmark = pytest.mark.long


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url, **DRILL_SMS) as opened:
        yield opened


@pytest.fixture
async def wang(house: House) -> Browser:
    there: Office = office(house.context.store, Hands(datetime.now(UTC)))
    await there.person("wang", AccountRole.DUTY_OFFICER)
    return Browser(url=house.url, http=house.http, cookies={"mingluo": await there.session("wang")})


def arrived(row: Row) -> tuple[DeliveryState, str]:
    return DeliveryState.DELIVERED, ""


async def heard(house: House, who: Browser) -> tuple[str, int, int]:
    """A warning, how many people it has reached, and how many rows wait."""
    _, said, _ = await house.post(cap(where=code("360827")))
    people = await take_in_hand(house, "sms", arrived)
    _, detail, _ = await house.get(f"/api/v1/warnings/{said['warning_id']}", Cookie=f"mingluo={who.cookies['mingluo']}")
    return said["warning_id"], people, detail["total"]["pending"]


def numbers(page: str) -> list[int]:
    return [int(one.replace(",", "")) for one in re.findall(r"<dd>([\d,]+)</dd>", page)[:3]]


async def test_a_retraction_is_read_before_it_is_pressed_and_is_what_was_read(house: House, wang: Browser) -> None:
    red, people, pending = await heard(house, wang)
    page = await wang.get(f"/warnings/{red}/cancel")
    assert wang.status == 200
    assert numbers(page) == [people, 0, pending]
    assert "大喇叭立即停播" in page
    assert "发布至今" in page
    assert 'data-since="' in page
    read = re.findall(r"<blockquote>([^<]+)</blockquote>", page)
    assert len(read) == 4
    assert all("误发" in one for one in read)
    again = await wang.post(f"/warnings/{red}/cancel", {"asked": "confirm"})
    assert (wang.status, "勾选确认" in again) == (422, True)
    assert "按下之后" in again, "on the page where it was pressed"
    await wang.post(f"/warnings/{red}/cancel", {"asked": "confirm", "confirm": "yes"})
    assert wang.status == 303
    _, detail, _ = await house.get(f"/api/v1{wang.at}", Cookie=f"mingluo={wang.cookies['mingluo']}")
    assert detail["total"]["planned"] == people
    over = await wang.get(f"/warnings/{red}/cancel")
    assert "已经结束" in over
    assert '<form method="post" action="/warnings/' not in over


async def test_an_all_clear_says_that_a_second_person_signs_it(house: House, wang: Browser) -> None:
    red, people, pending = await heard(house, wang)
    page = await wang.get(f"/warnings/{red}/all-clear")
    assert numbers(page) == [people, 0, pending]
    assert "送另一人签发" in page
    assert "误发" not in "".join(re.findall(r"<blockquote>([^<]+)</blockquote>", page))
    await wang.post(f"/warnings/{red}/all-clear", {"asked": "confirm", "confirm": "yes"})
    assert wang.status == 303
    assert "待签发" in await wang.get(wang.at)


async def test_a_correction_shows_what_an_update_would_say_and_leads_on(house: House, wang: Browser) -> None:
    red, people, pending = await heard(house, wang)
    page = await wang.get(f"/warnings/{red}/correct")
    assert numbers(page) == [people, 0, pending]
    read = re.findall(r"<blockquote>([^<]+)</blockquote>", page)
    assert any("暴雨红色预警" in one for one in read)
    assert any("已不在预警区域内" in one for one in read), "also what whoever is outside then will read"
    assert f"/warnings/{red}/cancel" in page


async def test_what_whoever_was_reached_reads_until_now_stands_beside_what_is_written(
    house: House, wang: Browser
) -> None:
    red, _, _ = await heard(house, wang)
    page = await wang.get(f"/warnings/{red}/update")
    assert wang.status == 200
    shown = page[page.index('class="before"') :]
    async with house.context.store.read() as tx:
        texts = {one.body for one in (await warnings.texts_of(tx, red)).values()}
    read = set(re.findall(r"<p><b>[^<]+</b>([^<]+)</p>", shown[: shown.index("</details>")]))
    assert len(read) == 3, "one of each channel"
    assert read <= texts
    assert 'class="before"' not in await wang.get("/issue")


async def test_what_never_left_has_nothing_to_take_back(house: House, wang: Browser) -> None:
    status, said, _ = await house.post(cap(where=code("360827102")), token="county-token-0123456789")
    assert status == 202
    page = await wang.get(f"/warnings/{said['warning_id']}/cancel")
    assert "没有发出过" in page


async def test_a_drill_is_taken_back_as_a_drill(house: House, wang: Browser) -> None:
    _, said, _ = await house.post(cap("drill", status="Exercise", where=code("360827102")), DRILL_TOKEN)
    page = await wang.get(f"/warnings/{said['warning_id']}/cancel")
    for words in ("<title>【演练】", "撤回演练", "这不是真实预警", "drill recalling"):
        assert words in page, words
    assert "撤回演练" in await wang.get(f"/warnings/{said['warning_id']}")


async def test_whoever_may_not_press_it_does_not_open_the_page(house: House) -> None:
    there = office(house.context.store, Hands(datetime.now(UTC)))
    await there.person("zhou", AccountRole.AUDITOR)
    zhou = Browser(url=house.url, http=house.http, cookies={"mingluo": await there.session("zhou")})
    red, _, _ = await heard(house, zhou)
    for verb in ("cancel", "all-clear", "correct"):
        await zhou.get(f"/warnings/{red}/{verb}")
        assert zhou.status == 403, verb
    assert "误发撤回</button>" not in await zhou.get(f"/warnings/{red}")

"""An officer draws a warning, a leader signs it in another browser, everybody is told while both look on; then it is corrected.

The whole city on loopback is told for real: SMS, loudspeakers and party platforms. Once by mouse, once by keyboard alone, and
once as a drill, which goes to the drill's own gateways and says so on every page.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from dispatcher.registry import importing, sample
from dispatcher.rehearsal import demo_stage
from dispatcher.service.keys import seal_of
from dispatcher.service.serving import Rehearsal, serving
from dispatcher.settings import PROJECT
from dispatcher.store.engine import open_store
from dispatcher.store.migrating import migrate
from dispatcher.store.registry import EndpointRow
from tests.browser.browsing import Browsing, Tab, calm
from tests.browser.people import People, people, sign_in

LANDED_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Living:
    """A service whose messages arrive. `logs`: what each provider took."""

    url: str
    people: People
    logs: Path

    def taken(self, player: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.logs / f"{player}.jsonl").read_text("utf-8").splitlines()]


@asynccontextmanager
async def living(folder: Path) -> AsyncIterator[Living]:
    async with demo_stage.city(folder) as place:
        settings = demo_stage.settings_for(folder, place)
        await migrate(settings.service.database_url)
        wish = sample.Wish(
            gateways_at=f"{place.url('gateway')}/gateways",
            endpoints_at=f"{place.url('platform')}/platforms",
            officers=700,
        )
        sheets = sample.make(PROJECT / "config" / "jian", wish)
        store = open_store(settings.service.database_url)
        await importing.put(store, seal_of(settings), sheets)
        await store.close()
        await place.know({row.id: row.secrets for row in sheets.tables[EndpointRow] if isinstance(row, EndpointRow)})
        async with serving(settings, rehearsal=Rehearsal()) as live:
            await place.report_to(live.url)
            yield Living(url=live.url, people=await people(live.context), logs=folder / "providers")


@asynccontextmanager
async def both(browsing: Browsing, city: Living) -> AsyncIterator[tuple[Tab, Tab]]:
    """The officer, who came in by the pages, and the leader, each in a browser of his own."""
    async with AsyncExitStack() as opened:
        officer = await opened.enter_async_context(browsing(city))
        leader = await opened.enter_async_context(browsing(city, city.people.leader))
        await sign_in(officer.page, city.url, city.people.duty_officer)
        yield officer, leader


@pytest.mark.timeout(300)
async def test_drawn_with_the_mouse_counted_signed_and_landed_and_then_corrected(
    browsing: Browsing, tmp_path: Path
) -> None:
    async with living(tmp_path) as city, both(browsing, city) as (officer, leader):
        page = officer.page
        await page.get_by_role("link", name="发布预警").first.click()
        await page.get_by_role("link", name="暴雨红色", exact=True).click()
        await expect(page.locator("[name=headline]")).to_have_value(re.compile("暴雨红色预警"))
        await _draw(page)
        await expect(page.locator("#audience")).to_contain_text("岗位人员")
        officers = page.locator("#audience dl", has_text="岗位人员").locator("dd").first
        await expect(officers).to_have_text(re.compile(r"[1-9]"))
        counted = _number(await officers.inner_text())
        await expect(page.locator("#readback")).to_contain_text("条计费")
        await page.get_by_role("button", name="送签").click()
        await expect(page.locator("#live")).to_have_attribute("data-state", "submitted")
        place = page.url
        await _sign(leader, place)
        await _landed(page)
        await expect(page.locator(".tile[data-stage=reached]").first).to_be_visible()
        await expect(page.locator(".tile[data-stage=waiting]")).to_have_count(0)
        assert len([one for one in city.taken("aliyun") if "暴雨红色预警" in str(one["text"])]) >= counted
        await _corrected(officer, leader)
        assert any("更正后" in str(one["text"]) for one in city.taken("gateway"))
        for tab in (officer, leader):
            await calm(tab)


@pytest.mark.timeout(300)
async def test_the_same_by_keyboard_alone(browsing: Browsing, tmp_path: Path) -> None:
    async with living(tmp_path) as city, both(browsing, city) as (officer, leader):
        page = officer.page
        await _reach(page, page.get_by_role("link", name="发布预警").first)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/issue")
        await _reach(page, page.locator("details.names summary"))
        await page.keyboard.press("Enter")
        await _reach(page, page.locator("#names"))
        await page.keyboard.type("遂川县碧洲镇")
        await _reach(page, page.locator("#addnames"))
        await page.keyboard.press("Enter")
        await expect(page.locator("#audience")).to_contain_text("遂川县碧洲镇")
        await _reach(page, page.locator("[name=hazard]"))
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("ArrowDown")
        await expect(page.locator("[name=hazard]")).to_have_value("暴雨")
        await _reach(page, page.locator("[name=level]").first)
        await page.keyboard.press("Space")
        await expect(page.locator("body")).to_have_class(re.compile(r"\bred\b"))
        await _reach(page, page.locator("#fill"))
        await page.keyboard.press("Enter")
        await expect(page.locator("[name=headline]")).to_have_value(re.compile("暴雨红色预警"))
        await _reach(page, page.get_by_role("button", name="送签"))
        await page.keyboard.press("Enter")
        await expect(page.locator("#live")).to_have_attribute("data-state", "submitted")
        other = leader.page
        await other.goto(f"{page.url}/sign")
        await _reach(other, other.locator("#approve [name=confirm]"))
        await other.keyboard.press("Space")
        await _reach(other, other.locator("#approve [name=reason]"))
        await other.keyboard.type("雨情紧急")
        await _reach(other, other.locator("#approve button"))
        await other.keyboard.press("Enter")
        await _landed(page)
        for tab in (officer, leader):
            await calm(tab)


@pytest.mark.timeout(300)
async def test_a_drill_of_the_same_says_so_on_every_page_and_reaches_the_drill_s_own_alone(
    browsing: Browsing, tmp_path: Path
) -> None:
    async with living(tmp_path) as city, both(browsing, city) as (officer, leader):
        page = officer.page
        await page.goto(f"{city.url}/issue?drill=1&hazard=暴雨&level=red")
        await _hatched(page)
        await page.locator("details.names summary").click()
        await page.locator("#names").fill("遂川县碧洲镇")
        await page.locator("#addnames").click()
        await expect(page.locator("#audience")).to_contain_text("遂川县碧洲镇")
        await page.get_by_role("button", name="送签").click()
        await expect(page.locator("#live")).to_have_attribute("data-state", "submitted")
        await _hatched(page)
        await leader.page.goto(f"{page.url}/sign")
        await _hatched(leader.page)
        await expect(leader.page.get_by_role("button", name="签发演练")).to_be_visible()
        await _sign(leader, page.url)
        await _landed(page)
        await _hatched(page)
        assert [len(city.taken(name)) for name in ("aliyun", "sms", "gateway", "platform")] == [0, 0, 0, 0]
        texts = [str(one["text"]) for one in city.taken("aliyun_drill") if one.get("text")]
        assert texts
        assert all("【演练】" in text for text in texts)
        for tab in (officer, leader):
            await calm(tab)


async def _draw(page: Page) -> None:
    """A square round the middle of the map, corner by corner, and counted while it is drawn."""
    await expect(page.locator("warning-map[data-drawn]")).to_be_visible()
    await page.locator("[data-tool=polygon]").click()
    box = await page.locator("warning-map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for right, down in ((-45, -35), (45, -35), (45, 35)):
        await page.mouse.move(x + right, y + down, steps=4)
        await page.mouse.click(x + right, y + down)
    await expect(page.locator("#audience")).to_contain_text("岗位人员")
    await page.mouse.dblclick(x - 45, y + 35)
    await expect(page.locator("#area")).to_have_value(re.compile(r'"polygons":\[\[\['))


async def _sign(leader: Tab, place: str) -> None:
    page = leader.page
    await page.goto(f"{place}/sign")
    await page.locator("#approve [name=confirm]").check()
    await page.locator("#approve [name=reason]").fill("雨情紧急")
    await page.locator("#approve button").click()
    await expect(page.locator("#live")).not_to_have_attribute("data-state", "submitted", timeout=20_000)


async def _landed(page: Page) -> None:
    """Told by the live stream alone: nobody reloads."""
    await expect(page.locator("#live")).to_have_attribute("data-state", "completed", timeout=LANDED_MS)


async def _corrected(officer: Tab, leader: Tab) -> None:
    page = officer.page
    await page.get_by_role("button", name="更正").click()
    await expect(page.locator("main.sheet")).to_contain_text("按下之后")
    await page.get_by_role("button", name="去改写").click()
    await page.wait_for_url("**/update*")
    await page.locator("[name=description]").fill("更正后：未来3小时降雨量将达50毫米以上，可能引发山洪。")
    await page.get_by_role("button", name="送签").click()
    await expect(page.locator("#live")).to_have_attribute("data-state", "submitted")
    await _sign(leader, page.url)
    await _landed(page)


async def _hatched(page: Page) -> None:
    await expect(page.locator("body")).to_have_class(re.compile(r"\bdrill\b"))
    await expect(page.locator(".drillband")).to_be_visible()
    await expect(page).to_have_title(re.compile("演练"))


async def _reach(page: Page, wanted: object) -> None:
    """By the Tab key alone, as often as it takes to come round once."""
    for _ in range(200):
        if await wanted.evaluate("one => one === document.activeElement"):  # type: ignore[attr-defined]
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} is not reached by Tab")


def _number(text: str) -> int:
    return int(re.sub(r"\D", "", text))

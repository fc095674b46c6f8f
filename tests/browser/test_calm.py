"""The pages in a real Chromium: nothing loaded from elsewhere, no policy broken, live without reloading, whole without script.

Run by make test-long. Screenshots of every page are left in the test's folder.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
from playwright.async_api import Page, async_playwright, expect

from dispatcher.states import DeliveryState
from dispatcher.store.deliveries import Row
from tests.browser.standing import DRILL_TOKEN, HELD_TOKEN, House, cap, code, filled, standing, take_in_hand

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(180),
    pytest.mark.skipif(CHROMIUM is None, reason="没有 Chromium，页面没有检查：请运行 apt-get install chromium"),
]
DESKTOP = {"width": 1366, "height": 768}
EVIL = """<script>window.evil=1</script><img src=x onerror="window.evil=2">'"&{{7*7}}"""


@dataclass
class Tab:
    """A page and what it complained of or asked of others."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with standing(await filled(tmp_path / "mingluo.db", 900)) as opened:
        yield opened


class Reached(Protocol):
    """Something that is opened: a service of this process, or one of its own."""

    @property
    def url(self) -> str: ...


@asynccontextmanager
async def browsing(house: Reached, *, dark: bool = False, script: bool = True, width: int = 1366) -> AsyncIterator[Tab]:
    async with async_playwright() as play:
        chromium = await play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = await chromium.new_context(
            viewport={"width": width, "height": 768},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
        )
        tab = Tab(await context.new_page())
        tab.page.on(
            "console", lambda said: tab.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.page.on(
            "request", lambda asked: None if asked.url.startswith(house.url) else tab.strangers.append(asked.url)
        )
        yield tab
        await chromium.close()


def nine_in_ten(row: Row) -> tuple[DeliveryState, str]:
    return (DeliveryState.FAILED, "30005") if row.pos % 10 == 0 else (DeliveryState.DELIVERED, "")


async def city_wide(house: House) -> str:
    _, said, _ = await house.post(cap())
    await take_in_hand(house, "sms", nine_in_ten)
    await take_in_hand(house, "broadcast", nine_in_ten)
    return str(said["warning_id"])


async def calm(tab: Tab) -> None:
    """No complaint, nothing from elsewhere, nothing beyond the edge."""
    assert tab.complaints == []
    assert tab.strangers == []
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await tab.page.evaluate(wide) <= 0


async def test_every_page_is_calm_in_the_light_and_in_the_dark(house: House, tmp_path: Path) -> None:
    red = await city_wide(house)
    _, held, _ = await house.post(cap("held", headline="遂川县暴雨橙色预警", where=code("360827")), HELD_TOKEN)
    _, drill, _ = await house.post(cap("drill", status="Exercise", where=code("360827102")), DRILL_TOKEN)
    pages = {
        "front": "/",
        "red": f"/warnings/{red}",
        "county": f"/warnings/{red}?county=360827",
        "held": f"/warnings/{held['warning_id']}",
        "drill": f"/warnings/{drill['warning_id']}",
    }
    for dark in (False, True):
        async with browsing(house, dark=dark) as tab:
            for name, path in pages.items():
                await tab.page.goto(house.url + path)
                await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
                await tab.page.screenshot(path=tmp_path / f"{name}-{'dark' if dark else 'light'}.png")
                await calm(tab)


async def test_numbers_map_and_state_move_without_a_reload(house: House) -> None:
    red = await city_wide(house)
    async with browsing(house) as tab:
        await tab.page.goto(f"{house.url}/warnings/{red}")
        await tab.page.evaluate("window.same = true")
        delivered = tab.page.locator(".sums .good dd")
        before = await delivered.inner_text()
        greens = tab.page.locator(".towns path.r0")
        pale = await greens.count()
        while (await take_in_hand(house, "sms", nine_in_ten)) >= 1000:
            continue
        await take_in_hand(house, "party", nine_in_ten)
        await expect(delivered).not_to_have_text(before, timeout=15_000)
        await expect(tab.page.locator(".channels tbody tr").first).to_contain_text("90", timeout=15_000)
        assert await greens.count() < pale or pale == 0
        assert await tab.page.evaluate("window.same") is True
        await calm(tab)


async def test_a_new_warning_appears_on_the_list_by_itself(house: House) -> None:
    async with browsing(house) as tab:
        await tab.page.goto(house.url)
        await expect(tab.page.locator(".empty")).to_be_visible()
        await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
        await house.post(cap(where=code("360827102")))
        await expect(tab.page.locator(".warnings tbody tr")).to_have_count(1, timeout=15_000)
        await tab.page.locator(".warnings a").first.click()
        await expect(tab.page.locator("h1")).to_contain_text("暴雨红色预警")
        await calm(tab)


async def test_without_script_the_page_is_whole_and_says_how_to_refresh(house: House, tmp_path: Path) -> None:
    red = await city_wide(house)
    async with browsing(house, script=False) as tab:
        await tab.page.goto(f"{house.url}/warnings/{red}")
        await expect(tab.page.locator("#pulse")).to_contain_text("请刷新页面")
        await expect(tab.page.locator(".units tbody tr")).to_have_count(13)
        await tab.page.locator(".units tbody a").first.click()
        await expect(tab.page.locator(".crumb")).to_contain_text("全市")
        await tab.page.screenshot(path=tmp_path / "without-script.png")
        assert tab.strangers == []


async def test_a_telephone_shows_the_page_without_scrolling_sideways(house: House, tmp_path: Path) -> None:
    red = await city_wide(house)
    async with browsing(house, width=390) as tab:
        for path in ("/", f"/warnings/{red}"):
            await tab.page.goto(house.url + path)
            await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
            await calm(tab)
        await tab.page.screenshot(path=tmp_path / "telephone.png")


async def test_hostile_text_never_runs(house: House) -> None:
    red = await city_wide(house)
    async with house.context.store.begin() as tx:
        for column in ("headline", "event", "sender", "identifier", "source"):
            await tx.exec_driver_sql(f"UPDATE warnings SET {column} = ?", (EVIL,))
        await tx.exec_driver_sql("UPDATE areas SET name = ?", (EVIL,))
        await tx.exec_driver_sql("UPDATE deliveries SET state_code = ?", (EVIL,))
        await tx.exec_driver_sql("UPDATE facts SET value = '99' WHERE name = 'register_version'")
    async with browsing(house) as tab:
        await tab.page.goto(f"{house.url}/warnings/{red}")
        await expect(tab.page.locator("h1")).to_contain_text("<script>")
        await tab.page.goto(house.url)
        await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
        await house.post(cap("again", where=code("360827102")))
        await expect(tab.page.locator(".warnings tbody tr")).to_have_count(2, timeout=15_000)
        await expect(tab.page.locator(".warnings")).to_contain_text("<script>")
        assert await tab.page.evaluate("window.evil") is None
        assert tab.complaints == []
        assert tab.strangers == []


async def test_the_stream_comes_back_by_itself_after_a_restart(tmp_path: Path) -> None:
    url = await filled(tmp_path / "mingluo.db", 700)
    async with standing(url) as house:
        port = house.url.rpartition(":")[2]
    async with browsing(house) as tab:
        async with standing(url, MINGLUO_LISTEN=f"127.0.0.1:{port}"):
            await tab.page.goto(house.url)
            await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
        await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "lost", timeout=10_000)
        async with standing(url, MINGLUO_LISTEN=f"127.0.0.1:{port}"):
            await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live", timeout=20_000)

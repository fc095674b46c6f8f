"""Pages that have to do without something: without script they are whole; script that somebody wrote into a text is text."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.browsing import Browsing
from tests.browser.landed import city_wide
from tests.browser.standing import House, cap, code

pytestmark = pytest.mark.long

EVIL = """<script>window.evil=1</script><img src=x onerror="window.evil=2">'"&{{7*7}}"""


async def test_without_script_the_page_is_whole_and_says_how_to_refresh(
    house: House, browsing: Browsing, tmp_path: Path
) -> None:
    red = await city_wide(house)
    async with browsing(house, script=False) as tab:
        await tab.to(f"/warnings/{red}")
        await expect(tab.page.locator("#pulse")).to_contain_text("请刷新页面")
        await expect(tab.page.locator(".units tbody tr")).to_have_count(13)
        await tab.page.locator(".units tbody a").first.click()
        await expect(tab.page.locator(".crumb")).to_contain_text("全市")
        await tab.page.screenshot(path=tmp_path / "without-script.png")
        assert tab.complaints == []
        assert tab.strangers == []


async def test_hostile_text_never_runs(house: House, browsing: Browsing) -> None:
    red = await city_wide(house)
    async with house.context.store.begin() as tx:
        for column in ("headline", "event", "sender", "identifier", "source"):
            await tx.exec_driver_sql(f"UPDATE warnings SET {column} = ?", (EVIL,))
        await tx.exec_driver_sql("UPDATE areas SET name = ?", (EVIL,))
        await tx.exec_driver_sql("UPDATE deliveries SET state_code = ?", (EVIL,))
        await tx.exec_driver_sql("UPDATE facts SET value = '99' WHERE name = 'register_version'")
    async with browsing(house) as tab:
        await tab.to(f"/warnings/{red}")
        await expect(tab.page.locator("h1")).to_contain_text("<script>")
        await tab.to("/")
        await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
        await house.post(cap("again", where=code("360827102")))
        await expect(tab.page.locator(".warnings tbody tr")).to_have_count(2, timeout=15_000)
        await expect(tab.page.locator(".warnings")).to_contain_text("<script>")
        assert await tab.page.evaluate("window.evil") is None
        assert tab.complaints == []
        assert tab.strangers == []

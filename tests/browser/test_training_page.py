"""The button in a real Chromium: one click, seconds, and no browser is shown what was there before. Run by make test-long."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.standing import DRILL_TOKEN, cap, code
from tests.browser.test_pages import CHROMIUM, browsing, calm
from tests.journeys.test_training import training

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(180),
    pytest.mark.skipif(CHROMIUM is None, reason="没有 Chromium，页面没有检查：请运行 apt-get install chromium"),
]


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
async def test_one_click_begins_anew_and_the_page_is_hatched_before_and_after(tmp_path: Path, script: bool) -> None:
    async with training(tmp_path, MINGLUO_TOKEN_DRILL=DRILL_TOKEN) as room:
        _, said = await room.post(cap("t", status="Exercise", where=code("360827102")), DRILL_TOKEN)
        async with browsing(room, script=script) as tab, browsing(room, script=script, width=390) as other:
            await other.page.goto(f"{room.url}/warnings/{said['warning_id']}")
            await expect(other.page.locator("body")).to_have_css("border-top-width", "10px")
            await other.page.screenshot(path=tmp_path / "telephone.png")
            await calm(other)
            await tab.page.goto(room.url)
            await expect(tab.page.locator(".warnings tbody tr")).to_have_count(1)
            await tab.page.screenshot(path=tmp_path / "before.png")
            await tab.page.get_by_role("button", name="重置培训环境").click()
            await expect(tab.page.locator(".empty")).to_be_visible(timeout=30_000)
            await expect(tab.page).to_have_title("【演练培训】预警 · 鸣锣")
            await tab.page.screenshot(path=tmp_path / "after.png")
            await calm(tab)

"""The button in a real Chromium: one click, seconds, and no browser is shown what was there before."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.browsing import PHONE, Browsing, calm
from tests.browser.standing import DRILL_TOKEN, cap, code
from tests.journeys.test_training import training

pytestmark = pytest.mark.long


async def test_one_click_begins_anew_and_the_page_is_hatched_before_and_after(
    browsing: Browsing, tmp_path: Path
) -> None:
    """With script and without, one after the other in one training: beginning it is what takes long."""
    async with training(tmp_path, MINGLUO_TOKEN_DRILL=DRILL_TOKEN) as room:
        for script in (True, False):
            _, said = await room.post(cap("t", status="Exercise", where=code("360827102")), DRILL_TOKEN)
            async with browsing(room, script=script) as tab, browsing(room, script=script, size=PHONE) as other:
                await other.to(f"/warnings/{said['warning_id']}")
                await expect(other.page.locator("body")).to_have_css("border-top-width", "10px")
                await other.page.screenshot(path=tmp_path / f"telephone-{script}.png")
                await calm(other)
                await tab.to("/")
                await expect(tab.page.locator(".warnings tbody tr")).to_have_count(1)
                await tab.page.screenshot(path=tmp_path / f"before-{script}.png")
                await tab.page.get_by_role("button", name="重置培训环境").click()
                await expect(tab.page.locator(".empty")).to_be_visible(timeout=30_000)
                await expect(tab.page).to_have_title("【演练培训】当前 · 鸣锣")
                await tab.page.screenshot(path=tmp_path / f"after-{script}.png")
                await calm(tab)

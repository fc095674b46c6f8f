"""The line to the server: heard in every tab, by whoever looks elsewhere too; and its end is said, not hidden."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import expect

from tests.browser.browsing import Browsing, calm
from tests.browser.landed import Founded
from tests.browser.people import People
from tests.browser.standing import House, cap, code, standing


async def test_a_new_red_is_heard_in_every_tab_and_nobody_loses_his_place(
    house: House, persons: People, browsing: Browsing
) -> None:
    await house.post(cap("first", headline="万安县雷电橙色预警", where=code("360828")))
    async with browsing(house, persons.duty_officer) as tab:
        other = await tab.page.context.new_page()
        await other.goto(f"{house.url}/account")
        await tab.to("/")
        for page in (tab.page, other):
            await expect(page.locator("#pulse")).to_have_attribute("data-state", "live")
        mine = tab.page.locator(".warnings a", has_text="万安县")
        await mine.focus()
        await house.post(cap(where=code("360827102")))
        for page in (tab.page, other):
            await expect(page.locator(".fact.live")).to_contain_text("生效 2", timeout=15_000)
        await expect(tab.page.locator(".warnings tbody tr")).to_have_count(2, timeout=15_000)
        await expect(mine).to_be_focused()
        for page in (tab.page, other):
            await expect(page).to_have_title(re.compile("^【新红色预警】"))
        await other.get_by_role("button", name="退出").click()
        await expect(other).to_have_url(f"{house.url}/sign-in")
        with tab.expecting("401"):
            await expect(tab.page.locator("#stale")).to_contain_text("登录已结束", timeout=15_000)
        await expect(tab.page.locator("#stale a")).to_have_attribute("href", "/sign-in?next=%2F")
        await calm(tab)


async def test_that_nothing_comes_any_more_is_said_within_ten_seconds_and_taken_back(
    founded: Founded, browsing: Browsing, tmp_path: Path
) -> None:
    url = founded(tmp_path)
    async with standing(url) as house:
        port = house.url.rpartition(":")[2]
    async with browsing(house) as tab:
        async with standing(url, MINGLUO_LISTEN=f"127.0.0.1:{port}"):
            await tab.to("/")
            await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
            await expect(tab.page.locator("#stale")).to_be_hidden()
        await expect(tab.page.locator("#stale")).to_contain_text("实时数据已中断", timeout=10_000)
        assert (await tab.page.title()).startswith("【实时中断】")
        async with standing(url, MINGLUO_LISTEN=f"127.0.0.1:{port}"):
            await expect(tab.page.locator("#stale")).to_be_hidden(timeout=20_000)
            assert "【实时中断】" not in await tab.page.title()

"""The line to the server: heard in every tab, by whoever looks elsewhere too; and its end is said, not hidden."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect

from dispatcher.registry.sample import Wish
from tests.browser.browsing import Browsing, calm
from tests.browser.landed import Founded
from tests.browser.people import People
from tests.browser.standing import NOWHERE, House, cap, code, settle_in, standing
from tests.browser.test_kept import leave
from tests.crashes.proxy import proxy_to

pytestmark = pytest.mark.long


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


async def _says_old(*pages: Page) -> None:
    for page in pages:
        await expect(page.locator("#stale")).to_contain_text("实时数据已中断", timeout=12_000)
        await expect(page).to_have_title(re.compile("^【实时中断】"))
        await expect(page.locator("#pulse")).to_have_attribute("data-state", "lost")


async def _says_live(*pages: Page) -> None:
    for page in pages:
        await expect(page.locator("#stale")).to_be_hidden(timeout=20_000)
        await expect(page).not_to_have_title(re.compile("实时中断"))
        await expect(page.locator("#pulse")).to_have_attribute("data-state", "live")


async def test_a_database_that_is_away_is_said_as_loudly_as_a_silent_line_and_taken_back_on_every_page(
    postgres_url: str, browsing: Browsing
) -> None:
    await settle_in(postgres_url, Wish(gateways_at=NOWHERE, endpoints_at=NOWHERE, officers=700))
    parts = urlsplit(postgres_url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 5432
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(AsyncExitStack())
        at = (await line.enter_async_context(proxy_to(host, port))).port
        through = parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{at}").geturl()
        house = await stack.enter_async_context(standing(through))
        tab = await stack.enter_async_context(browsing(house))
        other = await tab.page.context.new_page()
        await tab.to("/")
        await other.goto(f"{house.url}/tonight")
        await _says_live(tab.page, other)
        with tab.expecting("503"):
            await line.aclose()
            await _says_old(tab.page, other)
            await stack.enter_async_context(proxy_to(host, port, at))
            await _says_live(tab.page, other)


async def test_numbers_that_cannot_be_had_any_more_are_said_to_be_old(house: House, browsing: Browsing) -> None:
    async with browsing(house) as tab:
        await tab.to("/")
        await _says_live(tab.page)
        with tab.expecting("ERR_FAILED"):
            await tab.page.route("**/?part=live", lambda route: route.abort())
            await house.post(cap(where=code("360827102")))
            await _says_old(tab.page)
            await tab.page.unroute("**/?part=live")
            await _says_live(tab.page)
        await calm(tab)


async def test_a_page_that_may_not_sound_yet_says_so_and_a_hand_on_it_wakes_it(
    house: House, browsing: Browsing
) -> None:
    async with browsing(house) as tab:
        await tab.to("/")
        button = tab.page.locator("#sound")
        await expect(button).to_have_text("声音未启用，请点一下")
        await expect(button).to_have_class(re.compile("asleep"))
        await button.click()
        await expect(button).to_have_text("声音 开")
        await expect(button).to_have_attribute("aria-pressed", "true")
        await button.click()
        await expect(button).to_have_text("声音 关")
        await calm(tab)


async def test_a_page_that_wants_the_code_again_says_so_and_calls_nothing_broken(
    house: House, persons: People, browsing: Browsing
) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        await tab.to("/rejected")
        await _says_live(tab.page)
        await leave(house)
        with tab.expecting("401"):
            await house.post(b"<alert>")
            await expect(tab.page.locator("#pulse b")).to_contain_text("再输入一次验证码")
        await expect(tab.page.locator("#stale")).to_be_hidden()
        await calm(tab)

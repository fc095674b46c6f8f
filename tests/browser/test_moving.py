"""What happens shows itself on the pages: pushed, without a reload, and again after the line was lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from tests.browser.browsing import Browsing, calm
from tests.browser.landed import Founded, city_wide, nine_in_ten
from tests.browser.people import People
from tests.browser.standing import House, cap, code, standing, take_in_hand

pytestmark = pytest.mark.long


async def test_numbers_map_and_state_move_without_a_reload(house: House, browsing: Browsing) -> None:
    red = await city_wide(house)
    async with browsing(house) as tab:
        await tab.to(f"/warnings/{red}")
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


async def test_the_time_since_it_was_issued_goes_on_whatever_a_hand_does_meanwhile(
    house: House, persons: People, browsing: Browsing
) -> None:
    red = await city_wide(house)
    async with browsing(house, persons.duty_officer) as tab:
        await tab.to(f"/warnings/{red}")
        await expect(tab.page.locator("#live .clock time")).to_be_visible()
        shown = await tab.page.locator("#acts button").first.evaluate(
            """async (button) => {
              const live = document.getElementById("live");
              live.dataset.now = new Date(Date.parse(live.dataset.now) + 3600000).toISOString(); // as of another moment
              button.focus();
              button.blur();
              await new Promise((done) => setTimeout(done));
              return document.querySelector("#live .clock time").textContent;
            }"""
        )
        assert shown.count(":") == 1, shown
        await calm(tab)


async def test_a_new_warning_appears_on_the_list_by_itself(house: House, browsing: Browsing) -> None:
    async with browsing(house) as tab:
        await tab.to("/")
        await expect(tab.page.locator(".empty")).to_be_visible()
        await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
        await house.post(cap(where=code("360827102")))
        await expect(tab.page.locator(".warnings tbody tr")).to_have_count(1, timeout=15_000)
        await tab.page.locator(".warnings a").first.click()
        await expect(tab.page.locator("h1")).to_contain_text("暴雨红色预警")
        await calm(tab)


async def test_what_happened_before_a_page_joined_the_line_is_shown_all_the_same(
    house: House, browsing: Browsing
) -> None:
    joins = asyncio.Event()

    async def slow(line: Route) -> None:
        await joins.wait()
        await line.continue_()

    async with browsing(house) as tab:
        await tab.page.add_init_script("delete window.SharedWorker")  # a line of its own, which can be held up
        await tab.page.route("**/api/v1/live*", slow)
        await tab.to("/")
        await expect(tab.page.locator(".empty")).to_be_visible()
        await house.post(cap(where=code("360827102")))
        joins.set()
        await expect(tab.page.locator(".warnings tbody tr")).to_have_count(1, timeout=15_000)
        await expect(tab.page.locator(".fact.live")).to_contain_text("生效 1", timeout=15_000)
        await calm(tab)


async def test_the_stream_comes_back_by_itself_after_a_restart(
    founded: Founded, browsing: Browsing, tmp_path: Path
) -> None:
    url = founded(tmp_path)
    async with standing(url) as house:
        port = house.url.rpartition(":")[2]
    async with browsing(house) as tab:
        async with standing(url, MINGLUO_LISTEN=f"127.0.0.1:{port}"):
            await tab.to("/")
            await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
        await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "lost", timeout=10_000)
        async with standing(url, MINGLUO_LISTEN=f"127.0.0.1:{port}"):
            await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live", timeout=20_000)

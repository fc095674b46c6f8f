"""Every page, as each role sees it, in light and dark: axe-core finds nothing serious, and the page is calm."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from dispatcher.accounts import second
from dispatcher.accounts.keeping import Keeper
from dispatcher.web.routes import ROUTES
from tests.browser.accessible import violations
from tests.browser.browsing import Browsing, calm
from tests.browser.night import Night
from tests.browser.people import PASSWORD
from tests.browser.standing import House
from tests.browser.tour import TOUR, VISITS, Visit

pytestmark = pytest.mark.long

FIRST_STEPS = ("/first", "/enrol/second", "/enrol/text")
"""Pages that are there once for each account, and so on no tour."""


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: visit.name)
async def test_nobody_is_kept_out_by_how_a_page_is_made(the_night: Night, browsing: Browsing, visit: Visit) -> None:
    async with browsing(the_night, visit.person(the_night)) as tab:
        await visit.open(tab, the_night)
        assert await violations(tab.page) == []
        await calm(tab)


async def test_no_page_is_left_out(the_night: Night) -> None:
    seen = [*FIRST_STEPS, *(stop.path(the_night).partition("?")[0] for stop in TOUR)]
    pages = [route for route in ROUTES if route.method == "GET" and route.is_page]
    assert [route.path for route in pages if not any(route.place.fullmatch(path) for path in seen)] == []


async def test_nobody_is_kept_out_on_his_first_steps(house: House, browsing: Browsing) -> None:
    context = house.context
    code = await Keeper(context.store, context.seal, context.now, "asvs").first_code()
    async with browsing(house) as tab:
        page = tab.page
        await tab.to("/first")
        assert await violations(page) == []
        await _filled_in(page, code=code, login="chief", name="第一人")
        assert await violations(page) == []
        await _filled_in(page, password=PASSWORD, again=PASSWORD)
        await page.wait_for_url("**/enrol/second")
        assert await violations(page) == []
        await tab.to("/enrol/text")
        assert await violations(page) == []
        await tab.to("/enrol/second")
        secret = re.search(r"[A-Z2-7]{32,}", await page.locator("main").inner_text())
        assert secret is not None
        await _filled_in(page, code=second.code_at(secret.group(), context.now()))
        await expect(page.locator("main li code")).to_have_count(second.PAPER_CODES)
        assert await violations(page) == []
        await calm(tab)


async def _filled_in(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        await page.locator(f"main [name={name}]:not([type=hidden])").first.fill(value)
    await page.locator("main form button[type=submit]").first.click()

"""Every page, as each role sees it, in light and dark: axe-core finds nothing serious, and the page is calm."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from dispatcher.registry.register import Register
from tests.browser.accessible import violations
from tests.browser.browsing import Browsing, Tab, calm
from tests.browser.landed import Founded
from tests.browser.night import Night, night
from tests.browser.tour import VISITS, Visit


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def the_night(founded: Founded, jian: Register, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Night]:
    """Only looked at: one for all pages."""
    async with night(founded(tmp_path_factory.mktemp("night")), jian) as opened:
        yield opened


async def visited(tab: Tab, visit: Visit, night: Night) -> None:
    """Opens the page and waits until it stands."""
    answer = await tab.page.goto(night.url + visit.stop.path(night))
    assert answer is not None
    assert answer.status == visit.stop.status
    await expect(tab.page.locator(visit.stop.ready).first).to_be_visible()
    if visit.stop.live:
        await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: visit.name)
async def test_nobody_is_kept_out_by_how_a_page_is_made(the_night: Night, browsing: Browsing, visit: Visit) -> None:
    async with browsing(the_night, visit.person(the_night)) as tab:
        with tab.expecting("Failed to load resource"):
            await visited(tab, visit, the_night)
        assert await violations(tab.page) == []
        await calm(tab)

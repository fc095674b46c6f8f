"""Every page, as each role sees it, in light and dark: axe-core finds nothing serious, and the page is calm."""

from __future__ import annotations

import pytest

from tests.browser.accessible import violations
from tests.browser.browsing import Browsing, calm
from tests.browser.night import Night
from tests.browser.tour import VISITS, Visit


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: visit.name)
async def test_nobody_is_kept_out_by_how_a_page_is_made(the_night: Night, browsing: Browsing, visit: Visit) -> None:
    async with browsing(the_night, visit.person(the_night)) as tab:
        await visit.open(tab, the_night)
        assert await violations(tab.page) == []
        await calm(tab)

"""What is printed is whole: paper does not scroll, so nothing of a list may be cut off."""

from __future__ import annotations

import pytest

from tests.browser.browsing import DESKTOP, Browsing
from tests.browser.night import Night
from tests.browser.tour import DUTY

pytestmark = pytest.mark.long

CUT = """() => [...document.querySelectorAll("main *")]
  .filter((one) => getComputedStyle(one).position !== "absolute" && getComputedStyle(one).overflowY !== "visible")
  .filter((one) => one.clientHeight && one.scrollHeight > one.clientHeight + 1)
  .map((one) => one.tagName + "." + one.className)"""
NARROW = {"width": 700, "height": 900}
"""As wide as a sheet."""


@pytest.mark.parametrize(
    "place", ["/warnings/{red}", "/warnings/{mistaken}", "/warnings/{draft}", "/rejected", "/tonight", "/shift"]
)
async def test_nothing_of_a_printed_page_is_cut_off(place: str, the_night: Night, browsing: Browsing) -> None:
    async with browsing(the_night, the_night.people[DUTY], size={**DESKTOP, **NARROW}) as tab:
        names = {"red": the_night.red, "mistaken": the_night.mistaken, "draft": the_night.draft}
        await tab.to(place.format(**names))
        await tab.page.evaluate("() => document.querySelectorAll('main details').forEach((one) => (one.open = true))")
        await tab.page.emulate_media(media="print")
        assert await tab.page.evaluate(CUT) == []
        assert (
            await tab.page.evaluate(
                "() => [...document.querySelectorAll('main *')].filter((one) => "
                "getComputedStyle(one).maxHeight !== 'none').length"
            )
            == 0
        )

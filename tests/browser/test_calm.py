"""The pages in a real Chromium: nothing loaded from elsewhere, no policy broken, nothing beyond the edge, in light and dark.

Screenshots of every page are left in the test's folder.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.browsing import PHONE, Browsing, calm
from tests.browser.landed import city_wide
from tests.browser.people import People, sign_in
from tests.browser.standing import DRILL_TOKEN, HELD_TOKEN, House, cap, code

pytestmark = pytest.mark.long


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_every_page_is_calm(house: House, browsing: Browsing, tmp_path: Path, dark: bool) -> None:
    red = await city_wide(house)
    _, held, _ = await house.post(cap("held", headline="遂川县暴雨橙色预警", where=code("360827")), HELD_TOKEN)
    _, drill, _ = await house.post(cap("drill", status="Exercise", where=code("360827102")), DRILL_TOKEN)
    pages = {
        "front": "/",
        "red": f"/warnings/{red}",
        "county": f"/warnings/{red}?county=360827",
        "held": f"/warnings/{held['warning_id']}",
        "drill": f"/warnings/{drill['warning_id']}",
    }
    async with browsing(house, dark=dark) as tab:
        for name, path in pages.items():
            await tab.to(path)
            await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
            await tab.page.screenshot(path=tmp_path / f"{name}.png")
            await calm(tab)


async def test_a_telephone_shows_the_page_without_scrolling_sideways(
    house: House, browsing: Browsing, tmp_path: Path
) -> None:
    red = await city_wide(house)
    async with browsing(house, size=PHONE) as tab:
        for path in ("/", f"/warnings/{red}"):
            await tab.to(path)
            await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
            await calm(tab)
        await tab.page.screenshot(path=tmp_path / "telephone.png")


async def test_somebody_signs_in_with_both_factors_and_leaves_again(
    house: House, browsing: Browsing, persons: People
) -> None:
    async with browsing(house) as tab, browsing(house, persons.leader) as another:
        await tab.to("/")
        await expect(tab.page).to_have_url(f"{house.url}/sign-in?next=/")
        await sign_in(tab.page, house.url, persons.duty_officer)
        await expect(tab.page.locator("header")).to_contain_text(persons.duty_officer.name)
        await another.to("/")
        await expect(another.page.locator("header")).to_contain_text(persons.leader.name)
        await tab.page.get_by_role("button", name="退出").click()
        await expect(tab.page).to_have_url(f"{house.url}/sign-in")
        await calm(tab)
        await calm(another)

"""Whoever answers for a warning answers for what stands on his page: what was put forward since is read before anything is
pressed."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from dispatcher.accounts.authority import AccountRole
from dispatcher.pipeline.draft import draft, take_up
from dispatcher.pipeline.edit import edit
from dispatcher.pipeline.submit import submit
from tests.browser.browsing import Browsing, calm
from tests.browser.night import written
from tests.browser.people import People
from tests.browser.standing import HELD_TOKEN, House, cap, code

pytestmark = pytest.mark.long


async def test_words_put_forward_anew_are_not_released_from_a_page_that_shows_the_old_ones(
    house: House, persons: People, browsing: Browsing
) -> None:
    author, now = persons.duty_officer.principal, house.context.now()
    second = await persons.another("lin", "林值班", AccountRole.DUTY_OFFICER)
    red = (await draft(house.context, author, written(now, 1, level="red"))).warning_id
    before = await submit(house.context, author, red)
    async with browsing(house, second) as tab:
        await tab.to(f"/warnings/{red}")
        button = tab.page.get_by_role("button", name="逾时放行")
        await expect(button).to_be_enabled()
        await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
        await edit(house.context, author, red, written(now, 1, level="red", description="改过的话。"))
        after = await submit(house.context, author, red)
        assert after.plan_hash != before.plan_hash
        await expect(tab.page.locator("#live")).to_have_attribute("data-hash", after.plan_hash)
        await expect(tab.page.get_by_text("您看的时候内容变了")).to_be_visible()
        await expect(button).to_be_disabled()
        await tab.page.get_by_role("link", name="看新的内容").click()
        await expect(button).to_be_enabled()
        await expect(tab.page.get_by_text("您看的时候内容变了")).to_be_hidden()
        await expect(tab.page.locator("#acts [name=plan_hash]").first).to_have_value(after.plan_hash)
        await calm(tab)


@pytest.mark.parametrize("put_forward", [False, True])
async def test_words_that_another_wrote_are_not_put_forward_from_a_page_that_shows_the_old_ones(
    house: House, persons: People, browsing: Browsing, *, put_forward: bool
) -> None:
    author, now = persons.duty_officer.principal, house.context.now()
    second = await persons.another("lin", "林值班", AccountRole.DUTY_OFFICER)
    red = (await draft(house.context, author, written(now, 1, level="red"))).warning_id
    if put_forward:
        await submit(house.context, author, red)
    async with browsing(house, second) as tab:
        await tab.to(f"/warnings/{red}")
        button = tab.page.get_by_role("button", name="送签")
        await expect(tab.page.get_by_role("button", name="作废")).to_be_enabled()
        await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
        await edit(house.context, author, red, written(now, 1, level="red", description="改过的话。"))
        await expect(tab.page.locator("#live")).to_have_attribute("data-state", "draft")
        await expect(tab.page.get_by_text("您看的时候内容变了")).to_be_visible()
        await expect(tab.page.get_by_role("button", name="作废")).to_be_disabled()
        await expect(tab.page.locator("#acts button:enabled", has_text="送签")).to_have_count(0)
        await tab.page.get_by_role("link", name="看新的内容").click()
        await expect(tab.page.get_by_text("改过的话。").first).to_be_visible()
        await button.click()
        await expect(tab.page.locator("#live")).to_have_attribute("data-state", "submitted")
        await calm(tab)


async def test_the_page_of_a_press_that_was_refused_goes_on_moving(
    house: House, persons: People, browsing: Browsing
) -> None:
    author, now = persons.duty_officer.principal, house.context.now()
    second = await persons.another("lin", "林值班", AccountRole.DUTY_OFFICER)
    red = (await draft(house.context, author, written(now, 1, level="red"))).warning_id
    await submit(house.context, author, red)
    async with browsing(house, second) as tab:
        await tab.to(f"/warnings/{red}")
        form = tab.page.locator("#acts form", has=tab.page.get_by_role("button", name="逾时放行"))
        await form.locator("[name=plan_hash]").evaluate("one => { one.value = 'f'.repeat(64); }")
        await form.locator("[name=reason]").fill("领导都联系不上")
        with tab.expecting("Failed to load resource"):
            await form.get_by_role("button").click()
            await expect(tab.page).not_to_have_url(f"{house.url}/warnings/{red}")
            await expect(tab.page.locator("#live")).to_have_attribute("data-state", "submitted")
            await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
        await edit(house.context, author, red, written(now, 1, level="red", description="改过的话。"))
        await expect(tab.page.locator("#live")).to_have_attribute("data-state", "draft")
        await calm(tab)


async def test_a_page_opened_before_there_was_a_plan_shows_the_first_one_and_is_not_held(
    house: House, persons: People, browsing: Browsing
) -> None:
    author, now = persons.duty_officer.principal, house.context.now()
    second = await persons.another("lin", "林值班", AccountRole.DUTY_OFFICER)
    red = (await draft(house.context, author, written(now, 1, level="red"))).warning_id
    async with browsing(house, second) as tab:
        await tab.to(f"/warnings/{red}")
        await expect(tab.page.get_by_text("拟发的文字")).to_be_visible()
        await expect(tab.page.locator(".still blockquote")).to_have_count(0)
        await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
        put = await submit(house.context, author, red)
        await expect(tab.page.get_by_role("button", name="逾时放行")).to_be_enabled()
        await expect(tab.page.locator("#acts [name=plan_hash]").first).to_have_value(put.plan_hash)
        await expect(tab.page.locator(".still blockquote").first).to_be_visible()
        await expect(tab.page.get_by_text("您看的时候内容变了")).to_be_hidden()
        await calm(tab)


async def test_a_sheet_to_sign_is_drawn_anew_when_its_time_has_come_though_nothing_happened(
    house: House, persons: People, browsing: Browsing
) -> None:
    author, now = persons.duty_officer.principal, house.context.now()
    red = (await draft(house.context, author, written(now, 1, level="red"))).warning_id
    await submit(house.context, author, red)
    async with browsing(house, persons.leader) as tab:
        live = tab.page.locator("#live")
        async with tab.page.expect_response(lambda one: f"/{red}/sign?part=live" in one.url) as joined:
            await tab.to(f"/warnings/{red}/sign")
        drawn = re.findall(r'data-now="([^"]+)"', await (await joined.value).text())[0]
        await expect(live).to_have_attribute("data-now", drawn)  # as it joins the line
        await live.evaluate("one => { one.dataset.changes = one.dataset.now; }")
        await expect(live).not_to_have_attribute("data-now", drawn)
        assert await live.get_attribute("data-changes") != drawn
        await calm(tab)


async def test_a_reason_that_was_typed_goes_along_to_what_may_be_done_now(
    house: House, persons: People, browsing: Browsing
) -> None:
    _, held, _ = await house.post(cap("held", where=code("360827102")), HELD_TOKEN)
    second = await persons.another("lin", "林值班", AccountRole.DUTY_OFFICER)
    async with browsing(house, second) as tab:
        await tab.to(f"/warnings/{held['warning_id']}")
        form = tab.page.locator("#acts form", has=tab.page.get_by_role("button", name="作废"))
        await form.locator("[name=reason]").fill("与市里的重复")
        await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
        await take_up(house.context, persons.duty_officer.principal, held["warning_id"])
        await expect(tab.page.locator("#live")).to_have_attribute("data-state", "draft")
        await form.locator("[name=reason]").blur()
        await expect(tab.page.get_by_role("button", name="送签")).to_be_visible()
        await expect(form.locator("[name=reason]")).to_have_value("与市里的重复")
        await calm(tab)


LAID = """([seconds, digest]) => {
  const live = document.getElementById("live");
  live.dataset.now = new Date(Date.parse(live.dataset.now) + seconds * 1000).toISOString();
  live.dataset.digest = digest;
  document.dispatchEvent(new CustomEvent("mingluo:swapped"));
}"""


async def test_a_part_drawn_before_the_page_holds_nothing_and_one_drawn_after_it_does(
    house: House, persons: People, browsing: Browsing
) -> None:
    """What is drawn once for all who look on may be a moment older than a page that was loaded just now."""
    author, now = persons.duty_officer.principal, house.context.now()
    red = (await draft(house.context, author, written(now, 1, level="red"))).warning_id
    async with browsing(house, persons.duty_officer) as tab:
        await tab.to(f"/warnings/{red}")
        told = tab.page.get_by_text("您看的时候内容变了")
        await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")
        await tab.page.evaluate(LAID, [-60, "of before"])
        await expect(told).to_be_hidden()
        await expect(tab.page.get_by_role("button", name="送签")).to_be_enabled()
        await tab.page.evaluate(LAID, [120, "of another"])
        await expect(told).to_be_visible()
        await expect(tab.page.get_by_role("button", name="送签")).to_be_disabled()
        await calm(tab)

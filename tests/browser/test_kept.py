"""Nothing that was typed is lost over the way to the second factor, and nothing of it is left where it has no business."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import update

from dispatcher.accounts.authority import AccountRole
from dispatcher.accounts.entering import IDLE
from dispatcher.pipeline.draft import draft
from dispatcher.pipeline.submit import submit
from dispatcher.store.tables import sessions
from tests.browser.browsing import Browsing, calm
from tests.browser.night import written
from tests.browser.people import PHONE, People
from tests.browser.standing import House

pytestmark = pytest.mark.long


async def leave(house: House) -> None:
    """Nobody has touched any session for a quarter of an hour."""
    before = house.context.now() - IDLE - timedelta(minutes=1)
    async with house.context.store.begin() as tx:
        await tx.execute(update(sessions).values(seen_at=before, proven_at=before))


async def kept(page: Page) -> str | None:
    found: str | None = await page.evaluate("sessionStorage.getItem('mingluo-kept')")
    return found


async def test_a_leader_who_was_away_signs_with_the_reason_he_had_typed(
    house: House, persons: People, browsing: Browsing
) -> None:
    author = persons.duty_officer.principal
    red = (await draft(house.context, author, written(house.context.now(), 1, level="red"))).warning_id
    await submit(house.context, author, red)
    async with browsing(house, persons.leader) as tab:
        page = tab.page
        await tab.to(f"/warnings/{red}")
        await page.locator("#approve [name=reason]").fill("雨强已达红色标准")
        await leave(house)
        await tab.to(f"/warnings/{red}")
        await expect(page.locator("#approve [name=reason]")).to_have_value("雨强已达红色标准")
        await page.locator("#approve [name=confirm]").check()
        await page.get_by_role("button", name="签发", exact=True).click()
        await page.locator("input[name=code]").fill(persons.leader.code())
        await page.get_by_role("button", name="确认").click()
        await expect(page.locator("#approve [name=reason]")).to_have_value("雨强已达红色标准")
        await page.locator("#approve [name=confirm]").check()
        await page.get_by_role("button", name="签发", exact=True).click()
        await expect(page.locator("#live")).not_to_have_attribute("data-state", "submitted")
        assert await kept(page) == "{}", "it has done its work"
        await calm(tab)


async def test_what_is_handed_over_is_there_again_and_a_note_that_was_taken_is_not(
    house: House, persons: People, browsing: Browsing
) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        page = tab.page
        await tab.to("/shift")
        note, words = (
            page.locator("form[action='/shift/note'] textarea"),
            page.locator("form[action='/shift/offer'] textarea"),
        )
        await words.fill("碧洲镇大喇叭待修")
        await note.fill("十点电话询问雨情")
        await page.get_by_role("button", name="记下").click()
        await expect(page.locator(".notes")).to_contain_text("十点电话询问雨情")
        await expect(note).to_have_value("")
        await expect(words).to_have_value("碧洲镇大喇叭待修")
        await leave(house)
        await page.get_by_role("button", name="交班，等人接").click()
        await page.locator("input[name=code]").fill(persons.duty_officer.code())
        await page.get_by_role("button", name="确认").click()
        await expect(words).to_have_value("碧洲镇大喇叭待修")
        await page.get_by_role("button", name="退出").click()
        await expect(page.locator("input[name=login]")).to_be_visible()
        assert await kept(page) == "{}", "the next one at this desk reads nothing of it"
        await calm(tab)


async def test_of_a_call_all_but_the_number_is_there_again_and_the_time_stays_that_of_the_call(
    house: House, persons: People, browsing: Browsing
) -> None:
    author = persons.duty_officer.principal
    second = await persons.another("lin", "林值班", AccountRole.DUTY_OFFICER)
    red = (await draft(house.context, author, written(house.context.now(), 1, level="red"))).warning_id
    await submit(house.context, author, red)
    async with browsing(house, second) as tab:
        page = tab.page
        await tab.to(f"/warnings/{red}/telephone")
        leader, number, at, words = (
            page.locator(f"#telephone [name={name}]") for name in ("leader", "number", "at", "words")
        )
        opened = await at.input_value()
        earlier = f"{datetime.fromisoformat(opened) - timedelta(minutes=2):%Y-%m-%dT%H:%M:%S}"
        await at.evaluate("(one, value) => { one.value = value; }", earlier)  # as of a page opened then
        await leader.select_option(persons.leader.login)
        await number.fill(PHONE.format(1))
        await words.fill("同意，马上发")
        await page.locator("#telephone [name=confirm]").check()
        await leave(house)
        await page.get_by_role("button", name="登记并发出").click()
        await page.locator("input[name=code]").fill(second.code())
        await page.get_by_role("button", name="确认").click()
        await expect(words).to_have_value("同意，马上发")
        await expect(leader).to_have_value(persons.leader.login)
        await expect(at).to_have_value(earlier)
        await expect(number).to_have_value("")
        await calm(tab)


async def test_what_was_never_answered_is_there_again_for_whoever_goes_back(
    house: House, persons: People, browsing: Browsing
) -> None:
    author = persons.duty_officer.principal
    red = (await draft(house.context, author, written(house.context.now(), 1, level="red"))).warning_id
    await submit(house.context, author, red)
    async with browsing(house, persons.leader) as tab:
        page = tab.page
        await tab.to(f"/warnings/{red}")
        reason = page.locator("#return [name=reason]")
        await reason.fill("少写了一个乡")
        await page.route("**/return", lambda route: route.abort("connectionreset"))
        with tab.expecting("Failed to load resource"):
            async with page.expect_event("requestfailed"):
                await page.get_by_role("button", name="退回").click(no_wait_after=True)
            await page.wait_for_url("chrome-error://**")
        await page.go_back()
        await expect(reason).to_have_value("少写了一个乡")
        await page.unroute("**/return")
        await page.get_by_role("button", name="退回").click()
        await expect(page.locator("#live")).to_have_attribute("data-state", "returned")
        assert await kept(page) == "{}", "it has done its work"
        await calm(tab)

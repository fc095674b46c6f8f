"""The bar and the navigation on every page: what is in force, what waits for whom, and where one may go."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from dispatcher.accounts.authority import AccountRole
from tests.browser.standing import DRILL_SMS, DRILL_TOKEN, HELD_TOKEN, House, cap, code, standing
from tests.dispatcher.callers import come, submitted
from tests.dispatcher.persons import Browser, Hands, Office, office

pytestmark = pytest.mark.long

COUNTY, OTHER = "360827", "360826"


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url, **DRILL_SMS) as opened:
        yield opened


@pytest.fixture
def there(house: House) -> Office:
    return office(house.context.store, Hands(datetime.now(UTC)))


def facts(page: str) -> dict[str, str]:
    """The bar's entries by their key, in words."""
    found = re.findall(r'class="fact[^"]*" data-key="(\w+)"[^>]*>(.*?)</(?:a|span|summary)>', page, re.DOTALL)
    return {key: re.sub(r"<[^>]+>", "", text).strip() for key, text in found}


def listed(page: str, name: str) -> list[str]:
    (found,) = re.findall(rf'data-{name}="([^"]*)"', page)
    return str(found).split()


def navigation(page: str) -> list[str]:
    (found,) = re.findall(r'<nav class="main".*?</nav>', page, re.DOTALL)
    return re.findall(r'href="([^"]+)"', found)


async def test_the_bar_counts_what_is_in_force_and_keeps_drills_apart(house: House, there: Office) -> None:
    wang = await come(house, there, "wang", AccountRole.DUTY_OFFICER)
    assert facts(await wang.get("/account"))["live"] == "无生效预警"
    _, red, _ = await house.post(cap(where=code("360827102")))
    await house.post(cap("drill", status="Exercise", where=code("360827102")), DRILL_TOKEN)
    await house.post(cap("held", headline="遂川县暴雨橙色预警", where=code(COUNTY)), HELD_TOKEN)
    page = await wang.get("/account")
    assert (facts(page)["live"], facts(page)["drills"], facts(page)["held"]) == ("红色生效 1", "演练 1", "待核 1")
    assert listed(page, "reds") == [red["warning_id"]], "a drill never sounds like the real thing"


async def test_what_waits_for_a_signature_is_due_from_whoever_may_sign_it_and_from_nobody_else(
    house: House, there: Office
) -> None:
    wang = await come(house, there, "wang", AccountRole.DUTY_OFFICER)
    warning_id = await submitted(house, wang)
    li = await come(house, there, "li", AccountRole.APPROVER)
    zhao = await come(house, there, "zhao", AccountRole.APPROVER, OTHER)
    his, others = await li.get("/account"), await wang.get("/account")
    assert (facts(his)["due"], listed(his, "due")) == ("待您签发 1", [warning_id])
    assert "due" not in facts(others)
    assert facts(others)["awaiting"] == "待签发 1"
    elsewhere = await zhao.get("/account")
    assert ("due" in facts(elsewhere), "awaiting" in facts(elsewhere)) == (False, False), "another county's"


async def test_everybody_is_shown_where_he_may_go_and_where_he_is(house: House, there: Office) -> None:
    shown = {}
    for role in (AccountRole.DUTY_OFFICER, AccountRole.ADMINISTRATOR, AccountRole.AUDITOR):
        browser = await come(house, there, role.value.replace("_", "-"), role)
        page = await browser.get("/account")
        shown[role] = navigation(page)
        assert page.count('aria-current="page"') == 1
        assert '<a href="/account" aria-current="page">我的账号</a>' in page
    assert ("/accounts" in shown[AccountRole.DUTY_OFFICER], "/accounts" in shown[AccountRole.ADMINISTRATOR]) == (
        False,
        True,
    )
    assert "/issue" not in shown[AccountRole.AUDITOR]
    assert {"/", "/account"} <= set(shown[AccountRole.AUDITOR])


async def test_nobody_who_has_not_come_in_is_told_anything(house: House, there: Office) -> None:
    await house.post(cap(where=code("360827102")))
    await come(house, there, "wang", AccountRole.DUTY_OFFICER)
    stranger = Browser(url=house.url, http=house.http)
    page = await stranger.get("/sign-in")
    assert ('id="status"' in page, '<nav class="main"' in page) == (False, False)
    await stranger.get("/status?part=live", Accept="application/json")
    assert stranger.status == 401


async def test_the_bar_alone_is_drawn_for_the_script_and_in_its_language(house: House, there: Office) -> None:
    li = await come(house, there, "li", AccountRole.APPROVER)
    li.cookies["mingluo-look"] = "en.auto"
    bar = await li.get("/status?part=live")
    assert "<html" not in bar
    assert facts(bar)["live"] == "No warning in force"
    now = int(re.findall(r'data-now="(\d+)"', bar)[0]) / 1000
    assert abs(now - datetime.now(UTC).timestamp()) < 60


async def test_what_is_broken_stands_on_every_page(jian_sqlite_url: str) -> None:
    async with standing(jian_sqlite_url, roles=frozenset({"web", "send"}), MINGLUO_TWILIO_SENDER="") as house:
        browser = await come(
            house, office(house.context.store, Hands(datetime.now(UTC))), "wang", AccountRole.DUTY_OFFICER
        )
        page = await browser.get("/account")
    assert "短信发不出去" in page
    assert facts(page)["problems"].startswith("故障")

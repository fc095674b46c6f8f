"""The demo's door: a page to look at, one button that comes in, from this machine alone; and no other service has one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import aiohttp
import pytest

from dispatcher.accounts.authority import AccountRole
from dispatcher.accounts.linking import Links
from dispatcher.service.serving import Rehearsal, Serving, links_of, serving
from dispatcher.settings import BadConfiguration
from tests.browser.people import people
from tests.browser.standing import KNOWN, settings, standing
from tests.dispatcher.persons import Browser

WEB = frozenset({"web"})
NOT_FOUND = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A service whose people come in by links. `paths`: by role."""

    live: Serving
    links: Links
    paths: dict[AccountRole, str]
    browser: Callable[[], Browser]


@asynccontextmanager
async def demo(database_url: str) -> AsyncIterator[Demo]:
    stage = Rehearsal(register=KNOWN.get(database_url), links=True)
    async with serving(settings(database_url), roles=WEB, rehearsal=stage) as live, aiohttp.ClientSession() as http:
        links = links_of(live.context)
        found = (await people(live.context)).known
        paths = {role: f"/demo/{await links.make(one.account.id)}" for role, one in found.items()}
        yield Demo(live=live, links=links, paths=paths, browser=lambda: Browser(url=live.url, http=http))


@pytest.fixture
async def opened(jian_sqlite_url: str) -> AsyncIterator[Demo]:
    async with demo(jian_sqlite_url) as found:
        yield found


async def test_the_page_uses_nothing_up_and_its_button_comes_in_once(opened: Demo) -> None:
    one, path = opened.browser(), opened.paths[AccountRole.APPROVER]
    for _ in range(3):
        page = await one.get(path)
        assert (one.status, "以签发领导“刘局长”的身份进入" in page) == (200, True)
    await one.post(path)
    assert (one.status, one.at) == (303, "/")
    assert "刘局长（签发领导）" in await one.get("/")
    again = opened.browser()
    page = await again.get(path)
    assert (again.status, "这个链接已用过" in page, "的身份进入" in page) == (401, True, False)
    await again.post(path)
    assert (again.status, again.cookies) == (401, {})


async def test_each_role_comes_in_as_itself(opened: Demo) -> None:
    for role, path in opened.paths.items():
        one = opened.browser()
        await one.get(path)
        await one.post(path)
        assert f"（{role.chinese}）" in await one.get("/account"), role


async def test_a_form_that_is_none_of_ours_another_name_and_a_proxy_come_in_by_nothing(opened: Demo) -> None:
    one, path = opened.browser(), opened.paths[AccountRole.AUDITOR]
    await one.get(path)
    forged: tuple[tuple[dict[str, str] | None, dict[str, str]], ...] = (
        ({"key": "0" * 32}, {}), (None, {"Origin": "https://evil.example"}), (None, {"Host": "evil.example"})
    )  # fmt: skip
    for form, headers in forged:
        await one.get(path)
        await one.post(path, form, **headers)
        assert (one.status, one.cookies) == (403, {})
    for strange in ({"Host": "evil.example"}, {"X-Forwarded-For": "203.0.113.9"}):
        page = await one.get(path, **strange)
        assert one.status == 403
        assert "肖审计" not in page
    await one.get(path)
    await one.post(path)
    assert one.status == 303, "the link itself was not used up by any of it"


async def test_another_person_in_the_same_browser_ends_the_one_before(opened: Demo) -> None:
    one = opened.browser()
    for role in (AccountRole.DUTY_OFFICER, AccountRole.AUDITOR):
        page = await one.get(opened.paths[role])
        assert ("现在以“周值班”登录" in page) is (role is AccountRole.AUDITOR)
        before = dict(one.cookies)
        await one.post(opened.paths[role])
    stale = opened.browser()
    stale.cookies.update(before)
    await stale.get("/account")
    assert stale.status == 303
    assert stale.at.startswith("/sign-in")


async def test_where_a_code_is_asked_for_again_a_button_stands_for_it(opened: Demo) -> None:
    one = opened.browser()
    await one.get(opened.paths[AccountRole.ADMINISTRATOR])
    await one.post(opened.paths[AccountRole.ADMINISTRATOR])
    page = await one.get("/sign-in/second?next=/accounts")
    assert "演示：当作已经输入" in page
    await one.post("/sign-in/second/demo", {"next": "/accounts"})
    assert (one.status, one.at) == (303, "/accounts")
    await one.get("/sign-in/second")
    await one.post("/sign-in/second/demo", {"next": "//evil.example/"})
    assert (one.status, one.at) == (303, "/")
    await one.get("/accounts")
    assert one.status == 200
    nobody = opened.browser()
    await nobody.get("/sign-in")
    await nobody.post("/sign-in/second/demo")
    assert (nobody.status, nobody.at) == (303, "/sign-in")


async def test_whoever_has_no_link_is_told_where_they_are(opened: Demo) -> None:
    one = opened.browser()
    assert "一次性链接" in await one.get("/sign-in")


async def test_elsewhere_there_is_no_such_door(jian_sqlite_url: str) -> None:
    async with standing(jian_sqlite_url) as house:
        made = await people(house.context)
        token = await links_of(house.context).make(made.leader.account.id)
        one = Browser(url=house.url, http=house.http)
        await one.get(f"/demo/{token}")
        assert one.status == NOT_FOUND
        for path in (f"/demo/{token}", "/sign-in/second/demo"):
            await one.post(path)
            assert one.status == NOT_FOUND
        assert "演示" not in await one.get("/sign-in")
        _, document, _ = await house.get("/api/openapi.json")
        assert [path for path in document["paths"] if "demo" in path] == []


async def test_production_has_none(jian_sqlite_url: str) -> None:
    own = settings(jian_sqlite_url)
    real = replace(own, service=own.service.model_copy(update={"profile": "production"}))
    with pytest.raises(BadConfiguration, match="正式环境"):
        async with serving(real, roles=WEB, rehearsal=Rehearsal(links=True)):
            raise AssertionError("it stands")

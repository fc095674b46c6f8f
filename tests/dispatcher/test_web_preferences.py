"""Language and light: chosen without script, kept by the browser, and never a way to lead somebody elsewhere."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from dispatcher.web.console.preferences import COOKIE
from tests.browser.standing import House, standing
from tests.dispatcher.persons import Browser

CJK = re.compile(r"[\u3400-\u9fff]")


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


async def test_language_and_light_are_chosen_by_a_form_and_kept(house: House) -> None:
    browser = Browser(url=house.url, http=house.http)
    shown = await browser.get("/enrol")
    assert '<html lang="zh-CN" data-theme="auto">' in shown
    await browser.post("/preferences", {"language": "en", "next": "/enrol"})
    assert (browser.status, browser.at) == (303, "/enrol")
    await browser.get("/enrol")
    await browser.post("/preferences", {"theme": "dark", "next": "/enrol"})
    shown = await browser.get("/enrol")
    assert '<html lang="en" data-theme="dark">' in shown, "choosing one keeps the other"
    assert "<h1>Set a password</h1>" in shown
    assert (await browser.get("/nowhere")).count('lang="en"') == 1, "an error is read in the same language"


async def test_nobody_is_led_elsewhere_and_nothing_strange_is_kept(house: House) -> None:
    browser = Browser(url=house.url, http=house.http)
    await browser.get("/enrol")
    await browser.post("/preferences", {"language": "<script>", "theme": "x", "next": "https://evil.example/"})
    assert (browser.status, browser.at) == (303, "/")
    assert browser.cookies[COOKIE] == "zh-CN.auto"
    browser.cookies[COOKIE] = '"><script>alert(1)</script>'
    assert "<script>alert" not in await browser.get("/enrol")
    browser.page = ""
    await browser.post("/preferences", {"theme": "dark"})
    assert browser.status == 403, "the form carries a key like every other"


@pytest.mark.parametrize("path", ["/enrol", "/sign-in", "/first", "/nowhere"])
async def test_an_english_page_holds_no_chinese_but_names(house: House, path: str) -> None:
    browser = Browser(url=house.url, http=house.http, cookies={COOKIE: "en.auto"})
    shown = await browser.get(path)
    name = house.context.settings.service.sender_name
    assert CJK.findall(shown.replace("中文", "").replace(name, "")) == []

"""Codes by SMS in a browser: chosen at enrolment, shown at signing in, sent by whichever process sends, said plainly where
they cannot be; and nowhere afterwards."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from dispatcher.accounts.authority import AccountRole
from dispatcher.accounts.keeping import Given, Keeper
from dispatcher.telemetry import set_up_logging
from tests.browser.standing import DRILL_SMS, House, standing
from tests.dispatcher.persons import CITY, PASSWORD, Browser
from tests.dispatcher.phones import DIGITS, NUMBER
from tests.journeys import canaries

pytestmark = pytest.mark.long

BOTH = frozenset({"web", "timers"})
ASK, ENROL_ASK = "/sign-in/second/text", "/enrol/second/text"


@dataclass
class Carrier:
    """Plays Twilio on loopback: `trouble` answers so many first, each repeating whatever it was told."""

    trouble: int = 0
    got: asyncio.Queue[dict[str, str]] = field(default_factory=asyncio.Queue)
    asked: int = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        form = dict(parse_qsl((await request.read()).decode()))
        self.asked += 1
        if self.asked <= self.trouble:
            said = {"code": 20500, "message": " ".join(form.values()), "status": 503}
            return web.json_response(said, status=503)
        self.got.put_nowait(form)
        return web.json_response({"sid": f"SM{self.asked}", "body": form["Body"], "to": form["To"]}, status=201)

    async def sms(self) -> dict[str, str]:
        async with asyncio.timeout(10):
            return await self.got.get()

    async def code(self) -> str:
        found = DIGITS.search((await self.sms())["Body"])
        assert found is not None
        return found[1]


@asynccontextmanager
async def carried(carrier: Carrier) -> AsyncIterator[dict[str, str]]:
    """The settings that lead to it."""
    runner = web.ServerRunner(web.Server(carrier.handle, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield {"MINGLUO_CHANNELS__SMS__TWILIO__BASE_URL": f"http://127.0.0.1:{runner.addresses[0][1]}"}
    finally:
        await runner.cleanup()


async def enrolling(house: House, phone: str = NUMBER) -> Browser:
    """Somebody before the page where a second factor is chosen."""
    context = house.context
    keeper = Keeper(context.store, context.seal, context.now, "asvs")
    given = Given(login="li", name="李", role=AccountRole.DUTY_OFFICER, scope=(CITY,), phone=phone)
    _, code = await keeper.add("command", given)
    made = Browser(url=house.url, http=house.http)
    await made.get("/enrol")
    await made.post("/enrol", {"code": code, "password": PASSWORD, "again": PASSWORD})
    assert made.at == "/enrol/second"
    await made.get("/enrol/second")
    return made


async def enrolled(house: House, carrier: Carrier) -> Browser:
    made = await enrolling(house)
    await made.post(ENROL_ASK)
    assert (made.status, made.at) == (303, "/enrol/text")
    await made.get("/enrol/text")
    await made.post("/enrol/text", {"code": await carrier.code()})
    assert made.status == 200, made.page
    return made


async def half(house: House) -> Browser:
    """Somebody who has shown the password, an hour after whatever was before."""
    await later(house, 3600)
    made = Browser(url=house.url, http=house.http)
    await made.get("/sign-in")
    await made.post("/sign-in", {"login": "li", "password": PASSWORD})
    await made.get(made.at)
    return made


async def later(house: House, seconds: int) -> None:
    """As if what was asked for had been asked for so much earlier."""
    earlier = {
        "sqlite": f"UPDATE code_texts SET at = datetime(at, '-{seconds} seconds')",
        "postgresql": f"UPDATE code_texts SET at = at - interval '{seconds} seconds'",
    }
    async with house.context.store.begin() as tx:
        await tx.exec_driver_sql(earlier[house.context.store.dialect])


async def test_the_phone_is_chosen_at_enrolment_and_shown_at_signing_in(database_url: str) -> None:
    carrier = Carrier()
    async with carried(carrier) as way, standing(database_url, BOTH, **way) as house:
        made = await enrolling(house)
        assert "改用短信验证码" in made.page
        assert "**21" in made.page
        await made.post(ENROL_ASK)
        await made.get("/enrol/text")
        assert "尾号 **21 的手机" in made.page
        sms = await carrier.sms()
        assert (sms["To"], sms["Body"][:6]) == (NUMBER, "【吉安应急】")
        await made.post("/enrol/text", {"code": "000000x"})
        assert made.status == 401
        code = DIGITS.search(sms["Body"])
        assert code is not None
        await made.post("/enrol/text", {"code": code[1]})
        assert len(re.findall(r"<li><code>", made.page)) == 10
        assert "李（值班员）" in await made.get("/")
        await made.post("/sign-out")
        made = await half(house)
        assert "短信里的六位数字" in made.page
        await made.post(ASK, {"next": "/account"})
        assert (made.status, made.at) == (303, "/sign-in/second?next=/account")
        await made.get(made.at)
        assert "4321" not in made.page
        await made.post("/sign-in/second", {"code": await carrier.code(), "next": "/account"})
        assert (made.status, made.at) == (303, "/account")


async def test_what_one_process_was_asked_for_another_sends(postgres_url: str) -> None:
    carrier = Carrier()
    async with (
        carried(carrier) as way,
        standing(postgres_url, frozenset({"web"}), **way) as house,
        standing(postgres_url, frozenset({"timers"}), MINGLUO_NODE="sender", **way),
    ):
        made = await enrolled(house, carrier)
        assert "李（值班员）" in await made.get("/")


async def test_who_asks_again_at_once_is_told_how_long_to_wait(sqlite_url: str) -> None:
    carrier = Carrier()
    async with carried(carrier) as way, standing(sqlite_url, BOTH, **way) as house:
        await enrolled(house, carrier)
        made = await half(house)
        await made.post(ASK)
        await made.get("/sign-in/second")
        await made.post(ASK)
        assert made.status == 429
        assert re.search(r"刚发过一条验证码：请等 \d+ 秒再要", made.page)
        assert 'name="code"' in made.page


async def test_nobody_asks_without_the_password_or_from_another_page(sqlite_url: str) -> None:
    carrier = Carrier()
    async with carried(carrier) as way, standing(sqlite_url, BOTH, **way) as house:
        await enrolled(house, carrier)
        stranger = Browser(url=house.url, http=house.http)
        for path in (ASK, ENROL_ASK):
            await stranger.get("/sign-in")
            await stranger.post(path)
            assert (stranger.status, stranger.at) == (303, "/sign-in")
        made = await half(house)
        await made.post(ASK, **{"Sec-Fetch-Site": "cross-site"})
        assert made.status == 403
        await made.get("/sign-in/second")
        await made.post(ENROL_ASK)
        assert (made.status, made.at) == (303, "/sign-in/second"), "he has chosen long ago"
    assert carrier.got.empty()


async def test_without_a_phone_the_page_says_whom_to_ask(sqlite_url: str) -> None:
    async with standing(sqlite_url) as house:
        made = await enrolling(house, "")
        assert "请管理员在“账号”页添加手机号" in made.page
        assert "改用短信验证码" not in made.page
        await made.post(ENROL_ASK)
        assert made.status == 422
        assert "请管理员在“账号”页添加手机号" in made.page


async def test_without_a_provider_of_what_is_real_the_page_says_so_and_no_drills_takes_its_place(
    sqlite_url: str,
) -> None:
    carrier, off = Carrier(), {"MINGLUO_TWILIO_ACCOUNT_SID": "", "MINGLUO_TWILIO_AUTH_TOKEN": ""}
    async with carried(carrier) as way:
        async with standing(sqlite_url, BOTH, **way) as house:
            await enrolled(house, carrier)
        drill = {"MINGLUO_CHANNELS__SMS__TWILIO_DRILL__BASE_URL": way["MINGLUO_CHANNELS__SMS__TWILIO__BASE_URL"]}
        async with standing(sqlite_url, BOTH, **off, **DRILL_SMS, **drill) as house:
            made = await half(house)
            assert "没有可用的短信接口" in made.page
            assert "请用备用码，或联系管理员" in made.page
            assert "发短信验证码</button>" not in made.page
            await made.post(ASK)
            assert made.status == 422
    assert carrier.got.empty()


@pytest.mark.usefixtures("logging_as_before")
async def test_no_code_and_no_number_is_left_where_a_provider_repeats_them(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    carrier, pages = Carrier(trouble=1), []
    set_up_logging("debug", "json")
    async with carried(carrier) as way, standing(database_url, BOTH, **way) as house:
        made = await enrolling(house)
        await made.post(ENROL_ASK)
        waiting = await canaries.dumped(database_url, tmp_path)
        code = await carrier.code()
        pages.append(await made.get("/enrol/text"))
        await made.post("/enrol/text", {"code": code})
        pages.append(made.page)
        left = await canaries.dumped(database_url, tmp_path)
    said = capsys.readouterr().err
    places = {"log": said.encode(), "pages": "\n".join(pages).encode()}
    assert carrier.asked == 2
    # digits that stand in a longer row of them, or in a hash, are there by chance
    alone = re.compile(rb"(?<![0-9a-f.])" + code.encode() + rb"(?![0-9a-f])")
    for kept in (waiting, left, places):
        assert canaries.found(kept, [canaries.phone("phone", NUMBER)]) == []
        assert [name for name, content in kept.items() if alone.search(content)] == []

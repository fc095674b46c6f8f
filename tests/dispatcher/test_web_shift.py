"""The duty room over HTTP: the log, hand-overs by two persons in two browsers, and what a part of the city sees of it."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from dispatcher.accounts.authority import AccountRole
from dispatcher.model import BEIJING
from dispatcher.pipeline.watch import Watched, watch
from tests.browser.standing import HELD_TOKEN, SENT, House, cap, code, standing
from tests.dispatcher.persons import CITY, Browser, Hands, Office, office
from tests.dispatcher.test_web_acting import drafted

pytestmark = pytest.mark.long

HOSTILE = '<script>alert("交班")</script>'
SHOWN = html.escape(HOSTILE, quote=True).replace("&quot;", "&#34;")
COUNTY = "360827"


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


@pytest.fixture
def there(house: House) -> Office:
    return office(house.context.store, Hands(datetime.now(UTC)))


async def person(
    house: House, there: Office, login: str, role: AccountRole = AccountRole.DUTY_OFFICER, scope: str = CITY
) -> Browser:
    await there.person(login, role, scope)
    return Browser(url=house.url, http=house.http, cookies={"mingluo": await there.session(login)})


async def on_duty(who: Browser) -> None:
    await who.get("/account")
    await who.post("/account/duty", {"on_duty": "1"})


async def pressed(who: Browser, path: str, form: dict[str, str]) -> str:
    await who.get("/shift")
    return await who.post(path, form)


def offered(page: str) -> str:
    found = re.search(r'action="/shift/take">.*?name="offer" value="(\d+)"', page, re.DOTALL)
    assert found is not None
    return found.group(1)


async def test_one_hands_over_and_another_takes_it_and_both_names_stand_there_afterwards(
    house: House, there: Office
) -> None:
    wang, zhao = await person(house, there, "wang"), await person(house, there, "zhao")
    await on_duty(wang)
    _, held, _ = await house.post(cap("held", where=code(COUNTY)), token=HELD_TOKEN)
    await pressed(wang, "/shift/offer", {"words": f"水位高\n{HOSTILE}"})
    assert (wang.status, wang.at) == (303, "/shift")
    assert "/shift/take" not in await wang.get("/shift"), "nobody takes his own"
    page = await zhao.get("/shift")
    assert SHOWN in page
    assert HOSTILE not in page
    await zhao.post("/shift/take", {"offer": offered(page)})
    assert (zhao.status, zhao.at) == (303, "/shift")
    page = await zhao.get("/shift")
    (number,) = re.findall(r'href="/shift/(\d+)"', page)
    assert "本班从" in page
    kept = await wang.get(f"/shift/{number}")
    assert [name in kept for name in ("值班员wang", "值班员zhao", SHOWN, held["warning_id"])] == [True] * 4
    assert HOSTILE not in kept
    assert "您现在不在班" in await wang.get("/shift"), "whoever handed over went off duty"


async def test_of_an_offer_that_is_gone_the_page_says_so(house: House, there: Office) -> None:
    wang, zhao, chen = [await person(house, there, login) for login in ("wang", "zhao", "chen")]
    await on_duty(wang)
    await pressed(wang, "/shift/offer", {"words": "无", "stays": "1"})
    pages = [await who.get("/shift") for who in (zhao, chen)]
    await zhao.post("/shift/take", {"offer": offered(pages[0])})
    page = await chen.post("/shift/take", {"offer": offered(pages[1])})
    assert (chen.status, 'role="alert"' in page, "已经有人接了" in page) == (409, True, True)
    assert (await wang.get("/shift")).count("<dd><b>") == 2, "both are on duty: one stayed, one came"


@pytest.mark.parametrize("offer", ["", "x", "-1", "9" * 40, "123456"])
async def test_an_offer_nobody_made_is_not_found(house: House, there: Office, offer: str) -> None:
    wang = await person(house, there, "wang")
    await pressed(wang, "/shift/take", {"offer": offer})
    assert wang.status == 404


async def test_what_was_typed_stands_there_again_beside_what_hindered_it(house: House, there: Office) -> None:
    wang = await person(house, there, "wang")
    await on_duty(wang)
    await pressed(wang, "/shift/offer", {"words": "第一次"})
    page = await pressed(wang, "/shift/offer", {"words": "第二次"})
    assert (wang.status, "请先撤回" in page) == (409, True)
    page = await wang.get("/shift")
    number = re.search(r'action="/shift/withdraw">.*?value="(\d+)"', page, re.DOTALL)
    assert number is not None
    await wang.post("/shift/withdraw", {"offer": number.group(1)})
    page = await pressed(wang, "/shift/offer", {"words": " "})
    assert (wang.status, "没有要交代的，写“无”" in page) == (422, True)


async def test_the_log_has_what_came_who_came_and_what_broke(house: House, there: Office) -> None:
    wang, li = await person(house, there, "wang"), await person(house, there, "li", AccountRole.APPROVER)
    await on_duty(wang)
    _, real, _ = await house.post(cap("real", where=code(COUNTY)))
    draft = await drafted(house, wang, headline='水位 "98" & 涨，发布暴雨黄色预警')
    watched = Watched()
    for _ in range(2):
        await watch(house.context, watched, ["短信发不出去"])
    await pressed(wang, "/shift/note", {"words": f"水文站来电{HOSTILE}"})
    page = await li.get("/shift")
    log = page.partition('id="h-log"')[2].partition("</table>")[0]
    for words in (
        "收到并入库",
        "签发",
        "拟制",
        "上班",
        "发现故障",
        "短信发不出去",
        "值班记事",
        "水文站来电",
        "&#34;98&#34; &amp; 涨",
    ):
        assert words in log, words
    assert HOSTILE not in page
    for number in (real["warning_id"], draft):
        assert f"/warnings/{number}" in log
    assert 'action="/shift/note"' not in page, "a leader looks, and writes nothing"


async def test_the_log_calls_what_ended_a_warning_by_its_name(house: House, there: Office) -> None:
    wang = await person(house, there, "wang")
    await house.post(cap("first", where=code(COUNTY)))
    first = f"<references>36080041600000,first,{SENT.astimezone(BEIJING).isoformat()}</references>"
    await house.post(
        cap("end", where=code(COUNTY), kind="Cancel", references=first, headline="吉安市气象台解除暴雨红色预警")
    )
    log = (await wang.get("/shift")).partition('id="h-log"')[2].partition("</table>")[0]
    assert "“吉安市气象台解除暴雨红色预警”" in log
    assert "warning:" not in log


async def test_a_county_sees_its_own_part_and_nothing_that_the_city_wrote(house: House, there: Office) -> None:
    wang = await person(house, there, "wang")
    sui = await person(house, there, "sui", scope=COUNTY)
    await on_duty(wang)
    _, own, _ = await house.post(cap("own", where=code("360827102")))
    _, other, _ = await house.post(cap("other", where=code("360826104")))
    await pressed(wang, "/shift/note", {"words": "只给市里看的"})
    await pressed(wang, "/shift/offer", {"words": "也只给市里看"})
    page = await sui.get("/shift")
    assert own["warning_id"] in page
    assert [words in page for words in (other["warning_id"], "只给市里看的", "也只给市里看")] == [False] * 3
    await on_duty(sui)
    await pressed(sui, "/shift/offer", {"words": "县里的事"})
    page = await wang.get("/shift")
    assert "县里的事" in page, "the city may take what is within its own"
    taken = await pressed(wang, "/shift/take", {"offer": offered(page)})
    assert wang.status == 303, taken
    number = re.findall(r'href="/shift/(\d+)"', await wang.get("/shift"))[0]
    assert other["warning_id"] not in await sui.get(f"/shift/{number}")
    assert sui.status == 200
    tai = await person(house, there, "tai", scope="360826")
    await tai.get(f"/shift/{number}")
    assert tai.status == 404


async def test_older_hand_overs_stand_on_pages_of_their_own(house: House, there: Office) -> None:
    wang, zhao = await person(house, there, "wang"), await person(house, there, "zhao")
    await on_duty(wang)
    people = [wang, zhao]
    for turn in range(32):
        goes, comes = people[turn % 2], people[1 - turn % 2]
        await pressed(goes, "/shift/offer", {"words": str(turn)})
        await comes.post("/shift/take", {"offer": offered(await comes.get("/shift"))})
        assert comes.status == 303
    page = await wang.get("/shift")
    older = re.search(r'href="(/shift\?before=\d+)"', page)
    assert older is not None
    assert len(re.findall(r'href="/shift/\d+"', page)) == 30
    assert len(re.findall(r'href="/shift/\d+"', await wang.get(older.group(1)))) == 2


async def test_what_does_not_come_from_our_page_writes_nothing(house: House, there: Office) -> None:
    wang = await person(house, there, "wang")
    await wang.post("/shift/note", {"words": "从别处来"})
    assert wang.status == 403
    await wang.get("/shift")
    await wang.post("/shift/note", {"words": "从别处来"}, **{"Sec-Fetch-Site": "cross-site"})
    assert wang.status == 403
    assert "从别处来" not in await wang.get("/shift")

"""Tonight's page: what is missing is found before a red is sent, and whoever has a part sees that part."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dispatcher.accounts.authority import AccountRole
from dispatcher.store import accounts
from tests.browser.standing import House, standing
from tests.dispatcher.persons import Hands, Office, office
from tests.dispatcher.test_gaps import without
from tests.dispatcher.test_web_shift import on_duty, person

pytestmark = pytest.mark.long

TOWN = "360827102"


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


@pytest.fixture
def there(house: House) -> Office:
    return office(house.context.store, Hands(datetime.now(UTC)))


def rows(page: str, heading: str) -> list[list[str]]:
    table = page.partition(f'id="{heading}"')[2].partition("</section>")[0]
    cells = [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)
    ]
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in row] for row in cells]


async def test_a_village_without_anybody_is_named_for_the_city_and_for_its_own_township(
    house: House, there: Office
) -> None:
    register = await house.context.register()
    own = next(one for one in register.geofence.village_codes if one.startswith(TOWN))
    other = next(one for one in register.geofence.village_codes if one.startswith("360826104"))
    house.context.in_memory = without(without(register, own), other)
    names = [register.areas[one].name for one in (own, other)]
    wang = await person(house, there, "wang")
    page = await wang.get("/tonight")
    assert all(f"<b>{name}</b>没有人可通知" in page for name in names)
    total = next(row for row in rows(page, "h-places") if row[0] == "合计")
    assert int(total[2]) >= 2
    clerk = await person(house, there, "clerk", AccountRole.TOWNSHIP_CLERK, TOWN)
    page = await clerk.get("/tonight")
    assert f"<b>{names[0]}</b>" in page
    places = page.partition('id="h-places"')[2]
    assert register.areas["360826"].name not in places
    assert "h-signers" not in page, "whose duty it is to sign is not a township's matter"


async def test_what_a_signer_lacks_is_said_and_a_county_nobody_can_sign_for_is_named(
    house: House, there: Office
) -> None:
    wang = await person(house, there, "wang")
    li = await person(house, there, "li", AccountRole.APPROVER)
    page = await wang.get("/tonight")
    (row,) = [row for row in rows(page, "h-signers") if "签发领导li" in row[0]]
    assert "联系不上" in row[1]
    assert ("不在班" in row[2], "没有登记手机号" in row[2], row[3]) == (True, True, "全市各县")
    assert "没有联系得上的签发人" in page
    await on_duty(li)
    async with house.context.store.begin() as tx:
        account = await accounts.by_login(tx, "li")
        assert account is not None
        await accounts.change(tx, account.id, phone=house.context.seal.seal("+8615400000011"))
    page = await wang.get("/tonight")
    assert "每个县都有联系得上的签发人" in page
    assert "15400000011" not in page
    assert "不足两人" in page


async def test_silent_gateways_are_listed_with_whoever_speaks_for_them(house: House, there: Office) -> None:
    register = await house.context.register()
    lost = next(one for one in register.gateways.values() if one.area_code.startswith(TOWN))
    gateways = {**register.gateways, lost.id: replace(lost, online=False, name="<b>碧洲</b>")}
    house.context.in_memory = replace(register, gateways=gateways)
    wang = await person(house, there, "wang")
    page = await wang.get("/tonight")
    assert "<b>碧洲</b>" not in page
    (row,) = [row for row in rows(page, "h-gateways") if "碧洲" in row[0]]
    assert row[3] in {one.name for one in register.gateways.values()}
    sibling = await person(house, there, "sib", AccountRole.TOWNSHIP_CLERK, "360826104")
    assert "碧洲" not in await sibling.get("/tonight")


async def test_what_is_not_ready_is_said_first(house: House, there: Office) -> None:
    wang = await person(house, there, "wang")
    page = await wang.get("/tonight")
    assert page.index("h-ready") < page.index("h-signers") < page.index("h-places") < page.index("h-gateways")
    assert wang.status == 200


async def test_an_empty_register_is_no_good_news(sqlite_url: str) -> None:
    async with standing(sqlite_url) as house:
        wang = await person(house, office(house.context.store, Hands(datetime.now(UTC))), "wang")
        page = await wang.get("/tonight")
    assert wang.status == 200
    for told in ("每个村都有人可通知", "都在线", "每个县都有联系得上的签发人"):
        assert told not in page
    assert "登记册里还没有村" in page
    assert "登记册里还没有播发网关" in page

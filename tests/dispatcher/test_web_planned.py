"""The list by name: whoever signs reads whom, why and by which way, before anything leaves; and each sees his own part."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from dispatcher.accounts.authority import AccountRole
from dispatcher.store.registry import opening
from tests.browser.standing import House, cap, code, standing
from tests.dispatcher.callers import come, submitted
from tests.dispatcher.persons import Hands, Office, office

TOWN = "360827102"


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


@pytest.fixture
def there(house: House) -> Office:
    return office(house.context.store, Hands(datetime.now(UTC)))


def rows(page: str) -> list[list[str]]:
    found = re.findall(r"<tr>(<td>.*?)</tr>", page, re.DOTALL)
    return [
        [re.sub(r"<[^>]+>", " ", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]
        for row in found
    ]


def total(page: str) -> int:
    (found,) = re.findall(r"<h1>.*?<small>([\d,]+) 条", page)
    return int(found.replace(",", ""))


async def test_whom_a_draft_will_reach_and_why_is_read_before_it_is_signed(house: House, there: Office) -> None:
    wang = await come(house, there, "wang", AccountRole.DUTY_OFFICER)
    warning_id = await submitted(house, wang)
    li = await come(house, there, "li", AccountRole.APPROVER)
    assert f'href="/warnings/{warning_id}/planned"' in await li.get(f"/warnings/{warning_id}/sign")
    assert f'href="/warnings/{warning_id}/planned"' in await li.get(f"/warnings/{warning_id}?view=whole")
    page = await li.get(f"/warnings/{warning_id}/planned?channel=sms")
    register = await house.context.register()
    listed = rows(page)
    assert len(listed) == min(100, total(page))
    names = {one.name for one in register.officers.values()}
    assert any(name.split()[0] in names and post and "预警区域" in why for name, post, _, _, why, _ in listed)
    async with house.context.store.read() as tx:
        phones = await opening.phones_of(tx, house.context.seal, [f"officer-{one}" for one in register.officers])
    assert [one for one in phones.values() if one and one.removeprefix("+86") in page] == []


async def test_the_list_goes_on_page_by_page_and_names_everybody_once(house: House, there: Office) -> None:
    _, said, _ = await house.post(cap())
    wang = await come(house, there, "wang", AccountRole.DUTY_OFFICER)
    page = await wang.get(f"/warnings/{said['warning_id']}/planned")
    due, seen = total(page), rows(page)
    while onward := re.findall(r'<p class="more"><a href="([^"]+)">', page):
        page = await wang.get(onward[0].replace("&amp;", "&"))
        seen += rows(page)
    assert len(seen) == due > 500
    narrowed = await wang.get(f"/warnings/{said['warning_id']}/planned?place={TOWN}&channel=sms")
    called = {row[2] for row in rows(narrowed)}
    assert len(called) == 1
    assert total(narrowed) == sum(row[2] in called and row[3] == "短信" for row in seen)


@pytest.mark.long
async def test_a_township_is_shown_its_own_part_of_a_countys_list(house: House, there: Office) -> None:
    _, said, _ = await house.post(cap(where=code("360827")))
    place = f"/warnings/{said['warning_id']}/planned"
    clerk = await come(house, there, "chen", AccountRole.TOWNSHIP_CLERK, TOWN)
    wang = await come(house, there, "wang", AccountRole.DUTY_OFFICER)
    own, whole = await clerk.get(place), await wang.get(place)
    assert 0 < total(own) < total(whole)
    assert len({row[2] for row in rows(own)}) == 1
    other = await clerk.get(f"{place}?place=360827103")
    assert (total(other), '<option value="360827103"' in other) == (total(own), False)
    operator = await come(house, there, "peng", AccountRole.GATEWAY_OPERATOR)
    await operator.get(place)
    assert operator.status == 403

"""A leader says yes by telephone: an officer reads him the words on the page, puts his answer down there, and he can object."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from dispatcher.accounts.authority import AccountRole
from dispatcher.model import BEIJING
from tests.browser.standing import DRILL_SMS, House, standing
from tests.dispatcher.persons import Browser, Hands, Office, office
from tests.dispatcher.test_web_shift import on_duty
from tests.dispatcher.test_web_signer import HASH, browser, frozen_texts, submitted

pytestmark = pytest.mark.long

RED = {"level": "red", "headline": "遂川县应急管理局发布暴雨红色预警"}


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url, **DRILL_SMS) as opened:
        yield opened


@pytest.fixture
def there(house: House) -> Office:
    return office(house.context.store, Hands(datetime.now(UTC)))


async def officer(house: House, there: Office, login: str) -> Browser:
    who = await browser(house, there, login, AccountRole.DUTY_OFFICER)
    await on_duty(who)
    return who


def answer(page: str, **changes: str) -> dict[str, str]:
    """As the form is filled in by hand."""
    seen, now = HASH.search(page), datetime.now(BEIJING)
    assert seen is not None
    said = {"leader": "li", "number": "+8615400000011", "at": f"{now:%Y-%m-%dT%H:%M:%S}", "words": "同意，立即发"}
    return {"plan_hash": seen.group(1), "asked": "confirm", "confirm": "yes", **said, **changes}


async def test_a_second_officer_reads_out_the_frozen_words_and_puts_the_answer_down(
    house: House, there: Office
) -> None:
    wang, zhao = await officer(house, there, "wang"), await officer(house, there, "zhao")
    li = await browser(house, there, "li", AccountRole.APPROVER)
    red = await submitted(house, wang, **RED)
    place = f"/warnings/{red}/telephone"
    assert f'action="{place}"' in await zhao.get(f"/warnings/{red}"), "the button leads there"
    page = await zhao.get(place)
    assert '<option value="li">签发领导li</option>' in page
    assert set(re.findall(r"<blockquote>([^<]+)</blockquote>", page)) <= {
        one["body"] for one in await frozen_texts(house, red)
    }
    for changes, why in (
        ({"confirm": ""}, "勾选确认"),
        ({"at": "刚才"}, "通话的日期和时间"),
        ({"words": " "}, "领导的原话"),
    ):
        again = await zhao.post(place, answer(page, **changes))
        assert (zhao.status, why in again) == (422, True)
        assert 'value="+8615400000011"' in again, "and what was typed still stands there"
    await zhao.post(place, answer(page))
    assert (zhao.status, zhao.at) == (303, f"/warnings/{red}")
    assert "待签发" not in await zhao.get(f"/warnings/{red}")
    await zhao.get(place)
    assert (zhao.status, zhao.at) == (303, f"/warnings/{red}"), "there is nothing more to be said"
    assert "提出异议" not in await zhao.get(f"/warnings/{red}")
    assert "提出异议" in await li.get(f"/warnings/{red}")
    await li.post(f"/warnings/{red}/object", {"words": "我没有接过这个电话"})
    assert li.status == 303
    page = await li.get(f"/warnings/{red}")
    assert "领导对电话签发提出异议" in page
    assert "提出异议</button>" not in page


async def test_whoever_may_not_put_it_down_reads_why_before_he_rings_anybody(house: House, there: Office) -> None:
    wang, zhao = await officer(house, there, "wang"), await browser(house, there, "zhao", AccountRole.DUTY_OFFICER)
    li = await browser(house, there, "li", AccountRole.APPROVER)
    red = await submitted(house, wang, **RED)
    for who, why in ((wang, "请由另一名在岗的值班员登记"), (zhao, "请先登记在岗"), (li, "由有此权限的值班员登记")):
        page = await who.get(f"/warnings/{red}/telephone")
        assert why in page
        assert 'name="words"' not in page


async def test_words_that_were_changed_during_the_call_are_read_out_again(house: House, there: Office) -> None:
    wang, zhao = await officer(house, there, "wang"), await officer(house, there, "zhao")
    await browser(house, there, "li", AccountRole.APPROVER)
    red = await submitted(house, wang, **RED)
    page = await zhao.get(f"/warnings/{red}/telephone")
    again = await zhao.post(f"/warnings/{red}/telephone", answer(page, plan_hash="0" * 64))
    assert (zhao.status, "您看到的内容与现在待签的不同" in again) == (409, True)
    assert "同意，立即发" in again

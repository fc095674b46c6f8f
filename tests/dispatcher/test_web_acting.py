"""Two persons take a warning from draft to release over HTTP: by buttons for people, by JSON for programs."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatcher.accounts.authority import AccountRole
from dispatcher.accounts.entering import form_key
from dispatcher.intake import native
from dispatcher.model import BEIJING
from tests.browser.standing import HELD_TOKEN, SENT, House, cap, code, standing
from tests.dispatcher.desk import written
from tests.dispatcher.persons import Browser, Hands, Office, office

pytestmark = pytest.mark.long

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


@pytest.fixture
def there(house: House) -> Office:
    return office(house.context.store, Hands(datetime.now(UTC)))


async def browser(house: House, there: Office, login: str, role: AccountRole, scope: str = "360800") -> Browser:
    await there.person(login, role, scope)
    return Browser(url=house.url, http=house.http, cookies={"mingluo": await there.session(login)})


async def posted(house: House, who: Browser, path: str, body: object) -> tuple[int, Any]:
    token = who.cookies["mingluo"]
    headers = {"Cookie": f"mingluo={token}", "X-Form-Key": form_key(token), "Sec-Fetch-Site": "same-origin"}
    kind = "application/json" if path.count("/") > 3 and not path.endswith("/edit") else native.CONTENT_TYPE
    headers["Content-Type"] = kind
    async with house.http.post(house.url + path, data=json.dumps(body).encode(), headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


def words(**changes: object) -> Any:
    """A warning of today's."""
    now = datetime.now(UTC).replace(microsecond=0)
    return json.loads(written(sent=now.isoformat(), expires=(now + timedelta(hours=6)).isoformat(), **changes))


async def drafted(house: House, who: Browser, **changes: object) -> str:
    status, said = await posted(house, who, "/api/v1/warnings", words(**changes))
    assert status == 202, said
    return str(said["warning_id"])


def labels(page: str) -> list[str]:
    return re.findall(r'<button type="submit"(?: class="grave")?>([^<]+)</button>', page)


async def test_by_buttons_one_drafts_and_another_signs(house: House, there: Office) -> None:
    wang = await browser(house, there, "wang", AccountRole.DUTY_OFFICER)
    li = await browser(house, there, "li", AccountRole.APPROVER)
    warning_id = await drafted(house, wang)
    page = await wang.get(f"/warnings/{warning_id}")
    assert {"送签", "作废"} <= set(labels(page))
    assert "签发" not in labels(await li.get(f"/warnings/{warning_id}"))
    await wang.post(f"/warnings/{warning_id}/submit")
    assert (wang.status, wang.at) == (303, f"/warnings/{warning_id}")
    assert "签发" not in labels(await wang.get(f"/warnings/{warning_id}")), "not by whoever wrote it"
    page = await li.get(f"/warnings/{warning_id}")
    assert {"签发", "退回"} <= set(labels(page))
    seen = re.search(r'name="plan_hash" value="([0-9a-f]{64})"', page)
    assert seen is not None
    await li.post(f"/warnings/{warning_id}/approve", {"plan_hash": "0" * 64, "reason": "同意"})
    assert li.status == 409
    await li.get(f"/warnings/{warning_id}")
    await li.post(f"/warnings/{warning_id}/approve", {"plan_hash": seen.group(1), "reason": "同意"})
    assert (li.status, li.at) == (303, f"/warnings/{warning_id}"), li.page
    page = await li.get(f"/warnings/{warning_id}")
    assert "误发撤回" in labels(page)
    assert "签发<small>签发领导li</small>" in page, "a name, and no number of ours"
    await li.post(f"/warnings/{warning_id}/cancel")
    assert li.status == 303
    assert li.at != f"/warnings/{warning_id}"
    assert "撤回误发" in await li.get(li.at)


async def test_what_hinders_a_button_is_said_on_the_page(house: House, there: Office) -> None:
    wang = await browser(house, there, "wang", AccountRole.DUTY_OFFICER)
    li = await browser(house, there, "li", AccountRole.APPROVER)
    warning_id = await drafted(house, wang)
    await wang.get(f"/warnings/{warning_id}")
    await wang.post(f"/warnings/{warning_id}/submit")
    await li.get(f"/warnings/{warning_id}")
    await li.post(f"/warnings/{warning_id}/return", {"reason": " "})
    assert li.status == 422
    assert 'role="alert"' in li.page
    assert "请写明为什么退回" in li.page
    await li.post(f"/warnings/{warning_id}/return", {"reason": "少写了一个乡"})
    assert li.status == 303
    await li.get(f"/warnings/{warning_id}")
    for verb in ("approve", "return"):
        await li.post(f"/warnings/{warning_id}/{verb}", {"plan_hash": "0" * 64, "reason": "再来一次"})
        assert (li.status, "（现在是“退回”）" in li.page) == (409, True), "in the words of the page"
    assert "送签" in labels(await wang.get(f"/warnings/{warning_id}"))


async def test_what_another_wrote_meanwhile_is_neither_put_forward_nor_put_away_unread(
    house: House, there: Office
) -> None:
    wang = await browser(house, there, "wang", AccountRole.DUTY_OFFICER)
    zhao = await browser(house, there, "zhao", AccountRole.DUTY_OFFICER)
    body = words()
    status, said = await posted(house, wang, "/api/v1/warnings", body)
    at = f"/warnings/{said['warning_id']}"
    before = seen_on(await zhao.get(at))
    status, said = await posted(house, wang, f"/api/v1{at}/edit", {**body, "description": "改过的话。"})
    assert status == 202, said
    for verb, more in (("submit", {}), ("discard", {"reason": "误报"})):
        await zhao.get(at)
        await zhao.post(f"{at}/{verb}", {"seen": before, **more})
        assert (zhao.status, "被别人改过" in zhao.page, "改过的话。" in zhao.page) == (409, True, True), verb
    await zhao.post(f"{at}/submit", {"seen": seen_on(zhao.page)})
    assert (zhao.status, zhao.at) == (303, at), "he has read it now"
    await zhao.get(at)
    await zhao.post(f"{at}/discard", {"seen": before, "reason": "误报"})
    assert zhao.status == 409
    await zhao.post(f"{at}/discard", {"seen": seen_on(zhao.page), "reason": "误报"})
    assert zhao.status == 303


def seen_on(page: str) -> str:
    """The digest that the buttons of a page name."""
    (seen,) = set(re.findall(r'name="seen" value="([0-9a-f]{64})"', page))
    assert f'data-digest="{seen}"' in page, "and by which its script knows that it changed"
    return seen


async def test_by_json_a_program_hears_a_code_for_what_hinders(house: House, there: Office) -> None:
    wang = await browser(house, there, "wang", AccountRole.DUTY_OFFICER)
    await browser(house, there, "both", AccountRole.APPROVER)
    warning_id = await drafted(house, wang)
    at = f"/api/v1/warnings/{warning_id}"
    status, put = await posted(house, wang, f"{at}/submit", {})
    assert status == 202
    li = Browser(url=house.url, http=house.http, cookies={"mingluo": await there.session("both")})
    for body, due in (
        ({"plan_hash": put["plan_hash"], "reason": "同意", "extra": 1}, (422, "bad_order")),
        ({"plan_hash": "x"}, (422, "bad_order")),
        ({"plan_hash": "f" * 64, "reason": "同意"}, (409, "changed")),
    ):
        status, said = await posted(house, li, f"{at}/approve", body)
        assert (status, said["code"]) == due, said
    status, said = await posted(house, wang, f"{at}/approve", {"plan_hash": put["plan_hash"], "reason": "同意"})
    assert (status, said["code"]) == (403, "not_allowed")
    status, said = await posted(house, li, f"{at}/approve", {"plan_hash": put["plan_hash"], "reason": "同意"})
    assert (status, said["plan_hash"]) == (200, put["plan_hash"])
    status, said = await posted(house, li, f"{at}/approve", {"plan_hash": put["plan_hash"], "reason": "同意"})
    assert (status, said["code"]) == (409, "state")


async def test_an_officer_drafts_for_his_own_area_alone(house: House, there: Office) -> None:
    zhao = await browser(house, there, "zhao", AccountRole.DUTY_OFFICER, "360826")
    status, said = await posted(house, zhao, "/api/v1/warnings", words())
    assert (status, said["code"]) == (422, "214")
    _, held, _ = await house.post(cap("held", where=code("360827102")))
    assert labels(await zhao.get(f"/warnings/{held['warning_id']}")) == []
    assert zhao.status == 404


async def test_the_event_it_belongs_to_is_offered_however_much_came_since(house: House, there: Office) -> None:
    wang = await browser(house, there, "wang", AccountRole.DUTY_OFFICER)
    _, red, _ = await house.post(cap(where=code("360827102")))
    later, still_later = ((SENT + timedelta(minutes=one)).astimezone(BEIJING).isoformat() for one in (1, 2))
    for number in range(50):
        await house.post(cap(f"since-{number}", sent=still_later, where=code("360827102200")))
    over = cap("over", sent=later, kind="Cancel", where=code("360827102"), headline="碧洲镇暴雨红色预警解除")
    _, held, _ = await house.post(over, HELD_TOKEN)
    page = await wang.get(f"/warnings/{held['warning_id']}")
    assert re.findall(r'<option value="([^"]+)">', page) == [red["warning_id"]]


async def test_a_held_all_clear_without_its_event_is_joined_to_it_and_ends_it(house: House, there: Office) -> None:
    wang = await browser(house, there, "wang", AccountRole.DUTY_OFFICER)
    li = await browser(house, there, "li", AccountRole.APPROVER)
    _, red, _ = await house.post(cap(where=code("360827102")))
    _, far, _ = await house.post(cap("far", where=code("360826")))
    later = (SENT + timedelta(minutes=1)).astimezone(BEIJING).isoformat()
    still_later = (SENT + timedelta(minutes=2)).astimezone(BEIJING).isoformat()
    _, newer, _ = await house.post(cap("newer", sent=still_later, where=code("360827102")))
    over = cap("over", sent=later, kind="Cancel", where=code("360827102"), headline="碧洲镇暴雨红色预警解除")
    _, held, _ = await house.post(over, HELD_TOKEN)
    at = f"/warnings/{held['warning_id']}"
    page = await wang.get(at)
    assert 'class="state held"' in page
    assert "接入同一事件" in labels(page)
    offered = re.findall(r'<option value="([^"]*)">([^<]*)</option>', page)
    assert offered[0] == ("", "请选择"), "nothing is chosen by one press"
    assert set(dict(offered)) == {"", red["warning_id"], far["warning_id"]}, "what is newer cannot be ended by it"
    assert dict(offered)[red["warning_id"]].endswith(f" · 红色 · {SENT.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}")
    assert "接入同一事件" not in labels(await li.get(at)), "a leader writes nothing"
    await wang.get(at)
    await wang.post(f"{at}/join", {"other": newer["warning_id"]})
    assert (wang.status, "不比这条早：请另选一条" in wang.page) == (409, True)
    await wang.post(f"{at}/join", {"other": held["warning_id"]})
    assert (wang.status, "没有发出过：请另选一条" in wang.page) == (409, True)
    await wang.post(f"{at}/join", {"other": red["warning_id"]})
    assert (wang.status, wang.at) == (303, at), wang.page
    page = await wang.get(at)
    assert 'class="state draft"' in page
    assert "接入同一事件" not in labels(page)
    assert f'href="/warnings/{red["warning_id"]}"' not in page, "it is no part of it before it leaves"
    await wang.post(f"{at}/join", {"other": far["warning_id"]})
    assert (wang.status, "不用接入" in wang.page) == (409, True), "it knows its event by now"
    await wang.get(at)
    await wang.post(f"{at}/submit")
    assert wang.status == 303, wang.page
    seen = re.search(r'name="plan_hash" value="([0-9a-f]{64})"', await li.get(at))
    assert seen is not None
    await li.post(f"{at}/approve", {"plan_hash": seen.group(1), "reason": "雨已停"})
    assert li.status == 303, li.page
    assert 'class="state cancelled"' in await wang.get(f"/warnings/{red['warning_id']}")
    assert 'class="state cancelled"' not in await wang.get(f"/warnings/{far['warning_id']}")

"""A number is shown to whoever needs it, one at a time, and never without a trace; and whoever audits reads the whole log."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatcher.accounts.authority import AccountRole
from dispatcher.accounts.entering import form_key
from dispatcher.store import audit
from dispatcher.store.audit import START, Entry
from dispatcher.store.registry import opening
from tests.browser.standing import House, cap, code, standing
from tests.dispatcher.callers import come
from tests.dispatcher.persons import Hands, office


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


async def signed_in(house: House, role: AccountRole, scope: str = "360800") -> dict[str, str]:
    there = office(house.context.store, Hands(datetime.now(UTC)))
    await there.person("somebody", role, scope)
    token = await there.session("somebody")
    return {"Cookie": f"mingluo={token}", "X-Form-Key": form_key(token), "Sec-Fetch-Site": "same-origin"}


async def ask(house: House, target: str, reason: str, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    url = f"{house.url}/api/v1/people/{target}/number"
    async with house.http.post(url, json={"reason": reason}, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def looks(house: House) -> list[Entry]:
    async with house.context.store.read() as tx:
        return [one for one in await audit.newest(tx, 50) if one.action == "person.unmasked"]


async def officer(house: House) -> str:
    return f"officer-{sorted((await house.context.register()).officers)[0]}"


async def test_a_number_is_shown_and_who_looked_and_why_is_put_on_record(house: House) -> None:
    headers, target = await signed_in(house, AccountRole.DUTY_OFFICER), await officer(house)
    status, said = await ask(house, target, "短信没有送达，打电话叫应 15400001234", headers)
    async with house.context.store.read() as tx:
        phones = await opening.phones_of(tx, house.context.seal, [target])
    assert (status, said["number"], said["target"]) == (200, phones[target], target)
    (entry,) = await looks(house)
    assert entry.actor.startswith("account:")
    assert entry.subject == target
    assert "打电话叫应" in entry.detail
    assert "15400001234" not in entry.detail, "no number gets into the log by the way of a reason"


@pytest.mark.parametrize(("target", "reason", "status"), [
    ("officer-NOBODY", "打电话叫应", 404), ("gateway-1", "打电话叫应", 404), ("", "打电话叫应", 404), ("officer", "", 422),
])  # fmt: skip
async def test_what_is_not_answered_leaves_no_trace_and_no_number(
    house: House, target: str, reason: str, status: int
) -> None:
    headers = await signed_in(house, AccountRole.DUTY_OFFICER)
    named = await officer(house) if target == "officer" else target
    found, said = await ask(house, named, reason, headers)
    assert found == status
    assert "number" not in said
    assert await looks(house) == []


async def test_a_clerk_sees_no_number_of_another_township(house: House) -> None:
    headers = await signed_in(house, AccountRole.TOWNSHIP_CLERK, "360827102")
    officers = (await house.context.register()).officers.values()
    own = next(one.id for one in officers if one.home_code.startswith("360827102"))
    other = next(one.id for one in officers if one.home_code.startswith("360827103"))
    assert (await ask(house, f"officer-{own}", "核对号码", headers))[0] == 200
    assert (await ask(house, f"officer-{other}", "核对号码", headers))[0] == 403
    assert [one.subject for one in await looks(house)] == [f"officer-{own}"]


@pytest.mark.long
async def test_the_pages_of_the_log_put_together_are_the_log_and_its_links_can_be_recounted(house: House) -> None:
    headers = await signed_in(house, AccountRole.AUDITOR)
    for number in range(3):
        await house.post(cap(str(number)))
    found: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next_before": ""}
    while page["next_before"] is not None:
        behind = f"&before={page['next_before']}" if page["next_before"] else ""
        status, page, _ = await house.get(f"/api/v1/audit?limit=4{behind}", **headers)
        assert status == 200
        found += page["entries"]
    async with house.context.store.read() as tx:
        whole = [entry async for entry in audit.entries(tx)]
    assert [one["no"] for one in found] == [one.no for one in reversed(whole)]
    previous = START
    for one in reversed(found):
        detail = json.dumps(one["detail"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        told = (one["actor"], one["action"], one["subject"], detail)
        assert one["previous"] == previous
        assert audit.link(one["no"], datetime.fromisoformat(one["at"]), told, previous) == one["hash"]
        previous = one["hash"]


@pytest.mark.long
async def test_whoever_was_not_reached_is_rung_from_the_page_of_his_delivery(house: House) -> None:
    there, target = office(house.context.store, Hands(datetime.now(UTC))), await officer(house)
    _, said, _ = await house.post(cap())
    place = f"/warnings/{said['warning_id']}/deliveries/{target}"
    wang = await come(house, there, "wang", AccountRole.DUTY_OFFICER)
    async with house.context.store.read() as tx:
        phones = await opening.phones_of(tx, house.context.seal, [target])
    page = await wang.get(place)
    assert f'action="{place}/number"' in page
    assert phones[target] not in page
    page = await wang.post(f"{place}/number", {"reason": "x"})
    assert (wang.status, phones[target] in page, await looks(house)) == (422, False, [])
    page = await wang.post(f"{place}/number", {"reason": "短信没有送达，打电话叫应"})
    assert (wang.status, f'href="tel:{phones[target]}"' in page) == (200, True)
    (entry,) = await looks(house)
    assert (entry.subject, "打电话叫应" in entry.detail) == (target, True)
    assert phones[target] not in await wang.get(place), "once"
    li = await come(house, there, "li", AccountRole.APPROVER)
    assert "/number" not in await li.get(place)
    await li.post(f"{place}/number", {"reason": "短信没有送达"})
    assert li.status == 403


@pytest.mark.long
async def test_a_number_asked_for_on_a_page_asks_for_the_code_and_leads_back(house: House) -> None:
    hands = Hands(datetime.now(UTC) - timedelta(minutes=10))
    there, target = office(house.context.store, hands), await officer(house)
    _, said, _ = await house.post(cap())
    place = f"/warnings/{said['warning_id']}/deliveries/{target}"
    wang = await come(house, there, "wang", AccountRole.DUTY_OFFICER)
    (field,) = re.findall(r'<input name="reason"[^>]*>', await wang.get(place))
    assert "data-kept" in field, "what he wrote is there again after the code"
    await wang.post(f"{place}/number", {"reason": "短信没有送达，打电话叫应"})
    assert (wang.status, wang.at) == (303, f"/sign-in/second?next={place}")
    assert await looks(house) == []


async def test_whoever_was_away_is_still_led_to_those_who_were_not_reached(house: House) -> None:
    there = office(house.context.store, Hands(datetime.now(UTC) - timedelta(minutes=20)))
    _, said, _ = await house.post(cap(where=code("360827102")))
    wang = await come(house, there, "wang", AccountRole.DUTY_OFFICER)
    rows = f"/warnings/{said['warning_id']}/deliveries"
    assert f'href="{rows}"' in await wang.get(f"/warnings/{said['warning_id']}")
    await wang.get(rows)
    assert (wang.status, wang.at) == (303, f"/sign-in/second?next={rows}")


async def test_a_clerk_rings_his_own_and_nobody_elsewhere(house: House) -> None:
    there, register = office(house.context.store, Hands(datetime.now(UTC))), await house.context.register()
    _, said, _ = await house.post(cap(where=code("360827102")))
    _, elsewhere, _ = await house.post(cap("elsewhere", where=code("360826104")))
    mine, his = (
        next(f"officer-{one.officer_id}" for one in register.posts if one.area_code.startswith(town))
        for town in ("360827102", "360826104")
    )
    clerk = await come(house, there, "chen", AccountRole.TOWNSHIP_CLERK, "360827102")
    for warning, target, status in ((said, mine, 200), (said, his, 403), (elsewhere, mine, 404)):
        await clerk.get(f"/warnings/{said['warning_id']}/deliveries/{mine}")
        await clerk.post(f"/warnings/{warning['warning_id']}/deliveries/{target}/number", {"reason": "打电话叫应"})
        assert clerk.status == status, target

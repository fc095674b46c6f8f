"""Every route × every role × own, parent, sibling, child and other area. What is allowed is written a second time, by hand,
so that nobody changes a rule without meaning it.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import aiohttp
import pytest

from dispatcher.accounts.authority import BY_A_PERSON, HELD_BY_ACCOUNTS, AccountRole, Action, Means
from dispatcher.accounts.entering import form_key
from dispatcher.states import DeliveryState
from dispatcher.store import ledger
from dispatcher.store.deliveries import Row
from dispatcher.web.route import About, Route, Who
from dispatcher.web.routes import ROUTES
from tests.browser.standing import TOKEN, House, cap, code, standing, take_in_hand
from tests.dispatcher.persons import Hands, office

pytestmark = pytest.mark.long

CITY, TOWN = "360800", "360827102"
WHERE: Final = {
    "own": TOWN, "child": "360827102201", "parent": "360827", "sibling": "360827103", "other": "360826104",
}  # fmt: skip
"""Of somebody whose area is the township TOWN: where a warning speaks for."""
REACHES: Final = {
    "w": frozenset({"own", "child"}), "t": frozenset({"own", "child", "parent"}), "e": frozenset(WHERE),
}  # fmt: skip

#                      duty, approver, clerk, operator, auditor, administrator, source
GOLDEN: Final = {
    Action.LOOK: "tttttTt",
    Action.LEDGER: "ttt.t.t",
    Action.GATEWAYS: "ttttt.t",
    Action.REJECTS: "w...www",
    Action.AUDIT: "....w..",
    Action.PREPARE: "ww....e",
    Action.ISSUE: "w.....e",
    Action.EDIT: "w......",
    Action.SUBMIT: "w......",
    Action.APPROVE: ".w.....",
    Action.RETURN: "ww.....",
    Action.RELEASE: "w......",
    Action.RECORD_CALL: "w......",
    Action.OBJECT: ".w.....",
    Action.RETRACT: "ww....e",
    Action.CALL_OFF: "w.....e",
    Action.UNMASK: "w.w....",
    Action.ADMINISTER: ".....w.",
    Action.LEAVE: "eeeeee.",
    Action.OWN_ACCOUNT: "eeeeee.",
    Action.OWN_KEYS: "eeeeee.",
    Action.METRICS: "w...wwe",
    Action.TRAIN: "eeeeee.",
    Action.SHIFT: "tt..t..",
    Action.HAND_OVER: "w......",
    Action.TONIGHT: "ttttt..",
    Action.PAPER: "ww..w..",
    Action.ATTACH: "w......",
}


def golden(role: AccountRole, action: Action) -> str:
    """'' where there is no rule."""
    return GOLDEN[action][list(AccountRole).index(role)].lower().replace(".", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    name: str
    role: AccountRole
    scope: str
    means: Means
    headers: dict[str, str]


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


def _browser(token: str) -> dict[str, str]:
    return {"Cookie": f"mingluo={token}", "X-Form-Key": form_key(token), "Sec-Fetch-Site": "same-origin"}


async def people(house: House) -> list[Person]:
    there = office(house.context.store, Hands(datetime.now(UTC)))
    found = []
    for role in HELD_BY_ACCOUNTS:
        for scope in (TOWN, CITY):
            login = f"{role}-{scope}".replace("_", "-")
            await there.person(login, role, scope)
            token = await there.session(login)
            person = Person(name=login, role=role, scope=scope, means=Means.SESSION, headers=_browser(token))
            found.append(person)
    chief = await there.entrance.known(await there.session("administrator-360800"))
    assert chief is not None
    for role in HELD_BY_ACCOUNTS:
        token = await there.keeper.make_token(chief.principal, str(role), role, [TOWN])
        headers = {"Authorization": f"Bearer {token}"}
        found.append(Person(name=f"token {role}", role=role, scope=TOWN, means=Means.TOKEN, headers=headers))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    found.append(Person(name="source", role=AccountRole.SOURCE, scope=CITY, means=Means.SOURCE, headers=headers))
    return found


def expected(person: Person, route: Route, relation: str) -> tuple[int, str] | None:
    """(status, code) of the refusal; None where it is allowed."""
    assert isinstance(route.who, Action)
    rule = golden(person.role, route.who)
    if not rule:
        return 403, "not_allowed"
    token = person.means is Means.TOKEN and route.who is Action.RETRACT
    if token or (person.means is not Means.SESSION and route.who in BY_A_PERSON):
        return 403, "person_needed"
    match route.about:
        case About.NOTHING | About.OWN_PART:
            return None
        case About.CITY:
            return None if person.scope == CITY or rule == "e" else (403, "214")
        case About.WARNING | About.GATEWAY | About.PERSON:
            if person.scope == CITY or relation in REACHES[rule]:
                return None
            seen = relation in REACHES[golden(person.role, Action.LOOK)]
            return (403, "214") if seen or route.about is not About.WARNING else (404, "no_such_warning")


def cases(route: Route, warnings: dict[str, str], gateways: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(relation, path)."""
    path = re.sub(r"{(account|scan|handover)}", "0" * 32, route.template).replace("{target}", gateways["somebody, own"])
    match route.about:
        case About.WARNING:
            yield from ((relation, path.replace("{id}", found)) for relation, found in warnings.items())
        case About.GATEWAY:
            yield from ((name, path.replace("{id}", found)) for name, found in gateways.items() if name in WHERE)
        case About.PERSON:
            for name in ("own", "sibling", "other"):
                somebody = route.template.replace("{target}", gateways[f"somebody, {name}"])
                yield name, somebody.replace("{id}", warnings[name])
        case _:
            yield "", path


@asynccontextmanager
async def desks(number: int) -> AsyncIterator[list[aiohttp.ClientSession]]:
    """Each person asks from an address of his own: one address alone may not ask so much."""
    async with AsyncExitStack() as opened:
        yield [
            await opened.enter_async_context(
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(f"127.0.1.{last}", 0)))
            )
            for last in range(1, number + 1)
        ]


async def said(house: House, desk: tuple[Person, aiohttp.ClientSession], route: Route, path: str) -> tuple[int, str]:
    person, http = desk
    headers = {"Content-Type": route.takes[0], **person.headers} if route.takes else person.headers
    async with http.request(route.method, house.url + path, headers=headers, data=b"", allow_redirects=False) as answer:
        if answer.status < 400 or not answer.content_type.endswith("problem+json"):
            return answer.status, ""
        return answer.status, str((await answer.json(content_type=None))["code"])


REFUSALS = {
    (429, "too_many"), (403, "not_allowed"), (403, "person_needed"), (403, "214"), (404, "no_such_warning"),
    (401, "unauthorized"),
}  # fmt: skip
LAST = ("endOthers", "changePassword", "signOut")
"""They end what the others need."""


def _order(route: Route) -> tuple[bool, int]:
    return route.method != "GET", LAST.index(route.name) + 1 if route.name in LAST else 0


async def warned(house: House) -> dict[str, str]:
    found = {}
    for relation, where in WHERE.items():
        status, answer, _ = await house.post(cap(relation, where=code(where)))
        assert (status, answer["verdict"]) == (202, "accept"), answer
        found[relation] = answer["warning_id"]
    return found


async def gatewayed(house: House) -> dict[str, str]:
    """One gateway each that stands for such an area, where the register has one."""
    gateways = (await house.context.register()).gateways.values()
    wanted = {"own": TOWN, "parent": "360827", "sibling": "360827103", "other": "360826104"}
    return {
        relation: gateway.id
        for relation, where in wanted.items()
        for gateway in gateways
        if gateway.area_code.ljust(12, "0")[:12].rstrip("0") == where.rstrip("0")
    }


def test_the_table_by_hand_has_every_action_and_every_role() -> None:
    assert set(GOLDEN) == set(Action)
    assert {len(row) for row in GOLDEN.values()} == {len(AccountRole)}


def test_every_route_names_what_it_asks_for() -> None:
    for route in ROUTES:
        assert isinstance(route.who, Who | Action)
        if "{id}" in route.template and isinstance(route.who, Action):
            assert route.about in (About.WARNING, About.GATEWAY, About.PERSON), route.path


@pytest.mark.timeout(300)
async def test_every_route_every_role_every_area(house: House) -> None:
    warnings, gateways, everybody = await warned(house), await gatewayed(house), await people(house)
    assert {"own", "parent", "sibling", "other"} == set(gateways)
    officers = (await house.context.register()).officers.values()
    for relation in ("own", "sibling", "other"):
        here = next(one.id for one in officers if one.home_code.startswith(WHERE[relation]))
        gateways[f"somebody, {relation}"] = f"officer-{here}"
    asked = [route for route in ROUTES if isinstance(route.who, Action) and route.name != "live"]
    done, wrong = 0, []
    async with desks(len(everybody)) as sessions:
        for route in sorted(asked, key=_order):
            for relation, path in cases(route, warnings, gateways):
                for desk in zip(everybody, sessions, strict=True):
                    found, due = await said(house, desk, route, path), expected(desk[0], route, relation)
                    done += 1
                    if (due is None and found in REFUSALS) or (due is not None and found != due):
                        wrong.append((desk[0].name, route.method, route.template, relation, found, due))
    assert wrong == [], "\n".join(map(str, wrong))
    assert done >= len(everybody) * len(asked)


async def test_the_live_stream_is_for_whoever_may_look_and_shows_his_part_alone(house: House) -> None:
    everybody = await people(house)
    warnings = await warned(house)
    for person in everybody:
        if person.means is not Means.SESSION or person.role is not AccountRole.TOWNSHIP_CLERK:
            continue
        text = ""
        async with house.http.get(
            f"{house.url}/api/v1/live", headers={**person.headers, "Last-Event-ID": "0"}
        ) as answer:
            assert answer.status == 200
            while warnings["other"] not in text and text.count("event: event") < 4:
                text += (await answer.content.readline()).decode()
                if person.scope == TOWN and warnings["parent"] in text:
                    break
        if person.scope == TOWN:
            assert warnings["own"] in text
            assert warnings["other"] not in text
            assert warnings["sibling"] not in text


async def test_a_list_shows_what_touches_ones_area_and_a_ledger_ones_own_rows(house: House) -> None:
    warnings = await warned(house)
    clerk = next(one for one in await people(house) if one.role is AccountRole.TOWNSHIP_CLERK and one.scope == TOWN)
    _, listed, _ = await house.get("/api/v1/warnings", **clerk.headers)
    assert {one["id"] for one in listed["warnings"]} == {warnings[name] for name in ("own", "child", "parent")}
    _, table, _ = await house.get(f"/api/v1/warnings/{warnings['parent']}/townships", **clerk.headers)
    assert {town["code"] for county in table["counties"] for town in county["townships"]} == {TOWN}
    _, found, _ = await house.get("/api/v1/gateways", **clerk.headers)
    assert found["gateways"]
    assert all(
        TOWN.startswith(one["area_code"].rstrip("0")) or one["area_code"].startswith(TOWN) for one in found["gateways"]
    )


async def test_of_a_countys_warning_a_township_sees_its_own_part_and_no_number_of_the_others(house: House) -> None:
    warnings = await warned(house)
    clerk = next(one for one in await people(house) if one.role is AccountRole.TOWNSHIP_CLERK and one.scope == TOWN)
    chief = await duty_officer(house)
    path = f"/api/v1/warnings/{warnings['parent']}"
    _, _, before = await house.text(f"{path}/deliveries", **clerk.headers)
    _, _, whole = await house.text(f"{path}/deliveries", **chief.headers)
    assert 0 < int(before["X-Unplanned"]) < int(whole["X-Unplanned"])
    async with house.context.store.read() as tx:
        every = [
            chunk for one in warnings.values() for chunk in await ledger.unplanned(tx, one) if chunk.channel == "sms"
        ]
    for _ in every:
        await take_in_hand(house, "sms", half_fail)
    _, told, _ = await house.text(f"{path}/deliveries", **clerk.headers)
    own = [json.loads(line) for line in told.splitlines()]
    assert {one["township"] for one in own if one["township"] != TOWN} == set()
    failed = sum(one["state"] == "failed" for one in own)
    _, seen, _ = await house.get(path, **clerk.headers)
    _, everything, _ = await house.get(path, **chief.headers)
    assert sum(one["rows"] for one in seen["troubles"]) == failed
    assert sum(one["rows"] for one in everything["troubles"]) > failed > 0
    assert sum(seen["plan"]["reasons"].values()) == seen["total"]["planned"] == len(own)
    assert seen["unreachable_count"] == len(seen["unreachable"])
    assert all("rows" not in one["detail"] and one["kind"].startswith("warning.") for one in seen["events"])
    _, page, _ = await house.text(f"/warnings/{warnings['parent']}", **clerk.headers, Accept="text/html")
    _, chiefs, _ = await house.text(f"/warnings/{warnings['parent']}", **chief.headers, Accept="text/html")
    areas = (await house.context.register()).areas
    others = [
        area.name for code, area in areas.items() if code.startswith("360827") and len(code) == 9 and code != TOWN
    ]
    worded = [re.findall(r"<blockquote>(.*?)</blockquote>", one, re.DOTALL) for one in (page, chiefs)]
    assert worded[0]
    assert [name for name in others for text in worded[0] if name in text] == []
    assert [name for name in others for text in worded[1] if name in text] != []


def half_fail(row: Row) -> tuple[DeliveryState, str]:
    return (DeliveryState.FAILED, "30003") if row.pos % 2 else (DeliveryState.DELIVERED, "")


async def test_whoever_may_sign_a_warning_of_his_county_sees_all_that_he_signs(house: House) -> None:
    """Also before the first row of it stands in the ledger."""
    warnings = await warned(house)
    there = office(house.context.store, Hands(datetime.now(UTC)))
    await there.person("county", AccountRole.APPROVER, "360827")
    headers = _browser(await there.session("county"))
    chief = await duty_officer(house)
    path = f"/api/v1/warnings/{warnings['parent']}"
    _, his, _ = await house.get(path, **headers)
    _, whole, _ = await house.get(path, **chief.headers)
    assert his["plan"] == whole["plan"]
    assert his["plan"]["channels"]["sms"] > 0
    assert his["channels"] == whole["channels"]
    _, page, _ = await house.text(f"/warnings/{warnings['parent']}", **headers, Accept="text/html")
    assert "<blockquote>" in page


async def duty_officer(house: House) -> Person:
    there = office(house.context.store, Hands(datetime.now(UTC)))
    await there.person("chief", AccountRole.DUTY_OFFICER, CITY)
    headers = _browser(await there.session("chief"))
    return Person(name="chief", role=AccountRole.DUTY_OFFICER, scope=CITY, means=Means.SESSION, headers=headers)

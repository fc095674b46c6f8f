"""`--roles public`: in the outer zone providers call back, a supervisor asks whether it lives, and nothing else exists."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from dispatcher.service.running import OUTER_ROLE
from dispatcher.service.serving import Rehearsal, serving
from dispatcher.settings import BadConfiguration
from dispatcher.web.routes import OUTER_ROUTES, ROUTES
from tests.browser.standing import TOKEN, House, cap, settings, standing
from tests.dispatcher.test_web_edge import report

OUTER = frozenset({OUTER_ROLE})


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url, roles=OUTER) as opened:
        yield opened


async def test_a_provider_calls_back_and_is_believed_by_its_signature_alone(house: House) -> None:
    assert await report(house) == 204
    assert await report(house, token="another") == 401


async def test_everything_but_callbacks_and_life_is_not_there(house: House) -> None:
    token = {"Authorization": f"Bearer {TOKEN}"}
    for route in ROUTES:
        path = route.template.replace("{id}", "0" * 32).replace("{target}", "officer-1").replace("{identifier}", "x")
        path = path.replace("{channel}", "sms").replace("{provider}", "nobody").replace("{token}", "x")
        async with house.http.request(route.method, house.url + path, headers=token, data=b"") as answer:
            code = (await answer.json(content_type=None)).get("code")
        if route.name == "callback":
            assert (answer.status, code) == (404, "no_such_provider")
        else:
            assert (answer.status, code) == ((200, None) if route.name == "alive" else (404, "not_found")), route.path
    assert [route.name for route in OUTER_ROUTES] == ["callback", "alive"]


async def test_it_shows_no_page_and_names_no_address_of_the_inside(house: House) -> None:
    for path in ("/", "/nowhere", "/static/console.css", "/static/../site.py", "/api/openapi.json", "/training/reset"):
        status, said, headers = await house.text(path, Accept="text/html")
        assert (status, headers["Content-Type"].partition(";")[0]) == (404, "application/problem+json"), path
        assert ("openapi" in json.loads(said)["detail"], "<" in said) == (False, False)


async def test_from_another_machine_in_clear_there_is_nothing_either(jian_sqlite_url: str) -> None:
    async with standing(jian_sqlite_url, roles=OUTER, MINGLUO_PROXIES="[127.0.0.1]") as house:
        far = {"X-Forwarded-For": "203.0.113.9"}
        assert (await house.get("/", **far))[0] == 404
        assert await report(house, **far) == 204


async def test_with_web_it_is_as_if_it_were_not_said(jian_sqlite_url: str) -> None:
    async with standing(jian_sqlite_url, roles=OUTER | {"web"}) as house:
        assert (await house.text("/"))[0] == 200
        assert (await house.post(cap()))[0] == 202
        assert await report(house) == 204


@pytest.mark.long
async def test_a_process_without_either_listens_nowhere(jian_sqlite_url: str) -> None:
    async with serving(settings(jian_sqlite_url), roles=frozenset({"timers"}), rehearsal=Rehearsal()) as live:
        assert (live.url, live.outer) == ("", True)


async def test_a_role_that_does_not_exist_is_named_beside_those_that_do(jian_sqlite_url: str) -> None:
    with pytest.raises(BadConfiguration, match="没有这些角色：outside；可用的有 intake、public、send、timers、web"):
        async with serving(settings(jian_sqlite_url), roles=frozenset({"outside"})):
            pass

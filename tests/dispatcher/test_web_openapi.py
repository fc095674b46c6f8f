"""The documents say what the server does: every route, every answer, every message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from dispatcher.web import health, openapi
from dispatcher.web.route import Good, Route, Who
from dispatcher.web.routes import ROUTES
from tests.browser.standing import House, standing


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


def references(of: Any) -> set[str]:
    if isinstance(of, dict):
        own = {of["$ref"]} if isinstance(of.get("$ref"), str) else set()
        return own.union(*map(references, of.values()))
    if isinstance(of, list):
        return set().union(*map(references, of))
    return set()


def found(document: Any, reference: str) -> Any:
    for name in reference.removeprefix("#/").split("/"):
        document = document[name]
    return document


async def test_every_route_stands_in_the_document_and_nothing_else(house: House) -> None:
    _, said, _ = await house.get("/api/openapi.json")
    written = {(method.upper(), path) for path, methods in said["paths"].items() for method in methods}
    assert said["openapi"] == "3.1.0"
    assert written == {(route.method, route.template) for route in ROUTES}
    names = [route.name for route in ROUTES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", ["/api/openapi.json", "/api/asyncapi.json"])
async def test_every_reference_in_a_document_leads_somewhere(house: House, path: str) -> None:
    _, said, _ = await house.get(path)
    assert references(said)
    for reference in references(said):
        assert found(said, reference), reference


async def test_every_route_answers_what_the_document_says(house: House) -> None:
    _, said, _ = await house.get("/api/openapi.json")
    for route in ROUTES:
        if route.method != "GET" or route.name == "live":
            continue
        path = route.template.replace("{id}", "0" * 32).replace("{target}", "officer-1")
        async with house.http.get(house.url + path) as answer:
            promised = said["paths"][route.template]["get"]["responses"]
            assert str(answer.status) in promised, route.path
            kinds = promised[str(answer.status)].get("content", {})
            assert answer.content_type in kinds, route.path


async def test_the_names_of_rabbitmq_are_those_we_use(house: House) -> None:
    _, said, _ = await house.get("/api/asyncapi.json")
    addresses = {channel["address"] for channel in said["channels"].values()}
    assert addresses == {"warnings", "warnings.rejected", "dispatch.events"}
    assert said["asyncapi"] == "3.0.0"


def test_a_path_with_a_pattern_is_written_without_it() -> None:
    async def nothing(_request: web.Request) -> web.StreamResponse:
        return web.Response()

    route = Route(
        method="GET",
        path="/a/{b}/{c:.*}",
        handler=nothing,
        name="n",
        what="w",
        who=Who.ANYONE,
        good=((200, Good(what="g")),),
    )
    assert route.template == "/a/{b}/{c}"
    shown = openapi.openapi([route], "http://localhost")["paths"]["/a/{b}/{c}"]["get"]
    assert [parameter["name"] for parameter in shown["parameters"]] == ["b", "c"]


async def test_ready_names_each_dependency_and_says_in_chinese_what_is_wrong(house: House) -> None:
    status, said, _ = await house.get("/health/ready")
    assert (status == 200) == said["ready"] == (not said["problems"])
    assert {one["name"].partition(":")[0] for one in said["dependencies"]} == {"database", "broker"}
    for problem in said["problems"]:
        assert any("一" <= sign <= "鿿" for sign in problem)
    status, said, _ = await house.get("/health/live")
    assert (status, said) == (200, {"alive": True})
    _, numbers, _ = await house.text("/metrics")
    assert "mingluo_warnings_total" in numbers
    assert health.READY_S > 3

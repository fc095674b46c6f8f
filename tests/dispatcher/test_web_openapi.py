"""The documents say what the server does: every route, every answer, every message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from dispatcher.intake import native
from dispatcher.web import health, openapi
from dispatcher.web.route import Good, Route, Who
from dispatcher.web.routes import ROUTES
from tests.browser.standing import TOKEN, House, standing


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
        if reference.startswith("#/"):
            assert found(said, reference), reference
        else:
            assert (await house.get(reference))[0] == 200, reference


async def test_the_schema_of_a_native_warning_is_published_once_and_both_documents_refer_to_it(house: House) -> None:
    async with house.http.get(f"{house.url}/api/schemas/warning.json") as answer:
        assert (answer.status, answer.content_type) == (200, "application/schema+json")
        schema = await answer.json(content_type=None)
    assert schema == native.json_schema()
    refers = {"$ref": schema["$id"]}
    _, http, _ = await house.get("/api/openapi.json")
    for path in ("/api/v1/warnings", "/api/v1/warnings/preview"):
        assert http["paths"][path]["post"]["requestBody"]["content"][native.CONTENT_TYPE] == {"schema": refers}
    _, amqp, _ = await house.get("/api/asyncapi.json")
    payload = amqp["components"]["messages"]["native"]["payload"]
    assert payload == {"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": refers}


async def test_the_samples_of_the_published_schema_are_accepted_by_the_door_they_are_for(house: House) -> None:
    _, schema, _ = await house.get("/api/schemas/warning.json")
    headers = {"Content-Type": native.CONTENT_TYPE, "Authorization": f"Bearer {TOKEN}"}
    for sample in schema["examples"]:
        url = f"{house.url}/api/v1/warnings/preview?at=sent"
        async with house.http.post(url, json=sample, headers=headers) as answer:
            said = await answer.json()
        assert (answer.status, said["verdict"]) == (200, "accept"), said["reason"]
        assert said["villages"]


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

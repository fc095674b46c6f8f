"""Sources come by their token, whoever looks from this machine or with one; and nobody harms us before that."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from dispatcher.web.asking import BODY_S
from dispatcher.web.guard import HEADERS
from dispatcher.web.route import Who
from dispatcher.web.routes import ROUTES
from dispatcher.web.site import HEAD_S
from tests.browser.standing import TOKEN, House, cap, standing

READS = ("/", "/api/v1/warnings", "/api/v1/gateways", "/api/v1/rejects", "/api/v1/live", "/metrics")


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


async def talk(house: House, sent: bytes) -> bytes:
    """Raw bytes to the socket, and all that comes back."""
    port = int(house.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    await writer.drain()
    async with asyncio.timeout(15):
        said = await reader.read()
    writer.close()
    await writer.wait_closed()
    return said


async def test_no_warning_comes_in_without_a_sources_own_token(house: House) -> None:
    url = f"{house.url}/api/v1/warnings?source=city-weather"
    basic = base64.b64encode(f"x:{TOKEN}".encode()).decode()
    wrong = ("", "Bearer ", "Bearer wrong", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN, f"Basic {basic}")
    for given in (*wrong, "Bearer 令牌".encode().decode("latin-1"), "Basic ////"):
        headers = {"Content-Type": "application/cap+xml", "X-Source": "city-weather", "Authorization": given}
        async with house.http.post(url, data=cap(), headers=headers) as answer:
            said = await answer.json(content_type=None)
        assert (answer.status, said["code"]) == (401, "unauthorized"), given
        assert "WWW-Authenticate" in answer.headers
    _, listed, _ = await house.get("/api/v1/warnings")
    _, refused, _ = await house.get("/api/v1/rejects")
    assert (listed["warnings"], refused["rejects"]) == ([], [])


STRANGE = (
    {"X-Forwarded-For": "203.0.113.9"},
    {"Forwarded": "for=203.0.113.9"},
    {"X-Real-IP": "203.0.113.9"},
    {"Host": "evil.example"},
    {"Host": "evil.example:80@127.0.0.1"},
    {"Host": "["},
    {"Host": "127.0.0.1.evil.example"},
)


async def test_a_reader_behind_a_proxy_or_under_a_strange_name_shows_a_token(house: House) -> None:
    for given in STRANGE:
        for path in READS:
            async with house.http.get(house.url + path, headers=given) as answer:
                assert answer.status == 401, (path, given)
                assert "遂川" not in await answer.text()
    for path in READS:
        headers = {**STRANGE[0], "Authorization": f"Bearer {TOKEN}"}
        async with house.http.get(house.url + path, headers=headers) as answer:
            assert answer.status == 200, path


async def test_health_and_the_documents_are_for_everybody(house: House) -> None:
    strange = {"X-Forwarded-For": "203.0.113.9"}
    for path in ("/health/live", "/api/openapi.json", "/api/asyncapi.json", "/api/schemas/warning.json"):
        status, _, _ = await house.text(path, **strange)
        assert status == 200


async def test_every_answer_carries_the_headers_that_keep_a_browser_safe(house: House) -> None:
    for path in ("/", "/health/live", "/static/console.css", "/nowhere", "/api/v1/warnings/x", "/static/../site.py"):
        _, _, headers = await house.text(path)
        for name, value in HEADERS.items():
            assert headers[name] == value, (path, name)
    assert b"nosniff" in await talk(house, b"\x16\x03\x01\x02\x00rubbish\r\n\r\n")


async def test_the_policy_allows_no_inline_script_or_style_and_no_other_host(house: House) -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    for path in ("/", "/nowhere"):
        _, page, _ = await house.text(path, Accept="text/html")
        assert "<style" not in page
        assert " style=" not in page
        assert "onclick" not in page
        assert "<script>" not in page


async def test_errors_are_problems_with_a_stable_code(house: House) -> None:
    for method, path, status, code in (
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/api/v1/warnings", 405, "method_not_allowed"),
        ("GET", "/api/v1/warnings/" + "0" * 32, 404, "no_such_warning"),
        ("GET", "/api/v1/warnings/..%2f..%2fetc", 404, "no_such_warning"),
        ("GET", "/api/v1/warnings?limit=0", 400, "bad_query"),
        ("GET", "/api/v1/warnings?limit=９", 400, "bad_query"),
        ("GET", "/api/v1/warnings?limit=1e3", 400, "bad_query"),
        ("GET", "/api/v1/warnings?limit=" + "9" * 5000, 400, "bad_query"),
        ("GET", "/api/v1/warnings?state=exploded", 400, "bad_query"),
        ("GET", "/api/v1/warnings?before=' OR 1=1", 400, "bad_query"),
        ("GET", "/api/v1/gateways/none/commands", 404, "no_such_gateway"),
        ("GET", "/api/v1/gateways/GW360800/commands?cursor=~~", 400, "bad_query"),
        ("GET", "/warnings/x", 404, "no_such_warning"),
    ):
        async with house.http.request(method, house.url + path) as answer:
            said = await answer.json(content_type=None)
            assert answer.headers["Content-Type"].startswith("application/problem+json"), path
        assert (answer.status, said["status"], said["code"]) == (status, status, code), path
        assert said["type"] == f"urn:mingluo:problem:{code}"
        assert said["title"]
        assert said["detail"]
        assert said["instance"].startswith("/")


NO_HTTP = (
    b"\x00\x01\x02\x03\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: b\r\n" * 500 + b"\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
)


async def test_bytes_that_are_no_http_are_answered_and_the_next_visitor_is_served(house: House) -> None:
    for sent in NO_HTTP:
        said = await talk(house, sent)
        assert said[5:12] in (b"1.0 400", b"1.1 400"), (sent[:60], said[:200])
        assert b"Traceback" not in said
        assert json.loads(said.partition(b"\r\n\r\n")[2])["code"] == "bad_request"
    assert (await house.text("/health/live"))[0] == 200


async def test_headers_over_8_kb_altogether_are_refused(house: House) -> None:
    many = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 900) for number in range(20))
    said = await talk(house, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + many + b"\r\n")
    assert said.startswith(b"HTTP/1.1 431")


async def test_what_nobody_expected_gets_a_number_that_stands_in_the_log_and_no_traceback(house: House) -> None:
    _, accepted, _ = await house.post(cap())
    async with house.context.store.begin() as tx:
        await tx.exec_driver_sql("UPDATE warnings SET area = '{}'")
    with capture_logs() as logged:
        status, said, _ = await house.get(f"/api/v1/warnings/{accepted['warning_id']}/townships")
    assert (status, said["code"]) == (500, "internal")
    assert said["id"] in said["detail"]
    assert "Traceback" not in json.dumps(said)
    assert "KeyError" not in json.dumps(said)
    assert [line["number"] for line in logged if line["log_level"] == "error"] == [said["id"]]


async def test_every_route_says_who_may(house: House) -> None:
    strange = {"X-Forwarded-For": "203.0.113.9"}
    for route in ROUTES:
        path = route.template.replace("{id}", "0" * 32).replace("{target}", "officer-1")
        path = (
            path.replace("{channel}", "sms")
            .replace("{provider}", "twilio")
            .replace("{token}", "x")
            .replace("{account}", "x")
        )
        path = re.sub(r"\{\w+\}", "0" * 32, path)  # whatever else has an id of its own
        async with house.http.request(route.method, house.url + path, headers=strange, data=b"") as answer:
            assert (answer.status == 401) == (route.who not in (Who.ANYONE, Who.ENTERING)), route.path


@pytest.mark.long
async def test_half_a_request_is_cut_off_after_seconds_and_holds_up_nobody(house: House) -> None:
    port = int(house.url.rpartition(":")[2])
    lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
    began = asyncio.get_running_loop().time()
    for number, (_, writer) in enumerate(lines):
        head = b"POST /api/v1/warnings HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
        writer.write(head[: 20 + number % 30])
    status, said, _ = await house.post(cap())
    assert (status, said["verdict"]) == (202, "accept")
    assert asyncio.get_running_loop().time() - began < 5
    async with asyncio.timeout(HEAD_S + 8):
        for reader, _ in lines:
            await reader.read()
    for _, writer in lines:
        writer.close()


@pytest.mark.long
async def test_a_body_that_never_ends_is_given_up_after_seconds(house: House) -> None:
    port = int(house.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /api/v1/warnings HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    writer.write(f"{head}Content-Type: application/cap+xml\r\nContent-Length: 1000\r\n\r\n<alert".encode())
    async with asyncio.timeout(BODY_S + 8):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()

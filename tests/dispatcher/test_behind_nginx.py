"""docs/nginx.conf as it stands, in a real nginx before a real site: what it passes, what it says of who asks, what it keeps."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest
from structlog.testing import capture_logs
from twilio.request_validator import RequestValidator
from yarl import URL

from tests.browser.standing import TOKEN, TWILIO_TOKEN, House, cap, standing
from tests.channels.test_transport import certificate
from tests.services import nginx

pytestmark = pytest.mark.long
VISITOR = "127.0.0.2"
"""Another address than nginx's own."""
HOST = "mingluo.example"
SHOWN = {"Authorization": f"Bearer {TOKEN}", "Host": HOST}


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """`http` comes from another address than nginx does."""

    house: House
    console: str
    plain: str
    outer: str
    http: aiohttp.ClientSession


@asynccontextmanager
async def fronted(database_url: str, folder: Path) -> AsyncIterator[Front]:
    certificate(folder, days=9, host="127.0.0.1")
    at = nginx.ports()
    outer = f"https://127.0.0.1:{at.outer}"
    knowing = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    connector = aiohttp.TCPConnector(ssl=knowing, local_addr=(VISITOR, 0))
    async with (
        standing(database_url, MINGLUO_PROXIES="[127.0.0.1]", MINGLUO_PUBLIC_URL=outer) as house,
        aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=20)) as http,
    ):
        with nginx.proxying(folder, folder, int(house.url.rpartition(":")[2]), at):
            console, plain = f"https://127.0.0.1:{at.console}", f"http://127.0.0.1:{at.plain}"
            yield Front(house=house, console=console, plain=plain, outer=outer, http=http)


@pytest.fixture
async def front(jian_sqlite_url: str, tmp_path: Path) -> AsyncIterator[Front]:
    (tmp_path / "nginx").mkdir()
    async with fronted(jian_sqlite_url, tmp_path / "nginx") as opened:
        yield opened


async def test_a_page_comes_over_https_and_is_known_to_have(front: Front) -> None:
    async with front.http.get(front.console + "/", headers={**SHOWN, "Accept": "text/html"}) as answer:
        assert (answer.status, answer.headers["Strict-Transport-Security"]) == (200, "max-age=31536000")
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "预警" in await answer.text()
    async with front.http.get(front.console + "/static/console.css", headers=SHOWN) as answer:
        assert answer.status == 200
    async with front.http.get(front.console + "/", headers={"Host": HOST}) as answer:
        assert answer.status == 401, "nobody is taken for this machine"


async def test_whoever_forgets_https_is_led_there(front: Front) -> None:
    async with front.http.get(f"{front.plain}/warnings?x=1", headers={"Host": HOST}, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (301, f"https://{HOST}/warnings?x=1")


async def test_an_event_passes_at_once(front: Front) -> None:
    async with front.http.get(front.console + "/api/v1/live", headers=SHOWN) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        async with asyncio.timeout(10):
            await stream.content.readuntil(b"event: hello")
            headers = {**SHOWN, "Content-Type": "application/cap+xml"}
            async with front.http.post(front.console + "/api/v1/warnings", data=cap(), headers=headers) as answer:
                assert answer.status == 202
            await stream.content.readuntil(b"warning.accepted")


FORGED = "/api/v1/callbacks/sms/twilio/x"


async def seen(front: Front, url: str, **headers: str) -> str:
    with capture_logs() as logged:
        async with front.http.post(url + FORGED, data=b"MessageSid=x", headers=headers) as answer:
            assert answer.status == 401
    (line,) = [one for one in logged if "remote" in one]
    return str(line["remote"])


async def test_the_real_address_is_known_whatever_a_visitor_says_of_himself(front: Front) -> None:
    lie = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    for url in (front.console, front.outer):
        assert await seen(front, url) == VISITOR
        assert await seen(front, url, **lie) == VISITOR
    assert await seen(front, front.house.url, **lie) == VISITOR, "past nginx he is nobody's proxy"


async def test_the_outer_zone_has_callbacks_and_nothing_else(front: Front) -> None:
    for path in ("/", "/api/v1/warnings", "/health/live", "/static/console.css", "/metrics"):
        async with front.http.get(front.outer + path, headers=SHOWN) as answer:
            assert answer.status == 404, path
            assert "nginx/" not in answer.headers["Server"]


async def test_a_signature_over_the_public_address_is_good_behind_it_letter_by_letter(front: Front) -> None:
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "AccountSid": "AC1"}
    for path in ("/api/v1/callbacks/sms/twilio/a%2Fb%20c", "/api/v1/callbacks/sms/twilio/x?a=1&b=%E9%B8%A3"):
        headers = {"X-Twilio-Signature": RequestValidator(TWILIO_TOKEN).compute_signature(front.outer + path, form)}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        url = URL(front.outer + path, encoded=True)
        async with front.http.post(url, data=urlencode(form), headers=headers) as answer:
            assert answer.status == 204, path


async def test_what_is_too_large_ends_at_the_door(front: Front) -> None:
    headers = {**SHOWN, "Content-Type": "application/cap+xml"}
    for url, most in ((front.console + "/api/v1/warnings", 4 << 20), (front.outer + FORGED, 1 << 20)):
        async with front.http.post(url, data=io.BytesIO(b"x" * (most + 1)), headers=headers) as answer:
            assert answer.status == 413
    async with front.http.post(
        front.console + "/api/v1/warnings", data=io.BytesIO(cap().ljust(4 << 20)), headers=headers
    ) as answer:
        assert answer.status == 202


async def test_where_nobody_serves_a_person_is_told_so_in_chinese(jian_sqlite_url: str, tmp_path: Path) -> None:
    certificate(tmp_path, days=9, host="127.0.0.1")
    at = nginx.ports()
    with nginx.proxying(tmp_path, tmp_path, nginx.ports().console, at):
        knowing = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=knowing)) as http,
            http.get(f"https://127.0.0.1:{at.console}/") as answer,
        ):
            assert (answer.status, answer.headers["Retry-After"], answer.charset) == (503, "5", "utf-8")
            assert "鸣锣没有应答" in await answer.text()

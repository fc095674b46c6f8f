"""A whole service with people, homes and secrets that are nowhere else in the world; providers that repeat what they were told
in every way one can; then everything it left behind is searched for them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import pytest
import structlog
from aiohttp import web
from sqlalchemy import text

from dispatcher.registry.importing import put
from dispatcher.rehearsal.faults import Faults
from dispatcher.rehearsal.server import City, Options, playing
from dispatcher.settings import PROJECT
from dispatcher.store.engine import Store
from dispatcher.store.registry import (
    EndpointRow,
    OfficeRow,
    OfficerRow,
    PostRow,
    ResidentRow,
    ResidentRows,
    Sheets,
    exported,
)
from dispatcher.store.sealed import Seal
from dispatcher.store.tables import facts
from dispatcher.telemetry import CANARY_AGE, metrics, set_up_logging
from tests.browser import standing as browsing
from tests.browser.standing import cap, code
from tests.crashes.harness import free_port
from tests.journeys import canaries
from tests.journeys.canaries import Canary, columns_with, dumped, found

TOWN = "360827102"
SEAL_KEY = hashlib.sha256(b"canary").hexdigest()
SEAL = Seal(bytes.fromhex(SEAL_KEY))
SENDERS_PHONE = "15472901853"
"""What a sender writes of himself is his: it stays with his bytes, and goes nowhere else."""
PHONES = [f"+861547{number:07d}" for number in (3920618, 6051937, 2847509, 9163074, 4508291, 7692385, 8314760, 5279046)]
HOMES = [(26.3141592 + n * 0.0091377, 114.2718281 + n * 0.0077913) for n in range(len(PHONES))]
SECRETS = {
    "MINGLUO_SEAL_KEY": SEAL_KEY,
    "MINGLUO_TOKEN_CITY_WEATHER": "canary-token-city-7f1c90aa",
    "MINGLUO_TOKEN_COUNTY_WEATHER": "canary-token-county-51b0e2",
    "MINGLUO_SECRET_DRILL": "whsec_" + base64.b64encode(b"canary-source-secret-0001").decode(),
    "MINGLUO_ALIYUN_ACCESS_KEY_SECRET": "canaryAliyunSecret93be",
    "MINGLUO_ALIYUN_CALLBACK_TOKEN": "canary-callback-token-4d2e",
    "MINGLUO_TWILIO_AUTH_TOKEN": "canary-twilio-token-88c1",
    "MINGLUO_EBM_SECRET": "canary-ebm-secret-6a07",
}
ACCOUNT = "AC00000000000000000000000000000001"

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]


def spellings(e164: str) -> str:
    """A number in every way that a talkative provider might say it."""
    bare = e164.removeprefix("+86")
    spaced, dashed = (mark.join((bare[:3], bare[3:7], bare[7:])) for mark in " -")
    full = bare.translate({48 + digit: 0xFF10 + digit for digit in range(10)})
    coded = base64.b64encode(e164.encode()).decode()
    percent = "".join(f"%{byte:02X}" for byte in bare.encode())
    wide = "".join(f"{digit}\0" for digit in bare)
    return f"{e164} 86{bare} {bare} {spaced} +86 {spaced} {dashed} {full} %22{bare}%22 %2B86{bare} {percent} {wide} {coded}"


@dataclass
class Babbler:
    """Plays Aliyun: repeats the numbers of the first requests in errors of every kind, then takes them, and reports so too."""

    requests: int = 0
    numbers: set[str] = field(default_factory=set)
    taken: list[tuple[str, str, str]] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        query = dict(parse_qsl(request.rel_url.raw_query_string))
        form = dict(parse_qsl((await request.read()).decode()))
        if request.headers.get("x-acs-action") == "QuerySendDetails":
            return web.json_response(
                {"Code": "isv.BUSY", "Message": spellings(f"+86{query['PhoneNumber']}")}, status=500
            )
        numbers = query["PhoneNumbers"].split(",") if "PhoneNumbers" in query else json.loads(form["PhoneNumberJson"])
        self.numbers |= {f"+86{one}" for one in numbers}
        self.requests += 1
        said = " ".join(spellings(f"+86{one}") for one in sorted(numbers, key=lambda one: f"+86{one}" not in PHONES))
        biz = f"{self.requests:018d}^0"
        self.taken += [(one, biz, query["OutId"]) for one in numbers]
        match self.requests:
            case 1:
                return web.Response(status=500, body=said.encode("utf-16-le"))
            case 2:
                return web.json_response({"Code": "isv.UNHEARD_OF", "Message": said}, status=503)
            case 3:
                return web.Response(status=200, text=f"<html>{said}</html>")
            case 4:
                return web.json_response({"Code": "isv.NEVER_SEEN", "Message": said})
            case _:
                return web.json_response({"Code": "OK", "BizId": biz, "Message": said})

    def reports(self) -> list[dict[str, Any]]:
        return [
            {"phone_number": number, "success": False, "err_code": f"X {number}", "err_msg": spellings(f"+86{number}"),
             "biz_id": biz, "out_id": out, "sms_size": "1"}
            for number, biz, out in self.taken
        ]  # fmt: skip


@asynccontextmanager
async def served(handler: Any) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(handler, access_log=None, max_line_size=64 * 1024))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def upstream(request: web.BaseRequest) -> web.StreamResponse:
    """A feed of two: one alert, and one whose host stammers a number."""
    if request.path == "/feed":
        now, base = datetime.now(UTC).isoformat(), f"http://{request.host}"
        entries = "".join(
            f"<entry><id>urn:{name}</id><updated>{now}</updated><title>x</title>"
            f'<link rel="alternate" type="application/cap+xml" href="{base}/{name}"/></entry>'
            for name in ("good", "bad")
        )
        atom = f'<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id><updated>{now}</updated>{entries}</feed>'
        return web.Response(text=atom, content_type="application/atom+xml")
    if request.path == "/good":
        return web.Response(body=cap("feed-alert-1", where=code("360827103")), content_type="application/cap+xml")
    return web.Response(status=500, text=spellings(PHONES[0]), headers={"X-Who": PHONES[0]})


async def settled_in(store: Store, city: City) -> list[Canary]:
    """The sample, with people nobody else has in the town that is warned; and all that must be found nowhere."""
    wish = browsing.Wish(
        gateways_at=f"{city.url('gateway')}/gateways", endpoints_at=f"{city.url('platform')}/platforms", officers=700
    )
    await put(store, SEAL, browsing.make(PROJECT / "config" / "jian", wish))
    async with store.read() as tx:
        officers = [row for row in await exported(tx, SEAL, OfficerRow) if isinstance(row, OfficerRow)]
        offices = [row for row in await exported(tx, SEAL, OfficeRow) if isinstance(row, OfficeRow)]
        posts = [row for row in await exported(tx, SEAL, PostRow) if isinstance(row, PostRow)]
        endpoints = [row for row in await exported(tx, SEAL, EndpointRow) if isinstance(row, EndpointRow)]
    here = sorted({post.officer_id for post in posts if post.area_code.startswith(TOWN)})[:4]
    new = {number: (PHONES[at], *HOMES[at]) for at, number in enumerate(here)}
    officers = [
        row._replace(phone=new[row.id][0], lat=new[row.id][1], lon=new[row.id][2]) if row.id in new else row
        for row in officers
    ]
    offices = [row._replace(phone=PHONES[4]) if row.area_code == TOWN else row for row in offices]
    village = next(post.area_code for post in posts if post.area_code.startswith(TOWN) and len(post.area_code) == 12)
    living = [
        ResidentRow(at, "李四", PHONES[at], village, *HOMES[at], 1, 0, 0, True, True) for at in range(5, len(PHONES))
    ]
    tables: Mapping[Any, Any] = {OfficerRow: officers, OfficeRow: offices}
    await put(store, SEAL, Sheets(tables=tables, residents=ResidentRows(total=3, pages=lambda: [living])))
    city.platform.know({row.id: list(row.secrets) for row in endpoints})
    wanted = [canaries.phone(f"phone {at}", one) for at, one in enumerate(PHONES)]
    wanted += [canaries.home(f"home {at}", *one) for at, one in enumerate(HOMES) if at != 4]
    wanted += [canaries.secret(name, value) for name, value in SECRETS.items()]
    wanted += [canaries.secret("endpoint", row.secrets[0]) for row in endpoints if row.area_code.startswith("360827")]
    return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A service of its own process; its log is all it said, at debug."""

    url: str
    log: Path
    http: aiohttp.ClientSession
    said: dict[str, bytes]
    """Every answer, by what was asked."""

    async def ask(self, method: str, path: str, **given: Any) -> tuple[int, bytes]:
        async with self.http.request(method, f"{self.url}{path}", **given) as answer:
            body = await answer.read()
            name = path.replace(SECRETS["MINGLUO_ALIYUN_CALLBACK_TOKEN"], "…")
            self.said[f"{method} {name} #{len(self.said)}"] = repr(dict(answer.headers)).encode() + body
            return answer.status, body

    async def warn(self, body: bytes, kind: str = "application/cap+xml") -> tuple[int, dict[str, Any]]:
        token = SECRETS["MINGLUO_TOKEN_CITY_WEATHER"]
        headers = {"Content-Type": kind, "Authorization": f"Bearer {token}"}
        status, said = await self.ask("POST", "/api/v1/warnings", data=body, headers=headers)
        return status, json.loads(said)

    async def push(self, body: bytes) -> int:
        path = f"/api/v1/callbacks/sms/aliyun/{SECRETS['MINGLUO_ALIYUN_CALLBACK_TOKEN']}"
        return (await self.ask("POST", path, data=body, headers={"Content-Type": "application/json"}))[0]


@asynccontextmanager
async def running(url: str, folder: Path, city: City, babbler: str, feed: str) -> AsyncIterator[Served]:
    log, port = folder / "service.log", free_port()
    ours = {
        **SECRETS,
        "MINGLUO_DATABASE_URL": url,
        "MINGLUO_LISTEN": f"127.0.0.1:{port}",
        "MINGLUO_LOG_LEVEL": "debug",
        "MINGLUO_ALIYUN_ACCESS_KEY_ID": "LTAIrehearsal",
        "MINGLUO_ALIYUN_SIGN_NAME": "吉安应急",
        "MINGLUO_ALIYUN_TEMPLATE_CODE": "SMS_1",
        "MINGLUO_CHANNELS__SMS__ALIYUN__BASE_URL": babbler,
        "MINGLUO_CHANNELS__SMS__TWILIO__BASE_URL": city.url("sms"),
        "MINGLUO_TWILIO_ACCOUNT_SID": ACCOUNT,
        "MINGLUO_TWILIO_SENDER": "+15005550006",
        "MINGLUO_SOURCES__UPSTREAM__NAME": "上游",
        "MINGLUO_SOURCES__UPSTREAM__AREA_PREFIXES": '["360800"]',
        "MINGLUO_SOURCES__UPSTREAM__DOORS": "[feed]",
        "MINGLUO_SOURCES__UPSTREAM__FEED__URL": feed,
        "PYTHONUTF8": "1",
        "PYTHONASYNCIODEBUG": "0",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MINGLUO_")}
    with log.open("wb") as into:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "dispatcher",
            "serve",
            env={**inherited, **ours},
            stdout=into,
            stderr=into,
            cwd=PROJECT,
        )
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        served_ = Served(url=f"http://127.0.0.1:{port}", log=log, http=http, said={})
        try:
            await until(lambda: answers(served_), 60)
            yield served_
        finally:
            process.terminate()
            await process.wait()


async def answers(service: Served) -> bool:
    try:
        return (await service.ask("GET", "/health/live"))[0] == 200
    except aiohttp.ClientError:
        return False


async def until(true: Any, limit_s: float) -> None:
    async with asyncio.timeout(limit_s):
        while not await true():
            await asyncio.sleep(0.05)


async def number_of(store: Store, query: str) -> int:
    async with store.read() as tx:
        return int((await tx.execute(text(query))).scalar_one())


async def lived(service: Served, store: Store, babbler: Babbler) -> str:
    """Everything goes wrong that can, and all is said aloud. Returns the warning's id."""
    contact = f"<contact>{SENDERS_PHONE}</contact><area>"
    status, said = await service.warn(cap(where=code(TOWN)).replace(b"<area>", contact.encode(), 1))
    assert status == 202, said
    # an SMS to each of the eight is on record, whoever took it in the end
    await until(lambda: everybody_tried(babbler), 60)
    await until(lambda: all_said(babbler), 60)
    assert await service.push(json.dumps(babbler.reports()).encode()) == 200
    replies = [
        {"phone_number": one[3:], "content": f"收到，我的电话 {spellings(one)}", "sequence_id": f"{at}",
         "send_time": "2026-04-03 02:40:00", "dest_code": "1234"}
        for at, one in enumerate(PHONES)
    ]  # fmt: skip
    assert await service.push(json.dumps(replies).encode()) == 200
    # malformed, forged, and a handler that breaks in the middle
    assert await service.push(f"phone_number={spellings(PHONES[1])}".encode()) == 400
    assert await service.push(json.dumps([{"phone_number": PHONES[2], "what": spellings(PHONES[2])}]).encode()) == 400
    twilio = {"MessageSid": "SM1", "MessageStatus": "sent", "To": PHONES[3]}
    assert (await service.ask("POST", "/api/v1/callbacks/sms/twilio/x", data=twilio))[0] == 401
    async with store.begin() as tx:
        await tx.execute(text("ALTER TABLE uplinks RENAME TO uplinks_away"))
    broken = [{**reply, "sequence_id": f"again {reply['sequence_id']}"} for reply in replies]
    assert await service.push(json.dumps(broken).encode()) == 500
    async with store.begin() as tx:
        await tx.execute(text("ALTER TABLE uplinks_away RENAME TO uplinks"))
    await refused(service)
    await until(lambda: fed(store), 60)
    return str(said["warning_id"])


async def everybody_tried(babbler: Babbler) -> bool:
    return set(PHONES) <= babbler.numbers


async def all_said(babbler: Babbler) -> bool:
    return babbler.requests > 3


async def fed(store: Store) -> bool:
    return await number_of(store, "SELECT count(*) FROM feed_entries WHERE tries > 0 OR outcome <> 'waiting'") == 2


async def refused(service: Served) -> None:
    """What cannot be read, with somebody's number in it where the reason might repeat it."""
    number = SENDERS_PHONE
    bad = cap("bad-1", where=code(TOWN)).replace(b"<scope>Public</scope>", f"<scope>{number}</scope>".encode())
    native = json.dumps({number: number, "identifier": number, "sent": number}).encode()
    for body, kind in (
        (bad, "application/cap+xml"),
        (native, "application/vnd.mingluo.warning+json"),
        (f"<a>{number}".encode(), "application/cap+xml"),
    ):
        status, _ = await service.warn(body, kind)
        assert status in (400, 415, 422), status


async def read_all(service: Served, warning_id: str, targets: list[str]) -> None:
    """Everything a reader can get."""
    paths = [
        "/", "/?part=live", f"/warnings/{warning_id}", f"/warnings/{warning_id}?part=live", "/metrics", "/health/ready",
        "/api/openapi.json", "/api/asyncapi.json", "/feeds/cap.atom", "/api/v1/warnings", "/api/v1/gateways",
        "/api/v1/rejects", "/api/v1/nowhere", "/api/v1/warnings/nothing", "/warnings/nothing",
        *(f"/api/v1/warnings/{warning_id}{part}" for part in ("", "/deliveries", "/townships")),
        *(f"/api/v1/warnings/{warning_id}/why/{target}" for target in targets),
    ]  # fmt: skip
    _, listed = await service.ask("GET", "/api/v1/gateways")
    paths += [f"/api/v1/gateways/{one['id']}/commands" for one in json.loads(listed)["gateways"][:40]]
    for path in paths:
        await service.ask("GET", path, headers={"Accept": "text/html" if path.startswith("/warnings") else "*/*"})
    for path in ("preview", "lint"):
        headers = {
            "Authorization": f"Bearer {SECRETS['MINGLUO_TOKEN_CITY_WEATHER']}",
            "Content-Type": "application/cap+xml",
        }
        await service.ask("POST", f"/api/v1/warnings/{path}", data=cap(where=code(TOWN)), headers=headers)
    async with service.http.get(f"{service.url}/api/v1/live", headers={"Last-Event-ID": "0"}) as stream:
        service.said["GET /api/v1/live"] = await stream.content.read(64 * 1024)


async def test_no_phone_no_home_and_no_secret_lies_in_dumps_logs_numbers_or_answers(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    players = tmp_path / "players"
    players.mkdir()
    babbler = Babbler()
    trouble = Faults(fail=0.2, repeat=0.3, undelivered=0.3, refuse=0.2)
    options = Options(
        folder=players, account=ACCOUNT, token=SECRETS["MINGLUO_TWILIO_AUTH_TOKEN"],
        faults={"gateway": trouble, "platform": trouble, "sms": trouble},
    )  # fmt: skip
    async with playing(options) as city, served(babbler.handle) as talker, served(upstream) as feed:
        wanted = await settled_in(store, city)
        async with running(database_url, tmp_path, city, talker, f"{feed}/feed") as service:
            warning_id = await lived(service, store, babbler)
            async with store.read() as tx:
                told = await tx.execute(text("SELECT DISTINCT target FROM deliveries WHERE channel = 'sms'"))
                targets = list(told.scalars())[:60]
            await read_all(service, warning_id, targets)
            places = await dumped(database_url, tmp_path)
        sender = await columns_with(store, canaries.phone("sender", f"+86{SENDERS_PHONE}"))
        assert await number_of(store, "SELECT count(*) FROM uplinks") == len(PHONES)
        assert await number_of(store, "SELECT count(*) FROM attempts WHERE channel = 'sms' AND trace <> ''") > 3
        assert await number_of(store, "SELECT count(*) FROM rejects") == 3
    log = service.log.read_bytes()
    assert "处理请求时出错".encode() in log, "the handler that broke was to be in the log"
    assert all(any(name.startswith(f"GET {path}") for name in service.said) for path in ("/metrics", "/health/ready"))
    assert found({**places, "log": log, **service.said}, wanted)[:20] == []
    assert sender <= {f"{table}.{column}" for table, columns in canaries.RAW.items() for column in columns}
    assert found({"log": log}, [canaries.phone("sender", f"+86{SENDERS_PHONE}")]) == []


# ── the search itself ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("logging_as_before")
async def test_the_search_finds_a_canary_in_every_form_and_place(
    store: Store, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One is put into a table, a log line and a metric; a search that finds nothing there proves nothing elsewhere."""
    wanted = [canaries.phone("phone", PHONES[0]), canaries.home("home", *HOMES[0]), canaries.secret("key", SEAL_KEY)]
    bare = PHONES[0].removeprefix("+86")
    planted = {
        "phone": [*spellings(PHONES[0]).split(" ", 3)[:3], f"{bare[:3]} {bare[3:7]} {bare[7:]}",
                  f"{bare[:3]}-{bare[3:7]}-{bare[7:]}", base64.b64encode(f"to={bare};".encode()).decode()],
        "home": [str(HOMES[0][0]), f"[{HOMES[0][1]:.6f}]"],
        "key": [SEAL_KEY, base64.b64encode(bytes.fromhex(SEAL_KEY)).decode()],
    }  # fmt: skip
    for name, texts in planted.items():
        for planted_text in texts:
            assert {hit.split()[1] for hit in found({"x": planted_text.encode()}, wanted)} == {name}, planted_text
    for order in ("utf-16-le", "utf-16-be"):
        assert found({"x": bare.encode(order)}, wanted)
    coded = base64.b64encode(PHONES[0].encode()).decode()  # what no mask would know
    async with store.begin() as tx:
        await tx.execute(facts.insert().values(name="canary", value=coded))
        await tx.execute(
            text("UPDATE facts SET value = value || :home WHERE name = 'canary'"), {"home": str(HOMES[0][0])}
        )
    assert {hit.split()[1] for hit in found(await dumped(database_url, tmp_path), wanted)} == {"phone", "home"}
    assert await columns_with(store, wanted[0]) == {"facts.value"}
    set_up_logging("debug", "json")
    structlog.get_logger().debug("一句话", said=coded)
    assert found({"log": capsys.readouterr().err.encode()}, wanted)
    CANARY_AGE.labels(coded).set(1)
    assert found({"metrics": metrics()}, wanted)
    CANARY_AGE.remove(coded)

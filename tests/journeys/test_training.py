"""`mingluo serve --training`: hatched on every page, a database of its own, nothing real told or taken, reset in one click."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dispatcher.settings import PROJECT
from tests.browser.standing import DRILL_TOKEN, TOKEN, cap, code, filled, standing
from tests.journeys.stages import of_production

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]
LIMIT_S = 60
HATCH = re.compile(r'<body class="[^"]*\btraining"')
KEY = re.compile(r'name="key" value="([^"]+)"')


@dataclass(slots=True, kw_only=True)
class Room:
    """A training that runs, as a process of its own."""

    process: asyncio.subprocess.Process
    home: Path
    http: aiohttp.ClientSession
    said: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        (line,) = [line for line in self.said if "控制台　　" in line][-1:]
        return line.split()[-1]

    async def ready(self) -> None:
        """Until it says once more that it is."""
        assert self.process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            while line := (await self.process.stdout.readline()).decode():
                self.said.append(line)
                if "已就绪" in line:
                    return
        raise AssertionError(f"it ended: {self.said} {(self.home / 'err').read_text(encoding='utf-8')}")

    async def page(self, path: str) -> tuple[int, str]:
        async with self.http.get(self.url + path, headers={"Accept": "text/html"}) as answer:
            return answer.status, await answer.text()

    async def json(self, path: str) -> Any:
        async with self.http.get(self.url + path) as answer:
            return await answer.json(content_type=None)

    async def post(self, body: bytes, token: str) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/cap+xml", "Authorization": f"Bearer {token}"}
        async with self.http.post(f"{self.url}/api/v1/warnings", data=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def press(self, key: str, **headers: str) -> int:
        """The button, as a browser sends it."""
        address = f"{self.url}/training/reset"
        async with self.http.post(address, data={"key": key}, headers=headers, allow_redirects=False) as answer:
            return answer.status

    async def until_completed(self, warning_id: str) -> dict[str, Any]:
        async with asyncio.timeout(LIMIT_S):
            while True:
                found: dict[str, Any] = await self.json(f"/api/v1/warnings/{warning_id}")
                if found["warning"]["state"] == "completed":
                    return found
                async with self.http.get(f"{self.url}/api/v1/live") as stream:
                    await stream.content.readuntil(b"event: counts")


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MINGLUO_")}
    return {
        **kept, "PYTHONUTF8": "1", "MINGLUO_HOME": str(home), "MINGLUO_CONFIG": str(PROJECT / "config"),
        "MINGLUO_LISTEN": "127.0.0.1:0", **more,
    }  # fmt: skip


@asynccontextmanager
async def training(home: Path, **more: str) -> AsyncIterator[Room]:
    with (home / "err").open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dispatcher", "serve", "--training", cwd=PROJECT, env=environment(home, **more),
            stdout=asyncio.subprocess.PIPE, stderr=err,
        )  # fmt: skip
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT_S)) as http:
            room = Room(process=process, home=home, http=http)
            await room.ready()
            yield room
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(LIMIT_S):
            assert await process.wait() == 0, (home / "err").read_text(encoding="utf-8")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def fingerprint(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture
async def real(tmp_path: Path) -> str:
    """The house's own database, with people in it."""
    (tmp_path / "real").mkdir()
    return await filled(tmp_path / "real" / "mingluo.db", 700)


async def test_training_is_hatched_takes_drills_alone_and_is_emptied_in_one_click(tmp_path: Path, real: str) -> None:
    before = fingerprint(tmp_path / "real")
    accounts = {
        "MINGLUO_DATABASE_URL": real,
        "MINGLUO_BROKER_URL": "amqp://nobody@203.0.113.1/",
        "MINGLUO_TOKEN_CITY_WEATHER": TOKEN,
        "MINGLUO_TOKEN_DRILL": DRILL_TOKEN,
        "MINGLUO_TWILIO_ACCOUNT_SID": "AC1",
        "MINGLUO_TWILIO_AUTH_TOKEN": "real-token",
        "MINGLUO_TWILIO_MESSAGING_SERVICE_SID": "MG1",
        "MINGLUO_CHANNELS__SMS__TWILIO__BASE_URL": "https://api.twilio.com",
    }
    async with training(tmp_path, **accounts) as room:
        assert str(tmp_path / "var" / "training.db") in "".join(room.said)
        await only_drills(room)
        await every_page_is_hatched(room)
        await only_its_own_button_resets(room)
        await one_click_empties_it(room)
    assert fingerprint(tmp_path / "real") == before, "the real database was touched"
    await a_kept_training_goes_on(tmp_path, accounts)


async def only_drills(room: Room) -> None:
    """What is real is refused whoever sends it; a drill goes to the players, to everybody in its area."""
    for name, token in (("real", TOKEN), ("wrong", DRILL_TOKEN)):
        status, said = await room.post(cap(name, where=code("360827102")), token)
        assert (status, said["code"]) == (422, "240"), said
        assert "培训环境" in said["detail"]
    for name, token, town in (("by-city", TOKEN, "360827103"), ("by-drill", DRILL_TOKEN, "360827102")):
        status, said = await room.post(cap(name, status="Exercise", where=code(town)), token)
        assert status == 202, said
        found = await room.until_completed(said["warning_id"])
        assert found["total"]["planned"] == found["total"]["delivered"] > 20
        assert found["total"]["suppressed"] == 0
        assert set(found["channels"]) == {"sms", "broadcast", "party"}
    players = room.home / "var" / "training" / "providers"
    assert "【演练】" in (players / "aliyun_drill.jsonl").read_text(encoding="utf-8")
    assert (players / "gateway_drill.jsonl").stat().st_size > 0
    assert (players / "platform_drill.jsonl").stat().st_size > 0


async def every_page_is_hatched(room: Room) -> None:
    (newest, *_) = (await room.json("/api/v1/warnings"))["warnings"]
    pages = ("/", f"/warnings/{newest['id']}", f"/warnings/{newest['id']}?county=360827", "/nowhere", "/warnings/x")
    for path in pages:
        _, text = await room.page(path)
        assert HATCH.search(text), path
        assert "<title>【演练培训】" in text, path
        assert "演练培训环境" in text, path
    _, css = await room.page("/static/console.css")
    assert re.search(r"body\.training \{[^}]*repeating-linear-gradient", css)


async def only_its_own_button_resets(room: Room) -> None:
    _, front = await room.page("/")
    (key,) = set(KEY.findall(front))
    assert await room.press("") == 403
    assert await room.press(key[::-1]) == 403
    assert await room.press(key, Origin="https://evil.example") == 403
    assert await room.press(key, **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert await room.press(key, Host="evil.example") == 401
    async with room.http.get(f"{room.url}/training/reset") as answer:
        assert answer.status == 405
    async with room.http.post(f"{room.url}/training/reset", json={"key": key}) as answer:
        assert answer.status == 403
    assert len((await room.json("/api/v1/warnings"))["warnings"]) == 2


async def one_click_empties_it(room: Room) -> None:
    url = room.url
    _, front = await room.page("/")
    (key,) = set(KEY.findall(front))
    assert await room.press(key, Origin="null", **{"Sec-Fetch-Site": "same-origin"}) == 303
    waiting = await room.page("/")
    assert "现在没有生效的预警" in waiting[1]
    assert re.search(r'href="/warnings/[0-9a-f]{32}', waiting[1]) is None, (
        "the browser was shown the old list once more"
    )
    await room.ready()
    assert room.url == url
    assert (await room.json("/api/v1/rejects"))["rejects"] == []
    assert len((await room.json("/api/v1/gateways"))["gateways"]) == 266
    status, said = await room.post(cap("by-drill", status="Exercise", where=code("360827102")), DRILL_TOKEN)
    assert (status, said["repeated"]) == (202, False)
    await room.until_completed(said["warning_id"])
    assert await room.press(key) == 403, "a page of before the reset is no page of ours"


async def a_kept_training_goes_on(home: Path, accounts: dict[str, str]) -> None:
    """Stopped and started again, on other ports: what was practised is there, and the players know its secrets."""
    async with training(home, **accounts) as room:
        assert [one["identifier"] for one in (await room.json("/api/v1/warnings"))["warnings"]] == ["by-drill"]
        _, said = await room.post(cap("again", status="Exercise", where=code("360827102")), DRILL_TOKEN)
        found = await room.until_completed(said["warning_id"])
        assert found["total"]["planned"] == found["total"]["delivered"] > 20


@pytest.mark.parametrize(
    ("arguments", "more", "code_", "said"),
    [
        ((), {"MINGLUO_DATABASE_URL": "sqlite+aiosqlite:///var/training.db"}, 1, "指着培训库"),
        (("--roles", "web"), {}, 2, "请去掉 --roles"),
        ((), {"MINGLUO_LISTEN": "nowhere"}, 1, "应写作 地址:端口"),
    ],
)
async def test_where_training_has_no_place_it_says_so_in_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], more: dict[str, str], code_: int, said: str
) -> None:
    assert said in await refused(tmp_path, code_, *arguments, **more)


async def test_in_production_training_does_not_start(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    more = of_production(config)
    assert "正式环境（profile: production）不能启动培训" in await refused(tmp_path, 1, **more)
    assert not (tmp_path / "var").exists()


async def refused(home: Path, code_: int, *arguments: str, **more: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dispatcher", "serve", "--training", *arguments, cwd=PROJECT,
        env=environment(home, **more), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(LIMIT_S):
        _, err = await process.communicate()
    assert process.returncode == code_, err.decode()
    assert "Traceback" not in err.decode()
    return err.decode().splitlines()[-1]


async def test_elsewhere_there_is_no_reset_and_no_hatch(real: str) -> None:
    async with standing(real) as house:
        async with house.http.post(f"{house.url}/training/reset", data={"key": ""}) as answer:
            assert answer.status == 404
        _, document, _ = await house.get("/api/openapi.json")
        assert "/training/reset" not in document["paths"]
        for path in ("/", "/nowhere"):
            _, text, _ = await house.text(path, Accept="text/html")
            assert "培训" not in text
            assert not HATCH.search(text)

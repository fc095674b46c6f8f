"""`mingluo demo --serve`: a world that stays open, with somebody of each role, and one warning in each state to try him on."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dispatcher.settings import PROJECT
from tests.dispatcher.persons import Browser
from tests.journeys.stages import PRODUCTION, environment, of_production

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
LIMIT_S = 200
SMALL = ("--officers", "700", "--residents", "0")
HASH = re.compile(r'name="plan_hash" value="([0-9a-f]+)"')
LINK = re.compile(r"http://127\.0\.0\.1:\d+(/demo/[0-9a-f]{32})")
OPEN = "控制台一直开着"


async def _started(
    *arguments: str, keyboard: int = asyncio.subprocess.DEVNULL, **more: str
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dispatcher", "demo", "--serve", *SMALL, *arguments, cwd=PROJECT,
        env=environment(**more), stdin=keyboard, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A demo that stands open. `told`: what it showed until then; `facts`: its `--json`."""

    process: asyncio.subprocess.Process
    terminal: int
    facts: dict[str, Any]
    told: str
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return str(self.facts["console"])

    def path(self, role: str) -> str:
        (link,) = [one["link"] for one in self.facts["people"] if one["role"] == role]
        return str(link).removeprefix(self.url)

    async def enter(self, role: str) -> Browser:
        one = Browser(url=self.url, http=self.http)
        await one.get(self.path(role))
        await one.post(self.path(role))
        assert (one.status, one.at) == (303, "/"), one.page
        return one


async def _until(stream: asyncio.StreamReader | None, words: str) -> str:
    said: list[str] = []
    assert stream is not None
    async with asyncio.timeout(LIMIT_S):
        while line := (await stream.readline()).decode():
            said.append(line)
            if words in line:
                return "".join(said)
    raise AssertionError(f"it ended: {''.join(said)}")


@asynccontextmanager
async def standing_open() -> AsyncIterator[World]:
    """As in a terminal: what is typed goes to `terminal`. It must end by Ctrl-C, with 0."""
    terminal, keyboard = pty.openpty()
    process = await _started("--json", keyboard=keyboard)
    os.close(keyboard)
    folder: Path | None = None
    try:
        told = await _until(process.stderr, OPEN)
        assert process.stdout is not None
        facts = json.loads(await process.stdout.readline())
        folder = Path(facts["report"]).parent
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT_S)) as http:
            yield World(process=process, terminal=terminal, facts=facts, told=told, http=http)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate()
        assert (process.returncode, out) == (0, b""), err.decode()
        assert "Traceback" not in err.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(terminal)
        if folder is not None:
            shutil.rmtree(folder)


async def test_a_newcomer_finds_a_warning_in_each_state_and_signs_one_as_the_leader() -> None:
    async with standing_open() as world:
        await the_terminal_says_who_is_who(world)
        await the_officer_sees_four_states(world)
        await the_leader_signs(world)
        await a_link_is_good_once_and_l_brings_new_ones(world)


async def the_terminal_says_who_is_who(world: World) -> None:
    assert sorted(one["role"] for one in world.facts["people"]) == [
        "administrator", "approver", "auditor", "duty_officer", "gateway_operator", "township_clerk",
    ]  # fmt: skip
    for one in world.facts["people"]:
        assert any(one["name"] in line and one["link"] in line for line in world.told.splitlines())
    assert "按 l 再按回车" in world.told


async def the_officer_sees_four_states(world: World) -> None:
    officer = await world.enter("duty_officer")
    due = {
        world.facts["warning_id"]: "已办结", world.facts["open"]["drill"]: "发送中",
        world.facts["open"]["held"]: "待核", world.facts["open"]["submitted"]: "待签发",
    }  # fmt: skip
    for warning_id, state in due.items():
        page = await officer.get(f"/warnings/{warning_id}")
        assert (officer.status, state in page) == (200, True), state
    assert "落不到任何一个村，请值班员补划" in await officer.get(f"/warnings/{world.facts['open']['held']}")
    clerk = await world.enter("township_clerk")
    for warning_id in due:
        await clerk.get(f"/warnings/{warning_id}")
        assert clerk.status == 200, "all four touch her township"


async def the_leader_signs(world: World) -> None:
    leader = await world.enter("approver")
    path = f"/warnings/{world.facts['open']['submitted']}"
    found = HASH.search(await leader.get(path))
    assert found is not None
    given = {"plan_hash": found.group(1), "asked": "confirm", "confirm": "yes", "reason": "雨情紧急，同意"}
    await leader.post(f"{path}/approve", given)
    assert leader.status == 303, leader.page
    async with asyncio.timeout(LIMIT_S):
        while "已办结" not in await leader.get(path):
            async with world.http.get(f"{world.url}/api/v1/live", headers=_cookie(leader)) as stream:
                await stream.content.readuntil(b"event: counts")


def _cookie(one: Browser) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in one.cookies.items())}


async def a_link_is_good_once_and_l_brings_new_ones(world: World) -> None:
    stranger = Browser(url=world.url, http=world.http)
    page = await stranger.get(world.path("approver"))
    assert (stranger.status, "这个链接已用过" in page) == (401, True)
    os.write(world.terminal, b"what?\nl\n")
    again = LINK.findall(await _until(world.process.stderr, "一个浏览器里同时只能是一个人"))
    assert len(set(again)) == 6
    assert world.path("auditor") not in again
    await stranger.get(world.path("auditor"))
    assert stranger.status == 401, "a new link takes the place of the one before"
    for path in again:
        await stranger.get(path)
        assert stranger.status == 200


@pytest.mark.parametrize("valid", [True, False])
async def test_in_production_it_does_not_open(tmp_path: Path, *, valid: bool) -> None:
    process = await _started(**(of_production(tmp_path) if valid else PRODUCTION))
    async with asyncio.timeout(LIMIT_S):
        out, err = await process.communicate()
    (line,) = err.decode().splitlines()
    assert (process.returncode, out) == (1, b"")
    assert ("正式环境（profile: production）不开演示" if valid else "--serve 只在测试环境") in line

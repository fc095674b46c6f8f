"""A line that swallows everything and says nothing: the service tells within ten seconds, lives on, recovers by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from aiohttp import ClientSession, ClientTimeout

from dispatcher.store.engine import open_store
from tests.crashes import harness, letters, recording
from tests.crashes.harness import City, Ground
from tests.crashes.load import progress_of
from tests.crashes.proxy import Proxy, proxy_to
from tests.crashes.stack import TOKENS

COUNTY = "360826000000"
REPORTED_S = 10.0
SILENT_S = 15.0
RECOVERED_S = 10.0


def _through(url: str, proxy: Proxy) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{proxy.port}"))


@pytest.mark.long
@pytest.mark.parametrize("swallowed", ["database", "broker"])
@pytest.mark.timeout(150)
async def test_a_swallowing_line_is_named_in_time_and_work_goes_on_when_it_is_mended(
    swallowed: str, postgres_url: str, rabbit_url: str, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    address = urlsplit(postgres_url if swallowed == "database" else rabbit_url)
    players = {name: {"delay_s": 0.05} for name in ("sms", "gateway", "platform")}
    async with (
        proxy_to(address.hostname or "127.0.0.1", address.port or 5672) as proxy,
        harness.city(tmp_path, players) as played,
    ):
        urls = {"MINGLUO_DATABASE_URL": postgres_url, "MINGLUO_BROKER_URL": rabbit_url}
        name = f"MINGLUO_{swallowed.upper()}_URL"
        more = {
            **urls,
            name: _through(urls[name], proxy),
            "MINGLUO_TOKEN_CITY_WEATHER": TOKENS["city-weather"],
            "MINGLUO_CHANNELS__SMS__TWILIO__RATE": "5",
        }
        ground = await harness.ground(postgres_url, tmp_path, played, 700, residents=0, **more)
        child = await ground.start()
        try:
            await ground.ready()
            await _told(ground)
            reported = await _reported(ground, proxy, swallowed)
            recovered = await _recovered(ground, proxy, played)
            measured(f"{swallowed}: reported after {reported:.1f} s, at work again after {recovered:.1f} s")
            await _at_rest(postgres_url)
            assert reported <= REPORTED_S
            assert recovered <= RECOVERED_S
            assert child.process.returncode is None, "it recovers by itself, without a restart"
        finally:
            await child.kill()
        assert {line["key"] for line in played.log("sms")} == await _sms(postgres_url)


async def _told(ground: Ground) -> None:
    """A warning in, whose sending outlasts what is to come."""
    notice = letters.Notice(identifier="HALF-OPEN", sent=letters.now(), colour="红", area=COUNTY)
    headers = {"Authorization": f"Bearer {TOKENS['city-weather']}", "Content-Type": letters.CAP}
    url = f"http://{ground.environment['MINGLUO_LISTEN']}/api/v1/warnings"
    body = letters.letter(notice).body
    async with ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        assert answer.status == 202, await answer.text()


async def _reported(ground: Ground, proxy: Proxy, swallowed: str) -> float:
    """Seconds until /health/ready names it, while /health/live answers; the silence lasts longer."""
    clock = asyncio.get_running_loop().time
    proxy.swallow()
    began, reported = clock(), 0.0
    while clock() - began < SILENT_S:
        ready, said = await _health(ground, "ready")
        alive, _ = await _health(ground, "live")
        assert alive == 200
        named = any(one["name"].startswith(swallowed) and not one["ok"] for one in said["dependencies"])
        if ready == 503 and named and not reported:
            reported = clock() - began
        await asyncio.sleep(0.2)
    assert reported, "nobody was told"
    return reported


async def _recovered(ground: Ground, proxy: Proxy, played: City) -> float:
    """Seconds until it calls itself ready and the provider hears of it again."""
    clock = asyncio.get_running_loop().time
    written = len(played.log("sms"))
    proxy.pass_on()
    began = clock()
    async with asyncio.timeout(60):
        while (await _health(ground, "ready"))[0] != 200 or len(played.log("sms")) == written:
            await asyncio.sleep(0.1)
    return clock() - began


async def _health(ground: Ground, which: str) -> tuple[int, dict[str, Any]]:
    url, limit = f"http://{ground.environment['MINGLUO_LISTEN']}/health/{which}", ClientTimeout(total=REPORTED_S)
    async with ClientSession(timeout=limit) as session, session.get(url) as answer:
        return answer.status, await answer.json()


async def _at_rest(url: str) -> None:
    store = open_store(url)
    try:
        async with asyncio.timeout(90):
            while not ((await progress_of(store)).planned and await recording.at_rest(store)):
                await asyncio.sleep(0.2)
    finally:
        await store.close()


async def _sms(url: str) -> set[str]:
    store = open_store(url)
    try:
        return {row.key for row in await recording.rows_of(store) if row.channel == "sms"}
    finally:
        await store.close()

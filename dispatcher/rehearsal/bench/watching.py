"""V1: what it costs a dispatch that somebody looks on, and how soon an area is counted again while somebody draws it.

A viewer does what a page's script does: it hears the stream, and asks for the moving part when something moved, and for the bar
when something happened, as often as the stream's beats allow. Viewers stand on this machine too and take their share of it,
which in a city they do not.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from dispatcher.rehearsal.bench import paired
from dispatcher.rehearsal.bench.audience import wavy
from dispatcher.rehearsal.bench.bulletin import Bulletin
from dispatcher.rehearsal.bench.counting import MIDDLE, NOWHERE, RADIUS, TOKEN
from dispatcher.rehearsal.bench.engine import Engine, Wish
from dispatcher.rehearsal.bench.goals import Check, Measured, at_least, at_most
from dispatcher.rehearsal.bench.orders import BenchFailed
from dispatcher.rehearsal.bench.yard import CITY, EMBEDDED, ROUNDS, TOWN, Yard

MANY: Final = 300
LEAST: Final = 0.95
LEAST_S: Final = 1.5
COUNTED_MS: Final = 200.0
COUNTED: Final = 60
LIMIT_S: Final = 30.0
ROLES: Final = "intake,send,timers,web"
_KNOWN: Final = {"MINGLUO_TOKEN_CITY_WEATHER": TOKEN, "MINGLUO_PER_ADDRESS": "5000"}
_HEADERS: Final = {"Authorization": f"Bearer {TOKEN}"}


async def watched(yard: Yard) -> Measured:
    """A dispatch of some 20,000 with nobody, one and three hundred looking on, in turn; then the counts over HTTP."""
    sink = await yard.sink()
    wish = Wish(at=sink.ready["url"], roles=ROLES, more=_KNOWN)
    async with yard.engine(yard.best, TOWN, wish) as engine:
        sides = {name: partial(_rate, engine, viewers) for name, viewers in (("nobody", 0), ("one", 1), ("many", MANY))}
        rates = await yard.in_turn(ROUNDS, sides)
    checks: list[Check] = [
        at_least("一个人看着时的速率 ÷ 没人看时", paired.ratio(rates["one"], rates["nobody"]), LEAST),
        at_least(f"{MANY} 个人看着时的速率 ÷ 没人看时", paired.ratio(rates["many"], rates["nobody"]), LEAST),
    ]
    counted = await _counted(yard)
    p95 = paired.percentile(counted, 0.95)
    checks.append(at_most("画图时经 HTTP 重新计数 p95（3,200 人 + 10 万户，SQLite）", p95, COUNTED_MS, "毫秒"))
    detail: dict[str, Any] = {
        "engine": yard.best,
        "rate": {side: paired.spread(some) for side, some in rates.items()},
        "counted_ms": {**paired.spread(counted), "p95": round(p95, 1)},
    }
    return Measured(goal="V1", checks=tuple(checks), detail=detail)


async def _rate(engine: Engine, viewers: int) -> float:
    async with _looking(engine.hand.ready["url"], viewers):
        return (await engine.run(Bulletin())).rate


@asynccontextmanager
async def _looking(url: str, viewers: int) -> AsyncIterator[None]:
    """So many viewers, each with its stream open, and told how often to ask, before anything is sent."""
    limit = ClientTimeout(total=None, sock_connect=LIMIT_S)
    async with ClientSession(timeout=limit, headers=_HEADERS, connector=TCPConnector(limit=0)) as session:
        opened = asyncio.Semaphore(0)
        async with asyncio.TaskGroup() as tasks:
            looking = [tasks.create_task(_look(session, url, opened)) for _ in range(viewers)]
            for _ in looking:
                await opened.acquire()
            yield
            for one in looking:
                one.cancel()


async def _look(session: ClientSession, url: str, opened: asyncio.Semaphore) -> None:
    page, bar, every_s, event = _Asked(), _Asked(), 0.0, b""
    async with session.get(f"{url}/api/v1/live") as stream:
        if stream.status != 200:
            raise BenchFailed(f"看不了（HTTP {stream.status}）：{(await stream.text())[:200]}")
        async for line in stream.content:
            if line.startswith(b"event: "):
                event = line[7:].strip()
            elif line.startswith(b"data: {"):
                data = json.loads(line[6:])
                every_s = data.get("ask_every_ms", every_s * 1000) / 1000
                if warning_id := data.get("warning_id"):
                    page.moved(f"{url}/warnings/{warning_id}?part=live", every_s)
                if event == b"event":
                    bar.moved(f"{url}/status?part=live", every_s)
            elif event == b"beat":
                event = b""
                opened.release()
            for asked in (page, bar):
                await asked.ask(session)


@dataclass(slots=True)
class _Asked:
    """What a page asks for again and again. `place`: where, while it has to; `due`: when."""

    place: str = ""
    due: float = 0.0
    last: float = 0.0

    def moved(self, place: str, every_s: float) -> None:
        if not self.place:
            self.due = max(self.last + every_s, time.monotonic() + random.random() * (every_s - LEAST_S))  # noqa: S311
        self.place = place

    async def ask(self, session: ClientSession) -> None:
        if self.place and time.monotonic() >= self.due:
            place, self.place, self.last = self.place, "", time.monotonic()
            async with session.get(place) as part:
                if part.status != 200:
                    raise BenchFailed(f"看不了（HTTP {part.status}）：{(await part.text())[:200]}")
                await part.read()


async def _counted(yard: Yard) -> list[float]:
    """As somebody who drags a shape over the map: one question after the other, each with another shape."""
    wish = Wish(at=NOWHERE, roles=ROLES, more=_KNOWN)
    async with yard.engine(EMBEDDED, CITY, wish) as engine, ClientSession(headers=_HEADERS) as session:
        took = []
        for turn in range(COUNTED):
            drawing = {"polygons": [[[point.lat, point.lon] for point in wavy(MIDDLE, RADIUS, 50, turn)]]}
            form = {"hazard": "暴雨", "level": "red", "area": json.dumps(drawing)}
            began = time.perf_counter()
            async with asyncio.timeout(LIMIT_S):
                async with session.post(f"{engine.hand.ready['url']}/issue/audience", data=form) as response:
                    said = await response.text()
            took.append((time.perf_counter() - began) * 1000)
            if response.status != 200 or "data-hits" not in said:
                raise BenchFailed(f"没有计数（HTTP {response.status}）：{said[:200]}")
        return took[1:]

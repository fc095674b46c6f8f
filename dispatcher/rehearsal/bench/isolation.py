"""P8: one channel's provider is slow, hangs or throttles; the others must not feel it, and a throttling one is not pushed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from dispatcher.rehearsal.bench import paired
from dispatcher.rehearsal.bench.bulletin import Bulletin
from dispatcher.rehearsal.bench.engine import Engine, Wish
from dispatcher.rehearsal.bench.goals import Check, Measured, at_least, at_most
from dispatcher.rehearsal.bench.ground import People
from dispatcher.rehearsal.bench.orders import Hand, now_s
from dispatcher.rehearsal.bench.yard import NIGHT, ROUNDS, Yard

ALONE: Final = 0.9
KEPT: Final = 1.05
LIMIT: Final = 800.0
PEOPLE: Final = People(officers=2_136, residents=7_000, machines_at="http://127.0.0.1:9")
TROUBLES: Final = {"slow": "每次 50 毫秒", "hang": "挂住不答", "limited": "答 429"}
GATEWAYS_LIMIT: Final = 20.0
LOOK_S: Final = 0.02
LIMIT_S: Final = 180.0
SMS_PATH: Final = "/1/plain"


async def isolation(yard: Yard) -> Measured:
    """SMS alone, and SMS while the loudspeakers' provider misbehaves, in turn; then SMS to a provider with a limit."""
    sink = await yard.sink()
    await sink.ask("limit", limit=GATEWAYS_LIMIT)
    async with AsyncExitStack() as opened:
        engines = {
            name: await opened.enter_async_context(yard.engine(yard.best, PEOPLE, _wish(sink.ready["url"], name)))
            for name in ("alone", *TROUBLES)
        }
        count = (await engines["alone"].run(Bulletin())).count
        sides = {name: partial(_sms_rate, engine, sink, count) for name, engine in engines.items()}
        rates = await yard.in_turn(ROUNDS, sides)
    checks: list[Check] = [
        at_least(f"大喇叭的接口{chinese}时，短信速率 ÷ 单独时", paired.ratio(rates[name], rates["alone"]), ALONE)
        for name, chinese in TROUBLES.items()
    ]
    kept, detail = await _kept(yard, sink)
    checks.append(at_most("对限流的接口，任一秒的请求数 ÷ 上限", kept, KEPT))
    told = {side: paired.spread(some) for side, some in rates.items()}
    return Measured(
        goal="P8", checks=tuple(checks), detail={"engine": yard.best, "messages": count, "sms_rate": told, **detail}
    )


def _wish(at: str, trouble: str) -> Wish:
    channels = "[sms]" if trouble == "alone" else "[sms, broadcast]"
    base = at if trouble == "alone" else f"{at}/{trouble}"
    broadcast = {"KIND": "plain", "BASE_URL": base, "RATE": "2000", "IN_FLIGHT": "64", "TIMEOUT_S": "3"}
    more = {f"MINGLUO_CHANNELS__BROADCAST__EBM__{name}": value for name, value in broadcast.items()}
    return Wish(at=at, more={**more, "MINGLUO_POLICY__LEVELS__RED__CHANNELS": channels})


async def _sms_rate(engine: Engine, sink: Hand, count: int) -> float:
    """From the first SMS to the last, as the sink saw them."""
    await sink.ask("take")
    await engine.warn(Bulletin().body(datetime.now(UTC)))
    async with asyncio.timeout(LIMIT_S):
        while True:
            paths: Mapping[str, Any] = (await sink.ask("look"))["paths"]
            sms = paths.get(SMS_PATH)
            if sms and sms["count"] >= count:
                return float(sms["count"] / (sms["last"] - sms["first"]))
            await asyncio.sleep(LOOK_S)


async def _kept(yard: Yard, sink: Hand) -> tuple[float, dict[str, Any]]:
    """A provider that takes LIMIT a second and says 429 to more: once our rate is its limit, once we believe in twice."""
    await sink.ask("limit", limit=LIMIT)
    found: dict[str, Any] = {"limit": LIMIT}
    for name, rate in (("rate_is_limit", LIMIT), ("rate_is_twice_the_limit", 2 * LIMIT)):
        more = {"MINGLUO_CHANNELS__SMS__PLAIN__RATE": str(rate)}
        async with yard.engine(yard.best, NIGHT, Wish(at=f"{sink.ready['url']}/limited", more=more)) as engine:
            await sink.ask("take")
            began = now_s()
            body = Bulletin(residents=False).body(datetime.now(UTC))
            await engine.warn(body)
            await engine.hand.ask("landed", body=body.decode())
            took = await sink.ask("take")
        busiest = _busiest(took["arrivals"])
        found[name] = {
            "arrivals": len(took["arrivals"]),
            "throttled": took["throttled"],
            "busiest_second": busiest,
            "seconds": round(took["arrivals"][-1] - began, 2),
        }
    return found["rate_is_limit"]["busiest_second"] / LIMIT, {"throttling": found}


def _busiest(arrivals: Sequence[float]) -> int:
    """The most that came in any one second."""
    most, start = 0, 0
    for place, at in enumerate(arrivals):
        while arrivals[start] <= at - 1.0:
            start += 1
        most = max(most, place - start + 1)
    return most

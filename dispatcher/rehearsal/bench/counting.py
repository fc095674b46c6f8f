"""P7: the audience, in memory and over HTTP, at three sizes of the register."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import ClientSession, ClientTimeout

from dispatcher.rehearsal.bench import paired
from dispatcher.rehearsal.bench.audience import wavy
from dispatcher.rehearsal.bench.bulletin import CONTENT_TYPE, Bulletin
from dispatcher.rehearsal.bench.engine import Wish
from dispatcher.rehearsal.bench.goals import Check, Measured, at_most
from dispatcher.rehearsal.bench.ground import People
from dispatcher.rehearsal.bench.orders import BenchFailed
from dispatcher.rehearsal.bench.size import MILLION
from dispatcher.rehearsal.bench.yard import CITY, NIGHT, Yard

ROUNDS: Final = 11
OFFICERS_MS: Final = 1.0
CITY_MS: Final = 25.0
MILLION_MS: Final = 150.0
PREFIX_MS: Final = 0.05
HTTP_MS: Final = 200.0
ASKED: Final = 60
LIMIT_S: Final = 30.0
TOKEN: Final = "bench-token-of-this-run-alone"  # noqa: S105 - of a service that lives for seconds, on loopback
NOWHERE: Final = "http://127.0.0.1:9"
MIDDLE: Final = (27.1, 115.0)
RADIUS: Final = 0.75


async def audience(yard: Yard) -> Measured:
    """P7: three registers, each in a process of its own."""
    checks: list[Check] = []
    detail: dict[str, Any] = {
        "how": "inside：登记册里的点谁在圈内；whole_list：从圈到排好序、去了重的整份名单；每次换一个新圈"
    }
    for name, people in (("officers", People()), ("city", CITY), ("million", _million())):
        roles = "intake,send,timers,web" if name == "city" else "intake,send,timers"
        wish = Wish(at=NOWHERE, roles=roles, more={"MINGLUO_TOKEN_CITY_WEATHER": TOKEN})
        async with yard.engine(yard.best, people, wish) as engine:
            found = await engine.hand.ask("audience", rounds=ROUNDS)
            detail[name] = found
            checks += _checks(name, found)
            if name == "city":
                took = await _over_http(engine.hand.ready["url"])
                p95 = paired.percentile(took, 0.95)
                detail["http"] = {"ms": paired.spread(took), "p95": round(p95, 1), "residents": found["residents"]}
                checks.append(at_most("经 HTTP 重新计数 p95（10 万户）", p95, HTTP_MS, "毫秒"))
    return Measured(goal="P7", checks=tuple(checks), detail=detail)


def _million() -> People:
    return People(officers=NIGHT.officers, residents=MILLION)


def _checks(name: str, found: Mapping[str, Any]) -> list[Check]:
    inside = {who: one["ms"]["median"] for who, one in found["inside"].items()}
    whole = {corners: found[f"whole_list_{corners}"]["ms"]["median"] for corners in (50, 2000)}
    match name:
        case "officers":
            prefix = found["code_prefix"]["ms"]["median"]
            return [
                at_most("3,200 名信息员，圈内是谁", inside["officers_50"], OFFICERS_MS, "毫秒"),
                at_most("3,200 名信息员，整份名单", whole[50], OFFICERS_MS, "毫秒"),
                at_most("按区划代码", prefix, PREFIX_MS, "毫秒"),
            ]
        case "city":
            return [
                at_most("10 万户、2,000 个顶点，圈内是谁", inside["residents_2000"], CITY_MS, "毫秒"),
                at_most("10 万户、2,000 个顶点，整份名单", whole[2000], CITY_MS, "毫秒"),
            ]
        case _:
            return [
                at_most("100 万户、2,000 个顶点，圈内是谁", inside["residents_2000"], MILLION_MS, "毫秒"),
                at_most("100 万户、2,000 个顶点，整份名单", whole[2000], MILLION_MS, "毫秒"),
            ]


async def _over_http(url: str) -> list[float]:
    """As somebody who drags a shape over the map: one question after the other, each with another shape."""
    took = []
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": CONTENT_TYPE}
    async with ClientSession(timeout=ClientTimeout(total=LIMIT_S), headers=headers) as session:
        for turn in range(ASKED):
            body = Bulletin(polygon=wavy(MIDDLE, RADIUS, 50, turn)).body(datetime.now(UTC))
            began = time.perf_counter()
            async with session.post(f"{url}/api/v1/warnings/preview", data=body) as response:
                said = await response.read()
            took.append((time.perf_counter() - began) * 1000)
            if response.status != 200:
                raise BenchFailed(f"预览没有回答（HTTP {response.status}）：{said[:200].decode(errors='replace')}")
    return took[1:]

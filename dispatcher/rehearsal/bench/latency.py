"""P4, P5: how soon the first and the last leave, on an idle system and behind a hundred thousand of a lower level."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from dispatcher.model import Level
from dispatcher.rehearsal.bench import paired
from dispatcher.rehearsal.bench.bulletin import Bulletin
from dispatcher.rehearsal.bench.engine import Engine, Run, Wish
from dispatcher.rehearsal.bench.goals import Check, Measured, at_most
from dispatcher.rehearsal.bench.orders import Hand
from dispatcher.rehearsal.bench.yard import CITY, NIGHT, ROUNDS, Yard

FIRST_MS: Final = 100.0
LAST_MS: Final = 1000.0
RECORDED_MS: Final = 200.0
OVERTAKING_MS: Final = 150.0
OVERTAKING: Final = 1.8
UNDER_WAY: Final = 2_000
"""So many blue ones have left when the red comes."""
LIMIT_S: Final = 120.0
LOOK_S: Final = 0.02
RED: Final = Bulletin(residents=False)
BLUE: Final = Bulletin(level=Level.BLUE)
RED_PATH: Final = "/1/plain"


async def one_night(yard: Yard) -> Measured:
    """P4: from the publication to the first, the 3,200th, and the last durable row."""
    at = (await yard.sink()).ready["url"]
    checks: list[Check] = []
    detail: dict[str, Any] = {
        "how": "从交给消息代理前一刻起；内置代理由同一进程放入收件箱（另一进程放入的，最多晚 0.25 秒才被看到）"
    }
    for kind in yard.kinds:
        async with yard.engine(kind, NIGHT, Wish(at=at)) as engine:
            await engine.run(RED)
            runs = (await yard.in_turn(ROUNDS, {kind: partial(engine.run, RED)}))[kind]
        checks += _times(kind, runs)
        detail[kind] = {
            "messages": runs[0].planned,
            "first_ms": paired.spread([(run.first - run.published) * 1000 for run in runs]),
            "last_ms": paired.spread([(run.last - run.published) * 1000 for run in runs]),
            "recorded_ms_later": paired.spread([(run.settled - run.last) * 1000 for run in runs]),
        }
    return Measured(goal="P4", checks=tuple(checks), detail=detail, missing=yard.missing)


def _times(kind: str, runs: Sequence[Run]) -> list[Check]:
    first = paired.middle([(run.first - run.published) * 1000 for run in runs])
    last = paired.middle([(run.last - run.published) * 1000 for run in runs])
    recorded = paired.middle([(run.settled - run.last) * 1000 for run in runs])
    return [
        at_most(f"{kind} 首发", first, FIRST_MS, "毫秒"),
        at_most(f"{kind} 第 3,200 发", last, LAST_MS, "毫秒"),
        at_most(f"{kind} 末发后全部落库", recorded, RECORDED_MS, "毫秒"),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overtaken:
    """One red, in milliseconds after its publication."""

    first_ms: float
    last_ms: float
    blue_before: int
    blue_after: int


async def overtaking(yard: Yard) -> Measured:
    """P5: red alone and red behind blue in turn, each on a fresh copy, because blue takes long to end."""
    checks: list[Check] = []
    detail: dict[str, Any] = {}
    for kind in yard.kinds:
        sides = {"alone": partial(_red, yard, kind, False), "behind": partial(_red, yard, kind, True)}
        found = await yard.in_turn(ROUNDS, sides)
        behind, alone = found["behind"], found["alone"]
        longer = paired.ratio([one.last_ms for one in behind], [one.last_ms for one in alone])
        first = paired.middle([one.first_ms for one in behind])
        checks.append(at_most(f"{kind} 红色首发", first, OVERTAKING_MS, "毫秒"))
        checks.append(at_most(f"{kind} 红色末发 ÷ 空闲时", longer, OVERTAKING))
        detail[kind] = {
            side: {
                "first_ms": paired.spread([one.first_ms for one in some]),
                "last_ms": paired.spread([one.last_ms for one in some]),
            }
            for side, some in found.items()
        }
        detail[kind]["blue"] = {"sent_before": behind[0].blue_before, "sent_meanwhile": behind[0].blue_after}
    return Measured(goal="P5", checks=tuple(checks), detail=detail, missing=yard.missing)


async def _red(yard: Yard, kind: str, behind: bool) -> Overtaken:
    """`behind`: with a blue one to everybody half way out of the house."""
    sink = await yard.sink()
    async with yard.engine(kind, CITY, Wish(at=sink.ready["url"])) as engine:
        await engine.run(RED)
        await sink.ask("take")
        if behind:
            await engine.warn(BLUE.body(datetime.now(UTC)))
            await _until(sink, lambda paths: _others(paths) >= UNDER_WAY)
        before = _others((await sink.ask("look"))["paths"])
        return await _overtook(engine, sink, before)


async def _overtook(engine: Engine, sink: Hand, before: int) -> Overtaken:
    body = RED.body(datetime.now(UTC))
    published = await engine.warn(body)
    paths = await _until(sink, lambda paths: paths.get(RED_PATH, {}).get("count", 0) >= 3_200)
    red = paths[RED_PATH]
    return Overtaken(
        first_ms=(red["first"] - published) * 1000,
        last_ms=(red["last"] - published) * 1000,
        blue_before=before,
        blue_after=_others(paths) - before,
    )


async def _until(sink: Hand, enough: Any) -> dict[str, Any]:
    async with asyncio.timeout(LIMIT_S):
        while True:
            paths: dict[str, Any] = (await sink.ask("look"))["paths"]
            if enough(paths):
                return paths
            await asyncio.sleep(LOOK_S)


def _others(paths: dict[str, Any]) -> int:
    return sum(int(one["count"]) for path, one in paths.items() if path != RED_PATH)

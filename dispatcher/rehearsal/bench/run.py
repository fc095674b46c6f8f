"""A run of the benchmark: the goals asked for, one after the other, and what is said of them.

A goal that fails to be measured does not stop the others: it is null, with the reason.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from dispatcher.rehearsal.bench import (
    calling_off,
    counting,
    isolation,
    kills,
    latency,
    ledgers,
    machine,
    rates,
    receiving,
    size,
    users_today,
    watching,
)
from dispatcher.rehearsal.bench.goals import TITLES, Measured, as_markdown, not_measured, report
from dispatcher.rehearsal.bench.orders import BenchFailed
from dispatcher.rehearsal.bench.plotting import Point, cost_against_size
from dispatcher.rehearsal.bench.screen import BenchScreen
from dispatcher.rehearsal.bench.servers import Servers
from dispatcher.rehearsal.bench.yard import Yard, opened
from dispatcher.settings import PROJECT

MEASURES: Final[Mapping[str, Callable[[Yard], Awaitable[Measured]]]] = {
    "P1": rates.against_bare_loops,
    "P2": users_today.against_celery,
    "P3": rates.twilio_against_plain,
    "P4": latency.one_night,
    "P5": latency.overtaking,
    "P6": size.very_many,
    "P7": counting.audience,
    "P8": isolation.isolation,
    "P9": kills.kills,
    "P10": rates.by_the_hundred,
    "P11": ledgers.ledger,
    "P12": receiving.receipts,
    "P13": size.idle,
    "C1": calling_off.calling_off,
    "V1": watching.watched,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asked for."""

    goals: Sequence[str]
    servers: Servers


async def run(wanted: Wanted, screen: BenchScreen) -> Mapping[str, Any]:
    """Measures and shows; returns the object of `--json`."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # databases and hosts are dropped first
    found: list[Measured] = []
    described = await machine.described(wanted.servers)
    screen.begin(described, wanted.servers.missing)
    folder = machine.new_folder()
    async with opened(folder, wanted.servers, screen.tell) as yard:
        for goal in wanted.goals:
            with screen.goal(goal, TITLES[goal]):
                measured = await _measured(yard, goal)
            found.append(measured)
            screen.found(measured)
    screen.table(found)
    plotted = await asyncio.to_thread(_plot, found, described, folder.with_suffix(".svg"))
    await asyncio.to_thread(folder.with_suffix(".md").write_text, as_markdown(found, described), "utf-8")
    screen.kept(str(folder.with_suffix(".md").relative_to(PROJECT)), plotted)
    return report(found, {**described, "plot": plotted})


def _plot(found: Sequence[Measured], described: Mapping[str, Any], path: Path) -> str:
    """Where the sizes were measured: '' where they were not."""
    sizes = [one.detail["plot"] for one in found if one.goal == "P6" and "plot" in one.detail]
    if not sizes:
        return ""
    points = [Point(messages=messages, cpu_us=cpu_us) for _name, messages, cpu_us in sizes[0]]
    subtitle = f"{described['at'][:10]}，{described['cores']} 核 {described['processor']}，Python {described['python']}"
    path.write_text(cost_against_size(points, subtitle), encoding="utf-8")
    return str(path.relative_to(PROJECT))


async def _measured(yard: Yard, goal: str) -> Measured:
    if goal not in MEASURES:
        return not_measured(goal, "这一项还没有做")
    yard.short.clear()
    try:
        measured = await MEASURES[goal](yard)
        return replace(measured, missing=(*measured.missing, *dict.fromkeys(yard.short)))
    except* (BenchFailed, TimeoutError, OSError, AssertionError) as errors:
        first = errors.exceptions[0]
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        why = f"没有量成：{type(first).__name__} {first}"
    yard.failed = True
    return not_measured(goal, why)

"""A run of the benchmark: the goals asked for, one after the other, and what is said of them.

A goal that fails to be measured does not stop the others: it is null, with the reason.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.rehearsal.bench import (
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
)
from dispatcher.rehearsal.bench.goals import TITLES, Measured, not_measured, report
from dispatcher.rehearsal.bench.orders import BenchFailed
from dispatcher.rehearsal.bench.screen import BenchScreen
from dispatcher.rehearsal.bench.servers import Servers
from dispatcher.rehearsal.bench.yard import Yard, opened

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
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asked for."""

    goals: Sequence[str]
    servers: Servers


async def run(wanted: Wanted, screen: BenchScreen) -> Mapping[str, Any]:
    """Measures and shows; returns the object of `--json`."""
    found: list[Measured] = []
    described = await machine.described(wanted.servers)
    screen.begin(described, wanted.servers.missing)
    folder = machine.new_folder()
    async with opened(folder, wanted.servers, screen.tell) as yard:
        for goal in wanted.goals:
            began = time.monotonic()
            with screen.goal(goal, TITLES[goal]):
                measured = await _measured(yard, goal)
            found.append(measured)
            screen.found(measured, time.monotonic() - began)
    screen.table(found)
    return report(found, described)


async def _measured(yard: Yard, goal: str) -> Measured:
    if goal not in MEASURES:
        return not_measured(goal, "这一项还没有做")
    try:
        return await MEASURES[goal](yard)
    except* (BenchFailed, TimeoutError, OSError, AssertionError) as errors:
        first = errors.exceptions[0]
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        why = f"没有量成：{type(first).__name__} {first}"
    yard.failed = True
    return not_measured(goal, why)

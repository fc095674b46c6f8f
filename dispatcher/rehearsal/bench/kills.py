"""P9: kill -9 at twenty points of a fan-out, planning included: what was lost, what came twice, what nobody was told of.

What the sink counted before it answered is compared with the ledger after the next life has ended the work. Each kill is of
a fan-out of its own, so that its duplicates are its own.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from dispatcher.rehearsal.bench.bulletin import Bulletin
from dispatcher.rehearsal.bench.engine import IN_FLIGHT, WINDOW, Wish
from dispatcher.rehearsal.bench.goals import Measured, at_most
from dispatcher.rehearsal.bench.ground import People
from dispatcher.rehearsal.bench.orders import Hand, hired
from dispatcher.rehearsal.bench.yard import TOWN, Yard

KILLS: Final = 20
TWENTY_S: Final = 300.0
"""Twenty take this long where a fan-out takes five seconds; a much slower engine is killed less often, and it is said."""
LEAST: Final = 8
MOST: Final = WINDOW + IN_FLIGHT
EXCUSED: Final = frozenset({"failed", "suppressed", "expired", "withdrawn"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """One kill. `unflagged`: came twice, and the ledger does not say that it may have."""

    kind: str
    at_s: float
    sent_before: int
    planned: int
    lost: int
    duplicates: int
    unflagged: int


async def kills(yard: Yard) -> Measured:
    """Twenty parts of a run's time, one kill at a random point of each."""
    chance = random.Random()  # noqa: S311 - where to kill, not a secret
    found: list[Killed] = []
    async with hired("sink", yard.log("sink-keys"), arguments=["--keys"]) as sink:
        whole = {kind: await _undisturbed(yard, kind, sink) for kind in yard.kinds}
        until = time.monotonic() + max(TWENTY_S, 2 * yard.patience_s)
        order = chance.sample(range(KILLS), KILLS)  # a run that is cut short has points from all of it
        for done, number in enumerate(order):
            if done >= LEAST and time.monotonic() > until:
                break
            kind = yard.kinds[done % len(yard.kinds)]
            yard.tell(kind, done, KILLS)
            share = (number + chance.random()) / KILLS
            found.append(await killed(yard, kind, sink, share * whole[kind]))
    return _measured(yard, found)


def _measured(yard: Yard, found: Sequence[Killed]) -> Measured:
    worst = max(one.duplicates for one in found)
    detail: dict[str, Any] = {
        "kills": [asdict(one) for one in found],
        "window": WINDOW,
        "in_flight": IN_FLIGHT,
        "before_the_first_message": sum(one.sent_before == 0 for one in found),
    }
    return Measured(
        goal="P9",
        checks=(
            at_most(f"{len(found)} 次 kill -9，丢失", float(sum(one.lost for one in found)), 0.0, "条"),
            at_most("没有标记的重复", float(sum(one.unflagged for one in found)), 0.0, "条"),
            at_most("一次中断的重复，最多", float(worst), float(MOST), "条"),
        ),
        detail=detail,
        missing=(
            *yard.missing,
            *([f"时间到了，只中断了 {len(found)} 次，不是 {KILLS} 次"] if len(found) < KILLS else []),
        ),
    )


async def _undisturbed(yard: Yard, kind: str, sink: Hand) -> float:
    """How long a whole run takes, from its publication."""
    async with yard.engine(kind, TOWN, Wish(at=sink.ready["url"]), sink) as engine:
        run = await engine.run(Bulletin(), complete=False)
    return run.settled - run.published


async def killed(yard: Yard, kind: str, sink: Hand, after_s: float, people: People = TOWN) -> Killed:
    """One fan-out, killed so many seconds after its publication, ended by the next life, and judged."""
    async with yard.engine(kind, people, Wish(at=sink.ready["url"]), sink) as engine:
        await sink.ask("take")
        await sink.ask("keys")
        body = Bulletin().body(datetime.now(UTC))
        await engine.warn(body)
        await asyncio.sleep(after_s)
        await engine.hand.kill()
        before = sum(one["count"] for one in (await sink.ask("take"))["paths"].values())
        await engine.start()
        told = await engine.hand.ask("landed", body=body.decode())
        rows = (await engine.hand.ask("ledger", warning_id=told["warning_id"]))["rows"]
        came: dict[str, int] = (await sink.ask("keys"))["keys"]
    twice = {key: times - 1 for key, times in came.items() if times > 1}
    flagged = {key for key, _state, flag in rows if flag}
    return Killed(
        kind=kind,
        at_s=round(after_s, 3),
        sent_before=before,
        planned=told["planned"],
        lost=sum(key not in came for key, state, _flag in rows if state not in EXCUSED) + told["planned"] - len(rows),
        duplicates=sum(twice.values()),
        unflagged=sum(times for key, times in twice.items() if key not in flagged),
    )

"""A chaos run from end to end: the stack, the load, the faults one after the other, the end, and what was recorded of it."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from dispatcher.states import DeliveryState
from tests.crashes import faults, recording
from tests.crashes.facts import Counted, Facts, Fault, Struck
from tests.crashes.judge import ACCEPTED, Books, Finding
from tests.crashes.load import Load
from tests.crashes.recording import DRILL
from tests.crashes.stack import FIRST, Programs, Stack, standing

WINDOWS = {
    f"{channel}{side}": window
    for side in ("", DRILL)
    for channel, window in (("sms", 64), ("broadcast", 256), ("party", 256))
}
_PLAYERS: Mapping[str, Mapping[str, float]] = {
    "sms": {"delay_s": 0.05, "refuse": 0.005, "fail": 0.005, "hang": 0.0005, "cut": 0.002, "lie": 0.001,
            "undelivered": 0.01, "repeat": 0.02},
    "gateway": {"delay_s": 0.05, "fail": 0.01, "hang": 0.001, "cut": 0.005, "undelivered": 0.01, "repeat": 0.02},
    "platform": {"delay_s": 0.05, "fail": 0.01, "cut": 0.005},
}  # fmt: skip
PLAYERS = {f"{player}{side}": faults_of for side in ("", DRILL) for player, faults_of in _PLAYERS.items()}
END_S = 120.0
RECEIPT_S = 20
"""How long a receipt is waited for: one that fell into a fault is given up, so that the end can be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How much of everything."""

    seed: int
    deliveries: int
    officers: int
    residents: int
    rate: int
    """SMS a second."""
    ground: tuple[str, ...]
    """Areas of the large warnings that lie below everything."""
    counts: Mapping[Fault, int]
    patience: float = 1.0

    def settings(self) -> dict[str, str]:
        levels = ("RED", "ORANGE", "YELLOW", "BLUE")
        quick = {f"MINGLUO_POLICY__LEVELS__{level}__RECEIPT_DEADLINE_S": str(RECEIPT_S) for level in levels}
        retry = {f"MINGLUO_POLICY__LEVELS__{level}__RETRY_S": "[0, 1, 3, 10]" for level in levels[2:]}
        at_night = {f"MINGLUO_POLICY__LEVELS__{level}__LOUDSPEAKERS_AT_NIGHT": "true" for level in levels[2:]}
        return {
            "MINGLUO_CHANNELS__SMS__TWILIO__RATE": str(self.rate),
            "MINGLUO_CHANNELS__SMS__TWILIO__IN_FLIGHT": "32",
            "MINGLUO_CHANNELS__SMS__TWILIO__TIMEOUT_S": "5",
            "MINGLUO_CHANNELS__SMS__TWILIO_DRILL__TIMEOUT_S": "5",
            **quick,
            **retry,
            **at_night,
        }


Tell = Callable[[str], None]


async def run(profile: Profile, programs: Programs, folder: Path, tell: Tell) -> Facts:
    """Everything that was recorded; raises only where the stack itself cannot be brought up or does not come back."""
    people = (profile.officers, profile.residents)
    async with standing(folder, programs, people, PLAYERS, **profile.settings()) as stack:
        await stack.start(FIRST)
        async with asyncio.timeout(60):
            while not await stack.ready():
                await asyncio.sleep(0.1)
        tell("the stack stands and is ready")
        return await Run(profile, stack, tell).whole()


class Run:
    """One run, and what it gathers on the way."""

    def __init__(self, profile: Profile, stack: Stack, tell: Tell) -> None:
        self._profile = profile
        self._stack = stack
        self._tell = tell
        self._chance = random.Random(profile.seed)
        self._load = Load(stack, random.Random(profile.seed + 1), profile.deliveries, profile.ground)
        self._struck: list[Struck] = []
        self._books: list[Counted] = []
        self._snapshots: list[Mapping[str, DeliveryState]] = []

    async def whole(self) -> Facts:
        async with asyncio.TaskGroup() as group:
            load = group.create_task(self._load.run())
            try:
                await self._faults()
            finally:
                self._load.enough()
            await load
        terminal_after_s = await self._end()
        return await self._facts(terminal_after_s)

    async def _faults(self) -> None:
        every = faults.schedule(self._profile.counts, self._chance)
        apart = self._profile.deliveries / (len(every) + 1)
        for number, fault in enumerate(every, 1):
            await self._until(number * apart)
            struck = await faults.strike(self._stack, fault, self._chance)
            self._struck.append(struck)
            self._books += await self._stack.ask(recording.books)
            if fault is Fault.ZOMBIE:
                self._snapshots.append(await self._stack.ask(recording.snapshot))
            self._tell(
                f"{number}/{len(every)} {fault}: unsettled {dict(struck.unsettled)}, "
                f"recovered {struck.recovered_s - struck.ended_s:.1f} s, "
                f"rows {self._load.progress.done}/{self._load.progress.planned}, load {os.getloadavg()[0]:.1f}"
            )

    async def _until(self, done: float) -> None:
        while self._load.progress.done < done:
            self._load.news.clear()
            await self._load.news.wait()

    async def _end(self) -> float:
        """Seconds from the last fault's end until every row was terminal."""
        clock = asyncio.get_running_loop().time
        since = self._struck[-1].ended_s if self._struck else clock()
        self._tell(f"the last fault is over, {self._load.progress.left} rows are left")
        while not await self._over() and clock() - since < END_S:
            await asyncio.sleep(0.1)
        self._tell(f"at rest {clock() - since:.1f} s after the last fault")
        return clock() - since

    async def _over(self) -> bool:
        """Every row is terminal, and nothing that was accepted waits in the broker to become one."""
        if not await self._stack.ask(recording.at_rest):
            return False
        rows = await self._stack.ask(recording.kept)
        digests = await self._stack.ask(lambda store: recording.digests(store, rows))
        known = {recording.warned(row).identity for row in rows}
        accepted = [said for said in self._load.said if said.status in ACCEPTED]
        taken_in = all(said.digest in digests or said.identity in known for said in accepted)
        return taken_in and await self._stack.ask(recording.at_rest)

    async def _facts(self, terminal_after_s: float) -> Facts:
        stack, ground = self._stack, self._stack.grounds[FIRST]
        rows = await recording.kept(stack.store)
        serials = await recording.serials(stack.store)
        return Facts(
            lines=tuple(recording.lines_in(ground.folder, serials)),
            planned=await recording.plan_of(stack.store, ground.seal, rows),
            rows=await recording.rows_of(stack.store),
            warnings=tuple(recording.warned(row) for row in rows),
            said=tuple(self._load.said),
            kept_digests=await recording.digests(stack.store, rows),
            struck=tuple(self._struck),
            books=tuple(self._books),
            snapshots=tuple(self._snapshots),
            windows=WINDOWS,
            terminal_after_s=terminal_after_s,
            patience=self._profile.patience,
        )


def report(profile: Profile, facts: Facts, findings: list[Finding]) -> dict[str, object]:
    """The figures of a run, as one JSON object says them."""
    books = Books.of(facts)
    channel_of = {row.key: row.channel for row in facts.rows}
    flagged = Counter(row.channel for row in facts.rows if row.flagged)
    doubtful = Counter[str]()
    for row in facts.rows:
        doubtful[row.channel] += bool(row.tries.get("in_doubt"))
    repeats = Counter[str]()
    for key, times in books.repeats().items():
        repeats[channel_of.get(key, "?")] += times
    broken = Counter(finding.promise for finding in findings)
    slowest = {
        str(fault): round(max(one.recovered_s - one.ended_s for one in facts.struck if one.fault is fault), 1)
        for fault in facts.by_fault()
    }
    return {
        "seed": profile.seed,
        "ok": not findings,
        "deliveries": len(facts.planned),
        "warnings": len(facts.warnings),
        "inputs": len(facts.said),
        "hostile": sum(bool(said.hostile) for said in facts.said),
        "logged": len(facts.lines),
        "logged_by_drill_sinks": sum(line.sink_drill for line in facts.lines),
        "lost": broken["lost"],
        "duplicates": dict(repeats),
        "unflagged": broken["unflagged duplicate"],
        "flagged": dict(flagged),
        "in_doubt": dict(doubtful),
        "most_in_doubt_at_a_fault": {
            channel: max((one.unsettled.get(channel, 0) for one in facts.struck), default=0) for channel in WINDOWS
        },
        "window": WINDOWS,
        "deaths": facts.deaths(),
        "faults": {str(fault): number for fault, number in facts.by_fault().items()},
        "slowest_recovery_s": slowest,
        "median_recovery_s": round(median([one.recovered_s - one.ended_s for one in facts.struck] or [0.0]), 1),
        "load_average": os.getloadavg()[1],
        "terminal_after_s": round(facts.terminal_after_s, 1),
        "states": dict(Counter(row.state.label for row in facts.rows)),
        "findings": dict(broken),
    }

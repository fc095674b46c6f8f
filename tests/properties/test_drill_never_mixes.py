"""Drills and real warnings by the thousand, through the whole service, while flags are flipped at random: in the database
between acceptance and sending and in the middle of the sending, on the way in, and right before the last door. What came of it
is read from the players' own logs, which they write before they answer: nothing of a drill at a live provider, nothing real at
a drill's, each flipped one refused with code 240, and every other one there.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from structlog.testing import capture_logs

from channels.text import DRILL
from dispatcher.model import BEIJING, Code, Target, TargetKind, Verdict
from dispatcher.pipeline.accept import Answer, Incoming
from dispatcher.registry import importing, sample
from dispatcher.registry.sample.places import read_areas
from dispatcher.rehearsal import demo_stage
from dispatcher.rehearsal.demo_stage import City
from dispatcher.service.keys import seal_of
from dispatcher.service.running import Service
from dispatcher.service.serving import Rehearsal, serving
from dispatcher.settings import PROJECT, Settings
from dispatcher.states import DeliveryState
from dispatcher.store import events, ledger
from dispatcher.store.engine import Store, open_store
from dispatcher.store.migrating import migrate
from dispatcher.store.registry import EndpointRow, opening
from tests.browser.standing import cap, code
from tests.properties.noise import FLIPS, HARMLESS, Struck, flip, make_noise

MIXED = "240"
CITY = "360800"
SHARE = 0.02
"""Of the messages, struck right before the last door."""
LOOK_S = 0.02

Place = tuple[str, str, str]
"""(warning, channel, whom the player calls by that name)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything. `cities` and `counties`: warnings for the whole of one."""

    least: int
    officers: int
    residents: int
    cities: int
    counties: int
    hostile: int


SHORT = Size(least=5_000, officers=700, residents=100, cities=2, counties=24, hostile=40)
LONG = Size(least=100_000, officers=3_200, residents=2_000, cities=10, counties=96, hostile=400)


@dataclass(slots=True, kw_only=True)
class Part:
    """A warning in the mixture. `flipped`: what of it, '' for nothing; `late`: in the middle of the sending, not before."""

    id: str
    drill: bool
    flipped: str = ""
    late: bool = False

    @property
    def lost(self) -> bool:
        """Nothing of it may leave."""
        return self.flipped in FLIPS and not self.late


@pytest.mark.timeout(170)
async def test_five_thousand_messages_never_meet_on_a_wire(tmp_path: Path, measured: Callable[[str], None]) -> None:
    async with demo_stage.city(tmp_path) as place:
        await _mixed(demo_stage.settings_for(tmp_path, place), place, SHORT, (tmp_path, measured))


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_a_hundred_thousand_messages_never_meet_on_a_wire(
    database: str, tmp_path: Path, measured: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    async with demo_stage.city(tmp_path) as place:
        settings = demo_stage.settings_for(tmp_path, place)
        if database == "postgres":
            ours = {"database_url": request.getfixturevalue("postgres_url"), "seal_key": SecretStr("00" * 32)}
            settings = replace(settings, service=settings.service.model_copy(update=ours))
        await _mixed(settings, place, LONG, (tmp_path, measured))


async def _mixed(settings: Settings, place: City, size: Size, told: tuple[Path, Callable[[str], None]]) -> None:
    folder, measured = told
    seed = random.SystemRandom().randrange(1_000_000)
    measured(f"seed {seed}")
    chance = random.Random(seed)
    await _found_city(settings, place, size)
    with capture_logs() as said:
        async with serving(settings, roles=frozenset({"intake"}), rehearsal=Rehearsal()) as live:
            parts = await _taken_in(live.service, size, chance)
            await _hostile(live.service, parts, size.hostile, chance)
            for part in parts:
                if part.flipped and not part.late:
                    await flip(live.context.store, part.flipped, part.id)
        async with serving(settings, roles=frozenset({"web", "send", "timers"}), rehearsal=Rehearsal()) as live:
            struck = make_noise(live.service.parts.dispatcher, SHARE, chance)
            await _until_at_rest(live.context.store, parts, chance)
            mixed, notices = live.service.parts.dispatcher.mixed, (await live.service.readiness()).notices
    store = open_store(settings.service.database_url)
    try:
        outcome = await _outcome(store, settings, parts, struck)
        kinds = {part.id: await _kinds(store, part.id) for part in parts if part.lost}
    finally:
        await store.close()
    took = {side: _took(folder / "providers", side, outcome.names) for side in ("", "_drill")}
    measured(f"{outcome.rows:,} rows, {outcome.refused:,} refused with 240, {outcome.arriving.total():,} to arrive")
    _judge(parts, outcome, took, size)
    _seen(parts, outcome, (said, kinds, mixed, notices))


# ── what is sent in ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def _found_city(settings: Settings, place: City, size: Size) -> None:
    await migrate(settings.service.database_url)
    wish = sample.Wish(
        gateways_at=f"{place.url('gateway')}/gateways",
        endpoints_at=f"{place.url('platform')}/platforms",
        officers=size.officers,
        residents=size.residents,
    )
    sheets = await asyncio.to_thread(sample.make, PROJECT / "config" / "jian", wish)
    store = open_store(settings.service.database_url)
    try:
        await importing.put(store, seal_of(settings), sheets)
    finally:
        await store.close()
    await place.know({row.id: row.secrets for row in sheets.tables[EndpointRow] if isinstance(row, EndpointRow)})


async def _taken_in(service: Service, size: Size, chance: random.Random) -> list[Part]:
    """Half of them drills, in any order; a third of them to be flipped, and each kind of flip at least once on each side."""
    counties = [area.code for area in read_areas(PROJECT / "config" / "jian") if area.level == "county"]
    areas = [CITY] * size.cities + [counties[number % len(counties)] for number in range(size.counties)]
    fates = {drill: _fates(len(areas) // 2, size.cities // 2) for drill in (False, True)}
    order = [(number, area, number % 2 == 1) for number, area in enumerate(areas)]
    chance.shuffle(order)
    parts = []
    for number, area, drill in order:
        body = cap(f"W{number:05d}", status="Exercise" if drill else "Actual", where=code(area))
        answer = await _said(service, body, drill=drill)
        assert answer.verdict is Verdict.ACCEPT, answer.reason
        flipped, late = fates[drill][number // 2]
        parts.append(Part(id=answer.warning_id, drill=drill, flipped=flipped, late=late))
    return parts


def _fates(warnings: int, large: int) -> list[tuple[str, bool]]:
    """(what is flipped, whether late); the first `large` ones are long under way, and half of them are flipped there."""
    late = [(FLIPS[number % 3], True) for number in range((large + 1) // 2)]
    early = [(what, False) for what in (*FLIPS, HARMLESS)]
    whole = [("", False)] * (large - len(late))
    rest = warnings - large
    return [*late, *whole, *(early[number % (3 * len(early))] if number % (3 * len(early)) < len(early) else ("", False)
                             for number in range(rest))]  # fmt: skip


async def _said(service: Service, body: bytes, *, drill: bool) -> Answer:
    return await service.accept(
        Incoming(door="cli", source="drill" if drill else "city-weather", content_type="application/cap+xml", body=body)
    )


async def _hostile(service: Service, parts: list[Part], number: int, chance: random.Random) -> None:
    """On the way in: status, words, source and references that do not agree. None of it is kept as a warning."""
    sent = datetime.now(UTC).astimezone(BEIJING).replace(microsecond=0)
    for at in range(number):
        drill, name = chance.random() < 0.5, f"H{at:05d}"
        of = f"W{chance.randrange(len(parts) // 2) * 2 + (not drill):05d}"
        naming = f"<references>36080041600000,{of},{_sent_of()}</references>"
        later = (sent + timedelta(seconds=at % 60)).isoformat()
        own = "Exercise" if drill else "Actual"
        bodies = {
            "status": cap(name, status="Actual", headline="暴雨红色预警" if drill else "防汛演练：暴雨红色预警"),
            "words": cap(name, status="Actual", description="【演练】请立即转移。"),
            "update": cap(name, status=own, kind="Update", references=naming, sent=later),
            "cancel": cap(name, status=own, kind="Cancel", references=naming, sent=later),
        }
        answer = await _said(service, bodies[chance.choice(sorted(bodies))], drill=drill)
        assert (answer.verdict, answer.code) == (Verdict.REJECT, Code.DRILL_MIXED), answer.reason


def _sent_of() -> str:
    """The time that stands in every one of `cap`."""
    return cap().decode().partition("<sent>")[2].partition("</sent>")[0]


# ── the sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _until_at_rest(store: Store, parts: list[Part], chance: random.Random) -> None:
    """Until nothing waits any more; meanwhile what is to be flipped late is flipped once it is under way."""
    late = [part for part in parts if part.late]
    while True:
        async with store.read() as tx:
            waiting = (await tx.execute(text(_WAITING))).scalar_one()
            begun = {row[0] for row in await tx.execute(text(_BEGUN))}
        for part in [one for one in late if one.id in begun and chance.random() < 0.5]:
            await flip(store, part.flipped, part.id)
            late.remove(part)
        if not waiting:
            return
        await asyncio.sleep(LOOK_S)


_WAITING = (
    "SELECT (SELECT count(*) FROM chunks WHERE state IN (0, 1, 2)) + (SELECT count(*) FROM deliveries WHERE state = 0)"
)
_BEGUN = "SELECT DISTINCT warning_id FROM deliveries WHERE state IN (1, 2)"


# ── what came of it ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """By the ledger: who is to be found in the players' logs, who is not, and who is there perhaps twice."""

    rows: int
    refused: int
    arriving: Counter[Place]
    kept_back: Counter[Place]
    doubled: Counter[Place]
    struck: frozenset[str]
    """Warnings of which a message was struck before the last door."""
    names: Mapping[str, str]
    """EBMID → warning."""


async def _outcome(store: Store, settings: Settings, parts: list[Part], struck: Struck) -> Outcome:
    seal, arriving, kept_back, doubled = seal_of(settings), Counter[Place](), Counter[Place](), Counter[Place]()
    rows = refused = 0
    names: dict[str, str] = {}
    never = struck.never_whole
    for part in parts:
        async with store.read() as tx:
            entries = await ledger.page(tx, part.id, None, 100_000)
            parsed = [Target.parse(entry.target) for entry in entries]
            to = await opening.phones_of(tx, seal, [entry.target for entry in entries])
            gateways = [one.id for one in parsed if one.kind is TargetKind.GATEWAY]
            found = await opening.gateway_addresses(tx, gateways)
            to |= {f"{TargetKind.GATEWAY}-{number}": one.ebrid for number, one in found.items()}
            to |= {str(one): one.id for one in parsed if one.kind is TargetKind.ENDPOINT}
            row = (await tx.execute(text("SELECT broadcast_id FROM warnings WHERE id = :w"), {"w": part.id})).one()
        names[row[0]] = part.id
        rows += len(entries)
        for entry in entries:
            where = (part.id, entry.channel, to[entry.target])
            key = f"{entry.warning_id}.{entry.target}.{entry.channel}.{entry.round}"
            stopped = entry.state_code == MIXED
            assert entry.state is not DeliveryState.PLANNED, key
            assert stopped == (entry.state is DeliveryState.FAILED), (key, entry.state, entry.state_code)
            assert stopped or not part.lost, f"{key} of a warning flipped ({part.flipped}) ended as {entry.state.label}"
            assert stopped or key not in never, f"{key} was struck before the last door, and {entry.state.label}"
            assert not stopped or part.flipped in FLIPS or key in struck.hit, f"{key} was whole, and refused"
            refused += stopped
            (kept_back if stopped else arriving)[where] += 1
            if entry.possible_duplicate or key in struck.once:
                doubled[where] += 1
    hit = frozenset(key.split(".", maxsplit=1)[0] for key in struck.hit)
    return Outcome(
        rows=rows,
        refused=refused,
        arriving=arriving,
        kept_back=kept_back,
        doubled=doubled,
        struck=hit,
        names=names,
    )


def _took(folder: Path, side: str, names: Mapping[str, str]) -> Counter[Place]:
    """What the players of one side wrote down; every line of theirs is of that side by its own words."""
    took: Counter[Place] = Counter()
    for player, channel in (("aliyun", "sms"), ("sms", "sms"), ("gateway", "broadcast"), ("platform", "party")):
        for line in _lines(folder / f"{player}{side}.jsonl"):
            marked = DRILL in line["text"]
            assert marked is bool(line["drill"]) is bool(side), f"{player}{side} took {line}"
            warning = names.get(line["ebm_id"], "?") if player == "gateway" else line["key"].split(".")[0]
            took[warning, channel, line["recipient"]] += 1
    return took


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        yield from map(json.loads, file)


def _judge(parts: list[Part], outcome: Outcome, took: Mapping[str, Counter[Place]], size: Size) -> None:
    drills = {part.id for part in parts if part.drill}
    live = {part.id for part in parts if not part.drill}
    assert outcome.rows >= size.least
    assert {where[0] for where in took[""]} <= live, "a drill came to a live provider"
    assert {where[0] for where in took["_drill"]} <= drills, "what is real came to a drill's provider"
    whole = took[""] + took["_drill"]
    assert outcome.arriving - whole == Counter(), "what nobody had flipped did not arrive"
    more = whole - outcome.arriving
    assert more - outcome.doubled == Counter(), "something arrived that was refused, or twice"
    for side, ids in (("", live), ("_drill", drills)):
        assert {where[0] for where in took[side]} >= {part.id for part in parts if part.id in ids and not part.flipped}
    assert outcome.refused > size.least * 0.1
    assert outcome.arriving.total() > size.least * 0.3, "this would pass by sending nothing"


async def _kinds(store: Store, warning_id: str) -> set[str]:
    async with store.read() as tx:
        return {one.kind for one in await events.of_warning(tx, warning_id)}


def _seen(
    parts: list[Part],
    outcome: Outcome,
    told: tuple[list[MutableMapping[str, Any]], Mapping[str, set[str]], int, tuple[str, ...]],
) -> None:
    """Somebody is woken for each of them."""
    said, kinds, mixed, notices = told
    errors = {str(line.get("warning_id")) for line in said if line["log_level"] == "error"}
    flipped = {part.id for part in parts if part.lost}
    assert flipped
    assert flipped | outcome.struck <= errors
    assert all("warning.drill_mixed" in kinds[one] for one in flipped)
    assert errors <= {part.id for part in parts}, [line for line in said if line["log_level"] == "error"][:3]
    assert mixed >= sum(1 for _ in flipped)
    assert any("240" in notice for notice in notices)

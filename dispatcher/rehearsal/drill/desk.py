"""A drill at the desk: a folder, a database, a city and a service of its own; nothing leaves this machine.

The environment has no say, as in the demo. The loudspeakers' quiet hours lie as they would at the scenario's hour, so
that a night is rehearsed by day.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from channels.text import is_drill, unsigned
from dispatcher.drills import Stage
from dispatcher.registry import sample
from dispatcher.registry.register import Register
from dispatcher.rehearsal import demo_stage, landing
from dispatcher.rehearsal.audit import LOGS
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.rehearsal.drill.playing import Door, Play, Player
from dispatcher.rehearsal.drill.scenario import Scenario
from dispatcher.rehearsal.drill.score import Proof
from dispatcher.rehearsal.founding import found_city
from dispatcher.service.assembly import clock
from dispatcher.service.running import ROLES
from dispatcher.service.serving import Rehearsal, serving
from dispatcher.settings import Policy, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """How large a city is rehearsed with."""

    officers: int
    residents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A play and what it was played to."""

    play: Play
    register: Register
    proof: Proof


async def play(scenario: Scenario, folder: Path, people: People, speed: float | None, screen: Screen) -> Staged:
    """In `folder`, which keeps the database, the service's log and the players' logs."""
    token = secrets.token_hex(16)
    with demo_stage.logging_to(folder / "service.log"):
        async with demo_stage.city(folder) as place:
            settings = _as_at(scenario.start, demo_stage.settings_for(folder, place, MINGLUO_TOKEN_DRILL=token))
            wish = sample.Wish(
                gateways_at=f"{place.url('gateway')}/gateways",
                endpoints_at=f"{place.url('platform')}/platforms",
                officers=people.officers,
                residents=people.residents,
            )
            await found_city(settings, place, wish, screen)
            async with serving(settings, roles=ROLES, rehearsal=Rehearsal()) as live:
                await place.report_to(live.url)
                door = Door(url=live.url, token=token)
                player = Player(scenario=scenario, context=live.context, door=door, speed=speed, screen=screen)
                played = await player.play()
                register = await live.context.register()
    with screen.working("独立核对：冻结的名单与各发送对象自己的记录"):
        return Staged(play=played, register=register, proof=await _proof(folder))


def _as_at(nominal: datetime, settings: Settings) -> Settings:
    """On the stage of a desk, its quiet hours moved by the hours between the scenario's time of day and now."""
    hours = round((clock() - nominal).total_seconds() / 3600)
    policy = settings.policy
    moved = {name: (getattr(policy, name) + hours) % 24 for name in ("quiet_from_hour", "quiet_to_hour")}
    return replace(settings, stage=Stage.DESK, policy=Policy.model_copy(policy, update=moved))


async def _proof(folder: Path) -> Proof:
    found = await landing.audited(folder)
    return Proof(
        lost=found["lost"],
        duplicates=found["duplicates"],
        unplanned=found["unplanned"],
        unmarked=sum(not marked for marked in _marks(folder / "providers")),
        logged=found["logged"],
    )


def _marks(providers: Path) -> Iterator[bool]:
    """Whether each message that arrived bears its marks, behind the signature that an SMS provider puts in front."""
    for _, name in LOGS:
        path = providers / name
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            yield is_drill(unsigned(json.loads(line)["text"]))

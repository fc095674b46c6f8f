"""What breaks and is mended while nobody looks is put on record: channels, broker, clock; gateways that fall silent.

Each look compares with what was known before, which stands in the database, so that a restart tells nothing twice. A trouble is
believed when it was seen twice in a row: what is still starting up is no news.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dispatcher.pipeline.context import Context
from dispatcher.store import events, nodes
from dispatcher.store.events import Event

BROKEN: Final = "service.broken"
MENDED: Final = "service.mended"
LOST: Final = "gateway.lost"
BACK: Final = "gateway.back"
_NUMBER: Final = re.compile(r"\d[\d,.]*")
_NAMED: Final = 50
"""Gateways of one entry that are named; all of them are counted."""


@dataclass(slots=True)
class Watched:
    """What one process saw last: trouble → how it was put."""

    before: Mapping[str, str] = field(default_factory=dict)


async def watch(context: Context, watched: Watched, troubles: Sequence[str]) -> int:
    """How much was put down. `troubles`: what is broken now, a sentence each; every few seconds."""
    now = {_NUMBER.sub("#", one): one for one in troubles}
    register = await context.register()
    silent = sorted(gateway.id for gateway in register.gateways.values() if not gateway.online)
    name = f"watched:{context.settings.service.node}"[:64]
    async with context.store.read() as tx:
        known = json.loads(await nodes.fact(tx, name) or "{}")
    stood, lost = known.get("troubles", {}), known.get("silent", silent)
    stays = {key: said for key, said in now.items() if key in watched.before or key in stood}
    stays |= {key: said for key, said in stood.items() if key not in now and key in watched.before}
    watched.before = now
    told = [_trouble(BROKEN, stays[key]) for key in sorted(stays.keys() - stood.keys())]
    told += [_trouble(MENDED, stood[key]) for key in sorted(stood.keys() - stays.keys())]
    areas = {gateway.id: gateway.area_code for gateway in register.gateways.values()}
    told += _gateways(LOST, sorted(set(silent) - set(lost)), areas)
    told += _gateways(BACK, sorted((set(lost) - set(silent)) & areas.keys()), areas)
    if told or "silent" not in known or set(lost) != set(silent):
        async with context.store.begin() as tx:
            for one in told:
                await events.record(tx, context.now(), one, logged=True)
            kept = {key: stood.get(key, said) for key, said in stays.items()}
            await nodes.set_fact(tx, name, json.dumps({"troubles": kept, "silent": silent}, ensure_ascii=False))
    return len(told)


def _trouble(kind: str, said: str) -> Event:
    return Event(kind=kind, subject="service", detail={"what": said})


def _gateways(kind: str, which: Collection[str], areas: Mapping[str, str]) -> list[Event]:
    if not which:
        return []
    named: list[dict[str, Any]] = [{"id": one, "area": areas[one]} for one in list(which)[:_NAMED]]
    return [Event(kind=kind, subject="gateways", detail={"count": len(which), "gateways": named})]

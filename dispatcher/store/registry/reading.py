"""The register as memory wants it: the words of `model.py`, no phone opened but every home, residents by page as columns.

It must stay fast and small with a million residents (keyset pages, no offset) and never hand out half an import: the
caller reads all of it inside one `store.read()` and calls `hold_still` first. A code stands in memory once, however many
rows name it: a database driver makes a string of its own for each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import Final

from sqlalchemy import ColumnElement, Text, cast, exists, false, func, or_, select, text

from dispatcher.model import (
    AdminArea,
    Channel,
    Endpoint,
    Gateway,
    Level,
    Office,
    Officer,
    Point,
    Post,
    PostHeld,
    Subscription,
)
from dispatcher.states import GatewayState
from dispatcher.store import tables as t
from dispatcher.store.engine import Tx
from dispatcher.store.registry import homes
from dispatcher.store.sealed import Seal

_PAGE = 10_000
"""Rows that stand in memory as objects before they become numbers in arrays: a few megabytes."""
_NO_BOUNDARY: Final = (None, "null")
_SILENT: Final = frozenset({GatewayState.OFFLINE, GatewayState.FAULT})
"""Whoever is not known to be silent is tried: one that nobody has heard of yet may well play."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentPage:
    """Residents who may be told, as columns of one length, by id."""

    id: tuple[int, ...]
    village_code: tuple[str, ...]
    lat: tuple[float, ...]
    lon: tuple[float, ...]
    phone_index: tuple[int, ...]
    groups: tuple[int, ...]
    risk_tags: tuple[int, ...]


async def hold_still(tx: Tx) -> None:
    """First statement of a reading: an import that commits meanwhile stays unseen, as it does by nature on SQLite."""
    if tx.dialect.name == "postgresql":
        await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


async def version(tx: Tx) -> int:
    """0 where nothing was ever loaded."""
    found = (await tx.execute(select(t.facts.c.value).where(t.facts.c.name == "register_version"))).scalar()
    return int(found or 0)


async def any_area(tx: Tx) -> bool:
    """Does it say where anything is? Without areas nobody can be told."""
    return bool((await tx.execute(select(exists().where(t.areas.c.code != "")))).scalar())


async def any_synthetic(tx: Tx) -> bool:
    """Is any area, person or device invented?"""
    marked = (t.areas, t.officers, t.residents, t.offices, t.gateways, t.terminals, t.endpoints)
    found: list[ColumnElement[bool]] = [exists().where(table.c.synthetic) for table in marked]
    return bool((await tx.execute(select(or_(false(), *found)))).scalar())


async def areas(tx: Tx) -> list[AdminArea]:
    c = t.areas.c
    plain = [column for column in c if column is not c.boundary]
    wanted = select(*plain, cast(c.boundary, Text).label("boundary")).order_by(c.code)
    return [
        AdminArea(
            code=intern(row.code),
            name=row.name,
            short_name=row.short_name,
            level=intern(row.level),
            kind=intern(row.kind),
            parent=intern(row.parent),
            point=Point(row.lat, row.lon),
            population=row.population,
            boundary=None if row.boundary in _NO_BOUNDARY else row.boundary,
            synthetic=row.synthetic,
        )
        for row in await tx.execute(wanted)
    ]


async def officers(tx: Tx, seal: Seal) -> list[Officer]:
    c = t.officers.c
    wanted = select(c.id, c.name, c.home_code, c.lat, c.lon, c.position, c.roles, c.phone_index).order_by(c.id)
    return [
        Officer(
            id=intern(row.id),
            name=row.name,
            home_code=intern(row.home_code),
            home=Point(*homes.opened(seal, row.lat, row.lon, row.position)),
            roles=row.roles,
            phone_index=row.phone_index,
        )
        for row in await tx.execute(wanted)
    ]


async def posts(tx: Tx) -> list[PostHeld]:
    c = t.posts.c
    found = await tx.execute(select(c.area_code, c.post, c.officer_id).order_by(c.area_code, c.post, c.officer_id))
    return [
        PostHeld(area_code=intern(row.area_code), post=Post(row.post), officer_id=intern(row.officer_id))
        for row in found
    ]


async def offices(tx: Tx) -> list[Office]:
    c = t.offices.c
    found = await tx.execute(select(c.id, c.area_code, c.name, c.phone_index).order_by(c.id))
    return [
        Office(id=intern(row.id), area_code=intern(row.area_code), name=row.name, phone_index=row.phone_index)
        for row in found
    ]


async def subscriptions(tx: Tx) -> list[Subscription]:
    return [
        Subscription(
            id=row.id,
            office_id=intern(row.office_id),
            area_codes=tuple(map(intern, row.area_codes)),
            hazards=tuple(map(intern, row.hazards)),
            least_level=Level(row.least_level),
            channels=tuple(map(Channel, row.channels)),
        )
        for row in await tx.execute(select(t.subscriptions).order_by(t.subscriptions.c.id))
    ]


async def gateways(tx: Tx) -> list[Gateway]:
    found = list(await tx.execute(select(t.gateways).order_by(t.gateways.c.id)))
    villages = await _villages_below(tx, {row.id: row.parent for row in found})
    return [
        Gateway(
            id=intern(row.id),
            ebrid=row.ebrid,
            area_code=intern(row.area_code),
            name=row.name,
            level=intern(row.level),
            parent=intern(row.parent),
            point=Point(row.lat, row.lon),
            url=row.url,
            online=row.state not in _SILENT,
            villages=tuple(sorted(villages[row.id])),
        )
        for row in found
    ]


async def gateway_proofs(tx: Tx) -> dict[str, datetime | None]:
    """When each was last known to answer."""
    found = await tx.execute(select(t.gateways.c.id, t.gateways.c.proven_at))
    return {row.id: row.proven_at for row in found}


async def _villages_below(tx: Tx, parent_of: dict[str, str]) -> dict[str, set[str]]:
    """Gateway → villages with a terminal on it or on a gateway below it."""
    c = t.terminals.c
    below: dict[str, set[str]] = defaultdict(set)
    for gateway_id, village in await tx.execute(select(c.gateway_id, c.village_code).distinct()):
        at, seen = gateway_id, set[str]()  # a ring of parents, which an import refuses, must not hang the start
        while at and at not in seen:
            below[at].add(intern(village))
            seen.add(at)
            at = parent_of.get(at, "")
    return below


async def endpoints(tx: Tx) -> list[Endpoint]:
    branches: dict[str, set[str]] = defaultdict(set)
    c = t.branches.c
    for endpoint_id, village in await tx.execute(select(c.endpoint_id, c.village_code).distinct()):
        branches[endpoint_id].add(intern(village))
    e = t.endpoints.c
    return [
        Endpoint(
            id=row.id, area_code=row.area_code, name=row.name, url=row.url, branches=tuple(sorted(branches[row.id]))
        )
        for row in await tx.execute(select(e.id, e.area_code, e.name, e.url).order_by(e.id))
    ]


async def count_told_residents(tx: Tx) -> int:
    """Those who have not opted out."""
    return int(
        (await tx.execute(select(func.count()).select_from(t.residents).where(t.residents.c.opt_in))).scalar_one()
    )


async def resident_pages(tx: Tx, seal: Seal) -> AsyncIterator[ResidentPage]:
    c = t.residents.c
    names = [c.id, c.village_code, c.lat, c.lon, c.position, c.phone_index, c.groups, c.risk_tags]
    wanted = select(*names).where(c.opt_in)
    last = -1
    while rows := (await tx.execute(wanted.where(c.id > last).order_by(c.id).limit(_PAGE))).all():
        columns = tuple(zip(*rows, strict=True))
        lat, lon = zip(*[homes.opened(seal, *home) for home in zip(*columns[2:5], strict=True)], strict=True)
        yield ResidentPage(
            id=columns[0],
            village_code=columns[1],
            lat=lat,
            lon=lon,
            phone_index=columns[5],
            groups=columns[6],
            risk_tags=columns[7],
        )
        last = columns[0][-1]

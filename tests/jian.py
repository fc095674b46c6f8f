"""Places for tests: Ji'an's real areas, and a valley of square villages small enough to count by hand.

The valley: three rows of four villages, each a square of a hundredth of a degree round its reference point. The rows
are townships: 360827100 in the south, 360827101 above it, 360826100 (the other county) in the north.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np

from dispatcher.geofence import Geofence
from dispatcher.model import (
    BEIJING,
    AdminArea,
    Area,
    Endpoint,
    Gateway,
    Geocode,
    Hazard,
    Kind,
    Level,
    Narrowing,
    Office,
    Officer,
    Point,
    PostHeld,
    Scope,
    Status,
    Subscription,
    WarningMessage,
)
from dispatcher.registry.register import Register, Residents
from dispatcher.registry.sample.places import read_areas

CONFIG = Path(__file__).resolve().parent.parent / "config"
CITY = "360800"
SIDE, SOUTH, WEST = 0.01, 26.30, 114.50
ROWS = ("360827100", "360827101", "360826100")
NAMES = {"360827100": "泉江镇", "360827101": "雩田镇", "360826100": "澄江镇", "360827": "遂川县", "360826": "泰和县"}
VILLAGES = ("桃源", "横坑", "上寨", "江口")


@cache
def jian() -> tuple[AdminArea, ...]:
    """Every unit and village of the city, with its boundary."""
    rows = read_areas(CONFIG / "jian")
    return tuple(
        AdminArea(
            code=row.code,
            name=row.name,
            short_name=row.short_name,
            level=row.level,
            kind=row.kind,
            parent=row.parent,
            point=Point(row.lat, row.lon),
            population=row.population,
            boundary=row.boundary and json.dumps(row.boundary),
            synthetic=row.synthetic,
        )
        for row in rows
    )


@cache
def jian_fence() -> Geofence:
    return Geofence(jian())


def village(row: int, column: int) -> str:
    return f"{ROWS[row]}20{column}"


def point(row: float, column: float) -> Point:
    """(0, 0) is the reference point of the most south-western village; half a step is its edge."""
    return Point(SOUTH + SIDE * row, WEST + SIDE * column)


def box(south: float, west: float, north: float, east: float) -> tuple[Point, ...]:
    """A closed ring, in the same steps."""
    return point(south, west), point(south, east), point(north, east), point(north, west), point(south, west)


def unit(code: str, name: str, level: str, parent: str, kind: str = "") -> AdminArea:
    return AdminArea(
        code=code,
        name=name,
        short_name=name[:-1],
        level=level,
        kind=kind,
        parent=parent,
        point=point(0, 0),
        population=0,
        boundary=None,
        synthetic=True,
    )


def square(row: int, column: int) -> AdminArea:
    ring = [[corner.lon, corner.lat] for corner in box(row - 0.5, column - 0.5, row + 0.5, column + 0.5)]
    return AdminArea(
        code=village(row, column),
        name=f"{VILLAGES[column]}村委会",
        short_name=VILLAGES[column],
        level="village",
        kind="村",
        parent=ROWS[row],
        point=point(row, column),
        population=100,
        boundary=json.dumps({"type": "Polygon", "coordinates": [ring]}),
        synthetic=True,
    )


def valley() -> tuple[AdminArea, ...]:
    return (
        unit(CITY, "吉安市", "city", ""),
        unit("360826", "泰和县", "county", CITY),
        unit("360827", "遂川县", "county", CITY),
        *(unit(code, NAMES[code], "township", code[:6], "镇") for code in ROWS),
        *(square(row, column) for row in range(3) for column in range(4)),
    )


def coded(*codes: str) -> tuple[Area, ...]:
    return (
        Area(description="", geocodes=tuple(Geocode(scheme="CPEAS Geographic Code", value=code) for code in codes)),
    )


def drawn(*rings: tuple[Point, ...]) -> tuple[Area, ...]:
    return (Area(description="", polygons=rings),)


def officer(number: int, home: Point, *, home_code: str = "", roles: int = 1, phone: int = 0) -> Officer:
    return Officer(
        id=f"JA{number:05d}",
        name=f"甲{number}",
        home_code=home_code,
        home=home,
        roles=roles,
        phone_index=phone or 1000 + number,
    )


def gateway(gateway_id: str, area_code: str, parent: str, villages: tuple[str, ...], *, online: bool = True) -> Gateway:
    return Gateway(
        id=gateway_id,
        ebrid="",
        area_code=area_code,
        name=gateway_id,
        level="",
        parent=parent,
        point=point(0, 0),
        url="",
        online=online,
        villages=villages,
    )


def homes(places: list[tuple[Point, int]], **columns: list[int]) -> Residents:
    """Residents by (home, village index), numbered from 1; phones, groups and tags where given."""
    count = len(places)
    return Residents(
        id=np.arange(1, count + 1, dtype=np.int64),
        village=np.array([index for _, index in places], np.int32),
        lat=np.rint(np.array([home.lat for home, _ in places]) * 1e7).astype(np.int32),
        lon=np.rint(np.array([home.lon for home, _ in places]) * 1e7).astype(np.int32),
        phone_index=np.array(columns.get("phones", range(50_000, 50_000 + count)), np.int64),
        groups=np.array(columns.get("groups", [0] * count), np.uint8),
        risk_tags=np.array(columns.get("tags", [0] * count), np.uint8),
    )


def register(
    areas: tuple[AdminArea, ...] | None = None,
    *,
    officers: tuple[Officer, ...] = (),
    posts: tuple[PostHeld, ...] = (),
    offices: tuple[Office, ...] = (),
    subscriptions: tuple[Subscription, ...] = (),
    machines: tuple[Gateway | Endpoint, ...] = (),
    residents: Residents | None = None,
) -> Register:
    places = valley() if areas is None else areas
    return Register(
        version=1,
        city=CITY if places else "",
        synthetic=True,
        geofence=jian_fence() if places is jian() else Geofence(places),
        areas={area.code: area for area in places},
        officers={one.id: one for one in officers},
        posts=posts,
        offices={one.id: one for one in offices},
        subscriptions=subscriptions,
        gateways={one.id: one for one in machines if isinstance(one, Gateway)},
        endpoints={one.id: one for one in machines if isinstance(one, Endpoint)},
        residents=residents or homes([]),
    )


def warning(areas: tuple[Area, ...], **said: object) -> WarningMessage:
    """A red rainstorm warning, unless `said` otherwise."""
    now = datetime(2026, 6, 13, 2, 39, tzinfo=BEIJING)
    level, scope, narrowing = said.get("level", Level.RED), said.get("scope", Scope.PUBLIC), said.get("narrowing")
    assert isinstance(level, Level)
    assert isinstance(scope, Scope)
    return WarningMessage(
        source_format="test",
        sender="吉安市气象台",
        identifier="36080041600000_20260613023900",
        sent=now,
        status=Status.ACTUAL,
        kind=Kind.ALERT,
        scope=scope,
        level=level,
        hazard=Hazard(scheme="12379", code="11B03", name="暴雨"),
        areas=areas,
        narrowing=narrowing if isinstance(narrowing, Narrowing) else Narrowing(),
    )

"""P7: who stands in an area, and who is told: asked of the register in memory, as a warning and the map do.

Every question is a new one: a shape that was asked about before is never the one that is timed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from dispatcher.audience import gather
from dispatcher.model import Area, Point, WarningMessage
from dispatcher.registry.register import Register
from dispatcher.rehearsal.bench import paired

T = TypeVar("T")
CORNERS: Final = (50, 2_000)
LARGE: Final = 0.75
"""Of the way from the middle of the city to its edge: most people stand in it."""
DEGREES: Final = 10_000_000
COUNTY: Final = "360802000000"
Floats = NDArray[np.float64]


def measure(register: Register, message: WarningMessage, rounds: int) -> dict[str, Any]:
    """Milliseconds of each question over so many rounds."""
    residents, officers = register.residents, list(register.officers.values())
    points = {
        "officers": (
            np.array([one.home.lat for one in officers], np.float64),
            np.array([one.home.lon for one in officers], np.float64),
        ),
        "residents": (residents.lat / DEGREES, residents.lon / DEGREES),
    }
    found: dict[str, Any] = {"officers": len(officers), "residents": len(residents.id), "inside": {}}
    for corners in CORNERS:
        for who, (lat, lon) in points.items():
            if len(lat):
                shapes = [areas(register, corners, turn) for turn in range(rounds)]
                found["inside"][f"{who}_{corners}"] = _timed(shapes, partial(_inside, register, lat, lon))
        warnings = [replace(message, areas=areas(register, corners, turn)) for turn in range(rounds)]
        found[f"whole_list_{corners}"] = _timed(warnings, partial(_told, register))
    found["code_prefix"] = _timed([COUNTY] * rounds, lambda code: len(register.geofence.under(code)))
    return found


def _timed(questions: Sequence[T], ask: Callable[[T], int]) -> dict[str, Any]:
    took, hits = [], 0
    for question in questions:
        began = time.perf_counter()
        hits = ask(question)
        took.append((time.perf_counter() - began) * 1000)
    return {"ms": paired.spread(took), "hits": hits}


def _inside(register: Register, lat: Floats, lon: Floats, where: tuple[Area, ...]) -> int:
    return int(register.geofence.inside(where, lat, lon).sum())


def _told(register: Register, message: WarningMessage) -> int:
    """From the shape to the finished list, as `accept` does it."""
    resolved = register.geofence.resolve(message.areas, text="", prefixes=(register.city,))
    audience = gather(register, resolved, message)
    return len(audience.members) + len(audience.residents.id)


def areas(register: Register, corners: int, turn: int) -> tuple[Area, ...]:
    """A wavy ring over most of the city, another one every turn."""
    return (Area(description="", polygons=(ring(register, corners, turn),)),)


def ring(register: Register, corners: int, turn: int) -> tuple[Point, ...]:
    lat, lon = register.geofence.lat, register.geofence.lon
    middle, radius = (float(lat.mean()), float(lon.mean())), LARGE / 2 * float(min(np.ptp(lat), np.ptp(lon)))
    return wavy(middle, radius, corners, turn)


def wavy(middle: tuple[float, float], radius: float, corners: int, turn: int) -> tuple[Point, ...]:
    angles = [2 * math.pi * (number + turn / 100) / corners for number in range(corners)]
    reach = [radius * (1 + 0.05 * math.sin(9 * angle)) for angle in angles]
    return tuple(
        Point(lat=middle[0] + far * math.sin(angle), lon=middle[1] + far * math.cos(angle))
        for angle, far in zip(angles, reach, strict=True)
    )

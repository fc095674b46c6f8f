"""The map: township and county outlines as SVG paths, drawn once a version of the register.

It is a sketch (示意图): boundaries are simplified together, so that neighbours keep one border. Units without a boundary
are left out and counted. Coordinates are integers in a plane of `WIDTH` units.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from dispatcher.model import AdminArea, Area, Point
from dispatcher.registry.register import Register

WIDTH: Final = 4000
TOLERANCE: Final = 0.0008
"""Degrees; some 80 m."""
_ROUND: Final = 64
_KM_PER_DEGREE: Final = 111.19


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One unit. `x`, `y`: where its name stands; `box`: west, north, east, south on the plane."""

    code: str
    name: str
    parent: str
    path: str
    x: int
    y: int
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What part of the plane is shown."""

    x: int
    y: int
    width: int
    height: int

    @property
    def box(self) -> str:
        return f"{self.x} {self.y} {self.width} {self.height}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """One version of the register, drawn. `drawn` tells whether there is anything to show."""

    version: int
    west: float
    north: float
    squeeze: float
    scale: float
    counties: tuple[Shape, ...]
    townships: tuple[Shape, ...]

    @property
    def drawn(self) -> bool:
        return bool(self.counties or self.townships)

    def window(self, codes: Iterable[str]) -> Window:
        """Round these counties, a little wider; round everything where none of them is drawn."""
        wanted = set(codes)
        boxes = [one.box for one in self.counties if one.code in wanted]
        boxes = boxes or [one.box for one in (*self.counties, *self.townships)]
        if not boxes:
            return Window(x=0, y=0, width=WIDTH, height=WIDTH)
        west, north, east, south = (pick(each) for pick, each in zip((min, min, max, max), zip(*boxes, strict=True),
                                                                     strict=True))  # fmt: skip
        pad = max(24, (east - west) // 40)
        return Window(x=west - pad, y=north - pad, width=east - west + 2 * pad, height=south - north + 2 * pad)

    def outline(self, areas: Sequence[Area]) -> str:
        """The polygons and circles of a message, as its issuer drew them."""
        rings = [ring for area in areas for ring in area.polygons]
        rings += [_circle(circle.center, circle.radius_km) for area in areas for circle in area.circles]
        return "".join(map(_ring, map(self._plane, rings)))

    def _plane(self, ring: Sequence[Point]) -> list[tuple[int, int]]:
        return [
            (round((p.lon - self.west) * self.squeeze * self.scale), round((self.north - p.lat) * self.scale))
            for p in ring
            if math.isfinite(p.lon) and math.isfinite(p.lat)
        ]


class Atlas:
    """Holds the sketch of the newest register."""

    def __init__(self) -> None:
        self._sketch: Sketch | None = None
        self._drawing = asyncio.Lock()

    async def of(self, register: Register) -> Sketch:
        async with self._drawing:
            if self._sketch is None or self._sketch.version != register.version:
                self._sketch = await asyncio.to_thread(draw, register)
            return self._sketch


def draw(register: Register) -> Sketch:
    """Simplifies and projects; some tenths of a second."""
    counties = bounded(register.areas.values(), "county")
    townships = bounded(register.areas.values(), "township")
    shapes = [shape for _, shape in (*counties, *townships)]
    if not shapes:
        return Sketch(version=register.version, west=0, north=0, squeeze=1, scale=1, counties=(), townships=())
    west, south, east, north = shapely.total_bounds(np.array(shapes, object)).tolist()
    squeeze = math.cos(math.radians((south + north) / 2))
    frame = Sketch(
        version=register.version,
        west=west,
        north=north,
        squeeze=squeeze,
        scale=WIDTH / max((east - west) * squeeze, 1e-6),
        counties=(),
        townships=(),
    )
    return Sketch(
        version=frame.version,
        west=west,
        north=north,
        squeeze=squeeze,
        scale=frame.scale,
        counties=tuple(_drawn(frame, counties)),
        townships=tuple(_drawn(frame, townships)),
    )


def bounded(areas: Iterable[AdminArea], level: str) -> list[tuple[AdminArea, BaseGeometry]]:
    """The units of a level that have a boundary, simplified as one coverage."""
    found = sorted(
        (
            (area, shapely.from_geojson(area.boundary))
            for area in areas
            if area.level == level and area.boundary is not None
        ),
        key=lambda bounded: bounded[0].code,
    )
    slim = list(shapely.coverage_simplify([whole for _, whole in found], TOLERANCE)) if found else []
    return [(area, whole if thin.is_empty else thin) for (area, whole), thin in zip(found, slim, strict=True)]


def _drawn(frame: Sketch, units: Sequence[tuple[AdminArea, BaseGeometry]]) -> Iterable[Shape]:
    for area, geometry in units:
        flat = shapely.transform(
            geometry,
            lambda degrees: np.column_stack(
                [
                    (degrees[:, 0] - frame.west) * frame.squeeze * frame.scale,
                    (frame.north - degrees[:, 1]) * frame.scale,
                ]
            ),
        )
        rings = [
            [(round(x), round(y)) for x, y in shapely.get_coordinates(ring).tolist()]
            for ring in shapely.get_rings(shapely.get_parts(flat))
        ]
        label = shapely.point_on_surface(flat) if area.level == "township" else flat.centroid
        west, north, east, south = (round(edge) for edge in flat.bounds)
        yield Shape(
            code=area.code,
            name=area.name,
            parent=area.parent,
            path="".join(map(_ring, rings)),
            x=round(label.x),
            y=round(label.y),
            box=(west, north, east, south),
        )


def _ring(points: Sequence[tuple[int, int]]) -> str:
    """Relative moves: half the bytes. A ring that shrank to less than a triangle is not drawn."""
    if not points:
        return ""
    slim = [points[0], *(point for before, point in pairwise(points) if point != before)]
    if len(slim) > 1 and slim[0] == slim[-1]:
        slim.pop()
    if len(slim) < 3:
        return ""
    (x, y), steps = slim[0], []
    for to_x, to_y in slim[1:]:
        steps.append(f"{to_x - x},{to_y - y}")
        x, y = to_x, to_y
    return f"M{slim[0][0]},{slim[0][1]}l{' '.join(steps)}z"


def _circle(center: Point, radius_km: float) -> tuple[Point, ...]:
    high = radius_km / _KM_PER_DEGREE
    wide = high / max(0.05, math.cos(math.radians(center.lat)))
    turns = [2 * math.pi * step / _ROUND for step in range(_ROUND)]
    return tuple(Point(center.lat + high * math.sin(turn), center.lon + wide * math.cos(turn)) for turn in turns)

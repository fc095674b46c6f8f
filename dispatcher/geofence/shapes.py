"""Polygons and circles: which points lie in them, which cells they meet, how far away a point is.

It must survive any finite input: a shape that encloses nothing, or lies off the globe, is unusable (counted, never
widened); a ring that crosses itself is mended, so that the duty officer sees something. A point on the edge is inside.
A million points take milliseconds: over a raster of the shape, only points in cells that an edge may cross are tested.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from dispatcher.model import Area, Circle, Point

EARTH_KM: Final = 6371.0088
KM_PER_DEGREE: Final = EARTH_KM * math.pi / 180
LARGEST_RADIUS_KM: Final = 1000.0
"""A circle beyond this is no place a city can be warned of, but a slip in the units."""

UNITE_ABOVE: Final = 16
"""More shapes than that are looked into as one."""

_A_MICROMETRE_KM: Final = 1e-9
_A_SQUARE_METRE_DEGREES: Final = 1e-10
_GLOBE: Final = np.array([180.0, 90.0])
_CIRCLE_CORNERS: Final = 128
_RASTER: Final = 128
_RASTER_ABOVE: Final = 20_000
_RASTER_EDGE_SAMPLES: Final = 1_000_000
_RASTER_SMALLEST_DEGREES: Final = 1e-6

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One usable polygon or circle. `outline` is in (lon, lat); round a circle it is the polygon about it.

    `corners` are those of all its rings; an edge leads from each of `edges` to the corner behind it. A circle has none."""

    outline: BaseGeometry
    west: float
    south: float
    east: float
    north: float
    corners: Floats
    edges: Indices
    circle: Circle | None = None


def shapes_of(areas: Sequence[Area]) -> tuple[list[Shape], int]:
    """The usable shapes, and how many were not usable."""
    made = [_polygon(ring) for area in areas for ring in area.polygons]
    made += [_circle(circle) for area in areas for circle in area.circles]
    usable = [shape for shape in made if shape is not None]
    return usable, len(made) - len(usable)


def within(shapes: Sequence[Shape], lat: Floats, lon: Floats) -> Mask:
    """Which points lie in any of the shapes, edges included."""
    inside = np.zeros(len(lat), bool)
    for shape in _united(shapes):
        near = np.flatnonzero((lat >= shape.south) & (lat <= shape.north) & (lon >= shape.west) & (lon <= shape.east))
        if len(near):
            inside[near] |= _holds(shape, lat[near], lon[near])
    return inside


def distance_km(outlines: Sequence[BaseGeometry], shapes: Sequence[Shape], lat: Floats, lon: Floats) -> Floats:
    """From each point to the nearest of the outlines and shapes, 0 inside; on a plane laid through their middle."""
    least = np.full(len(lat), np.inf)
    flat = [*outlines, *(shape.outline for shape in shapes if shape.circle is None)]
    if flat and len(lat):
        _, south, _, north = shapely.total_bounds(np.array(flat, object))
        scale = np.array([KM_PER_DEGREE * math.cos(math.radians((south + north) / 2)), KM_PER_DEGREE])
        tree = shapely.STRtree(shapely.transform(np.array(flat, object), lambda degrees: degrees * scale))
        points = shapely.points(lon * scale[0], lat * scale[1])
        (which, _), far = tree.query_nearest(points, return_distance=True, all_matches=False)
        least[which] = far
    for shape in shapes:
        if shape.circle is not None:
            beyond = _haversine_km(shape.circle.center, lat, lon) - shape.circle.radius_km
            least = np.minimum(least, np.maximum(beyond, 0))
    return least


def _polygon(ring: Sequence[Point]) -> Shape | None:
    corners = np.array([(point.lon, point.lat) for point in ring], np.float64)
    if len(corners) < 3 or not (np.abs(corners) <= _GLOBE).all():  # nor is what is no number
        return None
    try:
        outline = _ringed(corners)
        if not shapely.is_valid(outline):
            outline = _mended(outline)
    except shapely.errors.GEOSException:
        return None
    if outline.is_empty or not outline.area > _A_SQUARE_METRE_DEGREES:
        return None
    return _prepared(outline)


def _ringed(corners: Floats) -> BaseGeometry:
    made = shapely.polygons(corners)  # as `Polygon()`, in half the time
    assert isinstance(made, BaseGeometry)
    return made


def _mended(outline: BaseGeometry) -> BaseGeometry:
    """The surfaces of a ring that crosses itself, without the stray lines and points."""
    parts = shapely.get_parts(shapely.make_valid(outline))
    parts = shapely.get_parts(parts)
    return shapely.union_all(parts[shapely.get_dimensions(parts) == 2])


def _prepared(outline: BaseGeometry) -> Shape:
    shapely.prepare(outline)
    west, south, east, north = shapely.bounds(outline).tolist()
    corners, edges = _edges(outline)
    return Shape(outline=outline, west=west, south=south, east=east, north=north, corners=corners, edges=edges)


def _edges(outline: BaseGeometry) -> tuple[Floats, Indices]:
    """The corners of all rings, and those from which an edge leads to the next."""
    if outline.geom_type == "Polygon" and not shapely.get_num_interior_rings(outline):  # as good as always
        corners = shapely.get_coordinates(outline)
        return corners, np.arange(len(corners) - 1)
    corners, ring = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(outline)), return_index=True)
    return corners, np.flatnonzero(ring[1:] == ring[:-1])


def _circle(circle: Circle) -> Shape | None:
    lat, lon, radius = circle.center.lat, circle.center.lon, circle.radius_km
    if not (abs(lat) <= 90 and abs(lon) <= 180 and 0 <= radius <= LARGEST_RADIUS_KM):
        return None
    outline = _about(circle)
    shapely.prepare(outline)
    reach = radius / EARTH_KM + 1e-12
    high, wide = math.degrees(reach), 180.0
    if abs(lat) + high < 89:
        wide = math.degrees(math.asin(math.sin(reach) / math.cos(math.radians(lat))))
    west, east = (lon - wide, lon + wide) if lon - wide >= -180 and lon + wide <= 180 else (-180.0, 180.0)
    return Shape(
        outline=outline,
        west=west,
        south=lat - high,
        east=east,
        north=lat + high,
        corners=np.empty((0, 2)),
        edges=np.empty(0, np.intp),
        circle=circle,
    )


def _about(circle: Circle) -> BaseGeometry:
    """A polygon just outside the circle, so that no cell the circle meets is missed."""
    if circle.radius_km < _A_MICROMETRE_KM:
        return shapely.Point(circle.center.lon, circle.center.lat)
    lat, lon = math.radians(circle.center.lat), math.radians(circle.center.lon)
    reach = circle.radius_km / EARTH_KM / math.cos(math.pi / _CIRCLE_CORNERS)
    bearing = np.linspace(0, 2 * math.pi, _CIRCLE_CORNERS, endpoint=False)
    sine = np.clip(math.sin(lat) * math.cos(reach) + math.cos(lat) * math.sin(reach) * np.cos(bearing), -1, 1)
    east = np.arctan2(np.sin(bearing) * math.sin(reach) * math.cos(lat), math.cos(reach) - math.sin(lat) * sine)
    return shapely.Polygon(np.degrees(np.column_stack([lon + east, np.arcsin(sine)])))


def _united(shapes: Sequence[Shape]) -> Sequence[Shape]:
    """A message of thousands of little polygons would otherwise walk over the residents thousands of times."""
    flat = [shape.outline for shape in shapes if shape.circle is None]
    if len(flat) <= UNITE_ABOVE:
        return shapes
    return [_prepared(shapely.union_all(flat)), *(shape for shape in shapes if shape.circle is not None)]


def _holds(shape: Shape, lat: Floats, lon: Floats) -> Mask:
    if shape.circle is not None:
        return _haversine_km(shape.circle.center, lat, lon) <= shape.circle.radius_km + _A_MICROMETRE_KM
    raster = _raster(shape) if len(lat) > _RASTER_ABOVE else None
    if raster is None:
        return touches(shape.outline, lat, lon)
    column = ((lon - shape.west) * (_RASTER / (shape.east - shape.west))).astype(np.int32)
    row = ((lat - shape.south) * (_RASTER / (shape.north - shape.south))).astype(np.int32)
    cell = np.minimum(row, _RASTER - 1) * _RASTER + np.minimum(column, _RASTER - 1)
    certain, in_doubt = raster
    inside: Mask = certain[cell]
    doubt = np.flatnonzero(in_doubt[cell])
    inside[doubt] = touches(shape.outline, lat[doubt], lon[doubt])
    return inside


def touches(outline: BaseGeometry, lat: Floats, lon: Floats) -> Mask:
    """Which of the points lie in it or on its edge: a few, or what `within` leaves in doubt."""
    return np.asarray(shapely.intersects_xy(outline, lon, lat), bool)


def _raster(shape: Shape) -> tuple[Mask, Mask] | None:
    """Per cell: wholly inside; an edge may cross it. None where marking the edges costs more than it saves."""
    if min(shape.east - shape.west, shape.north - shape.south) < _RASTER_SMALLEST_DEGREES:
        return None
    scale = np.array([_RASTER / (shape.east - shape.west), _RASTER / (shape.north - shape.south)])
    corners = (shape.corners - (shape.west, shape.south)) * scale
    start, step = corners[shape.edges], corners[shape.edges + 1] - corners[shape.edges]
    samples = np.ceil(np.abs(step).max(axis=1) * 2).astype(np.int64) + 1
    if samples.sum() > _RASTER_EDGE_SAMPLES:
        return None
    segment = np.repeat(np.arange(len(samples)), samples)
    part = (np.arange(len(segment)) - np.repeat(np.cumsum(samples) - samples, samples)) / samples[segment]
    on_edge = np.clip((start[segment] + step[segment] * part[:, None]).astype(np.int64), 0, _RASTER - 1)
    marked = np.zeros((_RASTER + 2, _RASTER + 2), bool)
    marked[on_edge[:, 1] + 1, on_edge[:, 0] + 1] = True
    # A sample every half cell and its eight neighbours cover every cell the edge passes through.
    marked[1:-1] |= marked[:-2] | marked[2:]
    crossed = marked[1:-1, 1:-1] | marked[1:-1, :-2] | marked[1:-1, 2:]
    # Cells side by side that no edge crosses lie on one side of the outline: the first of them is asked.
    first = ~crossed
    first[:, 1:] &= crossed[:, :-1]
    row, column = np.nonzero(first)
    asked = touches(shape.outline, shape.south + (row + 0.5) / scale[1], shape.west + (column + 0.5) / scale[0])
    in_doubt = crossed.ravel()
    certain = np.zeros(_RASTER * _RASTER, bool)
    certain[~in_doubt] = asked[np.cumsum(first.ravel())[~in_doubt] - 1]
    return certain, in_doubt


def _haversine_km(center: Point, lat: Floats, lon: Floats) -> Floats:
    there, here = np.radians(lat), math.radians(center.lat)
    half = np.sin((there - here) / 2) ** 2
    half += math.cos(here) * np.cos(there) * np.sin(np.radians(lon - center.lon) / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1))), np.float64)

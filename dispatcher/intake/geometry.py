"""Polygons and circles: the syntax of CAP, the ranges of the globe, and rings that cross themselves.

It must fail closed: what is not plainly a number in ASCII is refused, and a ring is never repaired, since a repaired
ring may cover other villages than its author drew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import shapely

from dispatcher.model import Circle, Point

MOST_POLYGONS = 100
MOST_POINTS = 10_000
METRES = 1000.0
LONGEST_RADIUS_KM = 20_038.0  # half round the globe
_NUMBER = re.compile(r"[+-]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})", re.ASCII)


class BadGeometry(ValueError):
    """Says in Chinese what is wrong with a ring or a circle."""


def ring(text: str) -> tuple[Point, ...]:
    """`lat,lon lat,lon …`, split at any white space, which pretty-printers put in."""
    found = points(text)
    check_ring(found)
    return found


def points(text: str) -> tuple[Point, ...]:
    """The same, of a line that need not be closed."""
    return tuple(_pair(pair) for pair in text.split())


def circle(text: str, *, metres: bool = False) -> Circle:
    """`lat,lon radius` with the radius in kilometres, or in metres."""
    parts = text.split()
    if len(parts) != 2:
        unit = "米" if metres else "公里"
        raise BadGeometry(f"圆应写成“纬度,经度 半径({unit})”，收到“{text.strip()[:60]}”")
    radius = _number(parts[1])
    found = Circle(_pair(parts[0]), radius / METRES if metres else radius)
    check_circle(found)
    return found


def check_ring(points: Sequence[Point]) -> None:
    for point in points:
        check_point(point)
    if len(points) < 4:
        raise BadGeometry(f"多边形至少要 4 个点（含重复的首点），收到 {len(points)} 个")
    if points[0] != points[-1]:
        raise BadGeometry("多边形没有闭合：最后一个点必须与第一个点相同")


def check_circle(found: Circle) -> None:
    check_point(found.center)
    if not 0 <= found.radius_km <= LONGEST_RADIUS_KM:
        raise BadGeometry(f"圆的半径 {found.radius_km:g} 公里不在 0 到 {LONGEST_RADIUS_KM:g} 之间")


def check_point(point: Point) -> None:
    if not -90 <= point.lat <= 90:  # NaN fails every comparison, so it ends here too
        raise BadGeometry(f"纬度 {point.lat:g} 不在 -90 到 90 之间，是否把经纬度写反了？")
    if not -180 <= point.lon <= 180:
        raise BadGeometry(f"经度 {point.lon:g} 不在 -180 到 180 之间")


def crosses_itself(points: Sequence[Point]) -> bool:
    """Self-crossing or self-touching. A ring on one line is a matter of rounding: the geofence finds nothing in it."""
    return not shapely.Polygon([(point.lon, point.lat) for point in points]).is_valid


def too_many(polygons: int, points: int) -> str | None:
    if polygons > MOST_POLYGONS or points > MOST_POINTS:
        return f"图形过多：{polygons} 个多边形、{points} 个点，最多 {MOST_POLYGONS} 个、{MOST_POINTS} 点，请简化后重发"
    return None


def _pair(text: str) -> Point:
    lat, comma, lon = text.partition(",")
    if not comma:
        raise BadGeometry(f"坐标“{text[:40]}”应写成“纬度,经度”（半角逗号）")
    return Point(_number(lat), _number(lon))


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise BadGeometry(f"“{text[:40]}”不是数字")
    return float(text)

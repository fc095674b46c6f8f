"""A downwind sector → polygon and circle, at the edge: behind it every area is made of polygons, circles and codes.

It must not leave people out: each corner of the arc stands so far out (a thousandth of the radius at most) that the line
between two of them touches the arc, and the straight sides differ from great circles by less than two thousandths. The
ring never crosses itself, since a sector keeps away from the poles and the date line, where longitudes are no plane.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dispatcher.geofence.shapes import EARTH_KM
from dispatcher.intake.geometry import BadGeometry
from dispatcher.model import Circle, Point

LEAST_RADIUS_KM, LONGEST_RADIUS_KM = 0.1, 50.0
LEAST_WIDTH, WHOLE = 10.0, 360.0
NEARLY_WHOLE = 359.0
"""Beyond this the notch that is left at the edge is narrower than anybody can say where the wind blows: a circle."""
MOST_LAT, MOST_LON = 60.0, 177.0
STEP = 5.0
MOST_POINTS = 3 + math.ceil(WHOLE / STEP)
_DIGITS = 6  # a tenth of a metre; the same text on every machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Sector:
    """`bearing` is towards which it drifts, in degrees from north, clockwise; `width` is the whole angle."""

    source: Point
    radius_km: float
    bearing: float
    width: float
    inner_km: float | None = None


def check(sector: Sector) -> None:
    """BadGeometry with a Chinese sentence where it is no sector we can draw."""
    limits = (
        ("lat", sector.source.lat, -MOST_LAT, MOST_LAT),
        ("lon", sector.source.lon, -MOST_LON, MOST_LON),
        ("radius_km", sector.radius_km, LEAST_RADIUS_KM, LONGEST_RADIUS_KM),
        ("bearing_deg", sector.bearing, 0.0, WHOLE),
        ("width_deg", sector.width, LEAST_WIDTH, WHOLE),
    )
    for name, value, least, most in limits:
        if not least <= value <= most:  # NaN fails every comparison, so it ends here too
            raise BadGeometry(f"扇形的 {name} 是 {value:g}，应在 {least:g} 到 {most:g} 之间")
    if sector.inner_km is not None and not 0 < sector.inner_km <= sector.radius_km:
        raise BadGeometry(f"扇形的 inner_km 是 {sector.inner_km:g}，应大于 0、不超过 radius_km（{sector.radius_km:g}）")


def drawn(sector: Sector) -> tuple[tuple[tuple[Point, ...], ...], tuple[Circle, ...]]:
    """The polygons and circles whose union it is: a ring from the source round the arc, and the circle round the source."""
    check(sector)
    if sector.width > NEARLY_WHOLE:
        return (), (Circle(sector.source, sector.radius_km),)
    inner = () if sector.inner_km is None else (Circle(sector.source, sector.inner_km),)
    return (_ring(sector),), inner


def _ring(sector: Sector) -> tuple[Point, ...]:
    steps = math.ceil(sector.width / STEP)
    step = sector.width / steps
    reach_km = sector.radius_km / math.cos(math.radians(step / 2))
    first = sector.bearing - sector.width / 2
    arc = (_away(sector.source, first + step * turn, reach_km) for turn in range(steps + 1))
    return (sector.source, *arc, sector.source)


def _away(start: Point, bearing: float, km: float) -> Point:
    """Where a great circle leads."""
    lat, turn, far = math.radians(start.lat), math.radians(bearing), km / EARTH_KM
    sine = math.sin(lat) * math.cos(far) + math.cos(lat) * math.sin(far) * math.cos(turn)
    east = math.atan2(math.sin(turn) * math.sin(far) * math.cos(lat), math.cos(far) - math.sin(lat) * sine)
    return Point(round(math.degrees(math.asin(sine)), _DIGITS), round(start.lon + math.degrees(east), _DIGITS))

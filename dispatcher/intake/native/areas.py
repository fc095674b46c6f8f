"""Where a native warning holds: polygons, circles, downwind sectors and codes → Area. A sector is a polygon from here on.

A shape that cannot be is refused by its path and left out; one that crosses itself is held and kept as it was drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatcher.intake import geometry, sector, text
from dispatcher.intake.findings import Unreadable, hold, refuse
from dispatcher.intake.native.form import AREA_CODE, AreaIn, CircleIn, Pair, SectorIn
from dispatcher.intake.sector import Sector
from dispatcher.model import Area, Circle, Code, Finding, Geocode, Point

_Shapes = tuple[tuple[tuple[Point, ...], ...], tuple[Circle, ...]]
_NOTHING: _Shapes = ((), ())


def areas_of(said: Sequence[AreaIn], findings: list[Finding]) -> tuple[Area, ...]:
    """Appends what speaks against a shape; Unreadable where there are too many to look at."""
    rings = [ring for area in said for ring in area.polygons]
    sectors = sum(len(area.sectors) for area in said)
    if sentence := geometry.too_many(len(rings) + sectors, sum(map(len, rings)) + sectors * sector.MOST_POINTS):
        raise Unreadable(refuse(Code.SIZE, sentence))
    return tuple(_area(area, f"areas.{number}", findings) for number, area in enumerate(said))


def _area(area: AreaIn, where: str, findings: list[Finding]) -> Area:
    made = [_ring(one, f"{where}.polygons.{number}", findings) for number, one in enumerate(area.polygons)]
    made += [_circle(one, f"{where}.circles.{number}", findings) for number, one in enumerate(area.circles)]
    made += [_sector(one, f"{where}.sectors.{number}", findings) for number, one in enumerate(area.sectors)]
    return Area(
        description=text.plain(area.description),
        polygons=tuple(ring for rings, _ in made for ring in rings),
        circles=tuple(circle for _, circles in made for circle in circles),
        geocodes=tuple(Geocode(scheme=AREA_CODE, value=code) for code in area.geocodes),
    )


def _ring(pairs: Sequence[Pair], where: str, findings: list[Finding]) -> _Shapes:
    ring = tuple(Point(lat, lon) for lat, lon in pairs)
    try:
        geometry.check_ring(ring)
    except geometry.BadGeometry as error:
        findings.append(refuse(Code.GEOMETRY, f"{where}：{error}"))
        return _NOTHING
    if geometry.crosses_itself(ring):
        findings.append(hold(Code.GEOMETRY, f"{where}：边线自相交或没有面积，请在地图上核对"))
    return (ring,), ()


def _circle(said: CircleIn, where: str, findings: list[Finding]) -> _Shapes:
    circle = Circle(Point(said.lat, said.lon), said.radius_km)
    try:
        geometry.check_circle(circle)
    except geometry.BadGeometry as error:
        findings.append(refuse(Code.GEOMETRY, f"{where}：{error}"))
        return _NOTHING
    return (), (circle,)


def _sector(said: SectorIn, where: str, findings: list[Finding]) -> _Shapes:
    try:
        return sector.drawn(
            Sector(
                source=Point(said.lat, said.lon),
                radius_km=said.radius_km,
                bearing=said.bearing_deg,
                width=said.width_deg,
                inner_km=said.inner_km,
            )
        )
    except geometry.BadGeometry as error:
        findings.append(refuse(Code.GEOMETRY, f"{where}：{error}"))
        return _NOTHING

"""What was drawn on the map → areas of native JSON, and back.

The map sends codes of whole units, polygons, circles, and corridors (a line with a width: a river, a road), which become
polygons here. Pairs are latitude first. What cannot be read is no area, never a wider one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import shapely
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from shapely.geometry import LineString

from dispatcher.geofence import Geofence, below, stem
from dispatcher.intake.native import AREA_CODE
from dispatcher.intake.text import LONGEST
from dispatcher.model import AdminArea, Area
from dispatcher.web.problems import Problem

DRAWN: Final = "地图上画定的区域"
_KM_PER_DEGREE: Final = 111.19
_CORNERS: Final = 8
"""Of a quarter of a corridor's round end."""
MOST_NAMES: Final = 400
_CODE: Final = re.compile(r"\d{6}|\d{9}|\d{12}")

Lat = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Lon = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Pair = tuple[Lat, Lon]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Disc(_Strict):
    lat: Lat
    lon: Lon
    radius_km: Annotated[float, Field(gt=0, le=300)]


class Corridor(_Strict):
    """A line and what lies within half the width of it."""

    line: Annotated[tuple[Pair, ...], Field(min_length=2, max_length=500)]
    width_km: Annotated[float, Field(gt=0, le=50)]


class Drawing(_Strict):
    """As the map's hidden field holds it."""

    codes: Annotated[
        tuple[Annotated[str, Field(pattern=r"^(?:\d{6}|\d{9}|\d{12})$")], ...], Field(max_length=3000)
    ] = ()
    polygons: tuple[tuple[Pair, ...], ...] = ()
    circles: tuple[Disc, ...] = ()
    corridors: tuple[Corridor, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.codes or self.polygons or self.circles or self.corridors)


def read(text: str) -> Drawing:
    """Problem where it is none of ours."""
    try:
        return Drawing.model_validate_json(text) if text.strip() else Drawing()
    except ValidationError as error:
        raise Problem(422, "bad_drawing", "地图上的图形读不出来：请清空后重画，或改用地名") from error


def with_names(
    drawing: Drawing, names: str, fence: Geofence, prefixes: tuple[str, ...]
) -> tuple[Drawing, tuple[str, ...]]:
    """The drawing with the units a pasted list names, and the lines that name none."""
    lines = tuple(line.strip() for line in names.replace("、", "\n").replace("，", "\n").splitlines() if line.strip())
    if len(lines) > MOST_NAMES:
        raise Problem(422, "too_many_names", f"一次最多粘贴 {MOST_NAMES} 个地名")
    if not lines:
        return drawing, ()
    meant = {line: _meant(line, fence, prefixes) for line in lines}
    codes = dict.fromkeys([*drawing.codes, *(code for found in meant.values() for code in found)])
    return drawing.model_copy(update={"codes": tuple(codes)}), tuple(line for line in meant if not meant[line])


def _meant(line: str, fence: Geofence, prefixes: tuple[str, ...]) -> tuple[str, ...]:
    """Each line by itself, so that none is passed over because another was understood."""
    if _CODE.fullmatch(line):
        return (line,) if fence.known(line) and below(line, map(stem, prefixes)) else ()
    return fence.named([line], prefixes=prefixes).codes


def areas_of(drawing: Drawing, known: Mapping[str, AdminArea]) -> list[dict[str, Any]]:
    """As native JSON takes them: one for the units, by their names, one for what was drawn by hand."""
    areas: list[dict[str, Any]] = []
    if drawing.codes:
        areas.append({"description": _named(drawing.codes, known), "geocodes": list(drawing.codes)})
    polygons = [_closed(ring) for ring in drawing.polygons]
    polygons += [ring for corridor in drawing.corridors for ring in _corridor(corridor)]
    if polygons or drawing.circles:
        circles = [one.model_dump() for one in drawing.circles]
        areas.append({"description": DRAWN, "polygons": polygons, "circles": circles})
    return areas


def drawing_of(areas: Sequence[Area]) -> Drawing:
    """What a draft holds, for the map to show again."""
    return Drawing.model_construct(
        codes=tuple(code.value for area in areas for code in area.geocodes if code.scheme == AREA_CODE),
        polygons=tuple(tuple((p.lat, p.lon) for p in ring) for area in areas for ring in area.polygons),
        circles=tuple(
            Disc.model_construct(lat=one.center.lat, lon=one.center.lon, radius_km=one.radius_km)
            for area in areas
            for one in area.circles
        ),
        corridors=(),
    )


def text_of(drawing: Drawing) -> str:
    return json.dumps(drawing.model_dump(), ensure_ascii=False, separators=(",", ":"))


def _named(codes: Sequence[str], known: Mapping[str, AdminArea]) -> str:
    """遂川县碧洲镇、泉江镇: as many as there is room for, and how many more."""
    names = [known[code].name for code in codes if code in known] or list(codes)
    room, said = LONGEST["area"] - 12, ""
    for number, name in enumerate(names):
        longer = f"{said}、{name}" if said else name
        if len(longer) > room:
            return f"{said}等 {len(names)} 处（列出 {number} 处）"
        said = longer
    return said


def _closed(ring: Sequence[Pair]) -> list[list[float]]:
    points = [[round(lat, 6), round(lon, 6)] for lat, lon in ring]
    return points if not points or points[0] == points[-1] else [*points, points[0]]


def _corridor(corridor: Corridor) -> list[list[list[float]]]:
    """Its outline on a plane round its own middle; a corridor is never so long that the plane tells lies."""
    lat = sum(lat for lat, _ in corridor.line) / len(corridor.line)
    squeeze = max(0.05, math.cos(math.radians(lat)))
    flat = LineString([(lon * squeeze * _KM_PER_DEGREE, lat * _KM_PER_DEGREE) for lat, lon in corridor.line])
    outline = shapely.buffer(flat, corridor.width_km / 2, quad_segs=_CORNERS)
    rings = [shapely.get_exterior_ring(part) for part in shapely.get_parts(outline)]
    return [
        _closed([(y / _KM_PER_DEGREE, x / squeeze / _KM_PER_DEGREE) for x, y in shapely.get_coordinates(ring).tolist()])
        for ring in rings
    ]

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

from dispatcher.geofence import below, stem
from dispatcher.intake.text import LONGEST
from dispatcher.model import AdminArea, Area, county_of, short_code, township_of
from dispatcher.registry.register import Register
from dispatcher.web.problems import Problem

DRAWN: Final = "地图上画定的区域"
_KM_PER_DEGREE: Final = 111.19
_CORNERS: Final = 8
"""Of a quarter of a corridor's round end."""
MOST_NAMES: Final = 400
_CODE: Final = re.compile(r"\d{6}|\d{9}|\d{12}")
_SAYS_NOTHING: Final = re.compile(
    r"全境|全[县市区镇乡]|境内|辖区|村民委员会|居民委员会|村委会|居委会|社区|村|的|和|及|与|[\s（）()。．.]"
)
"""What may be left of a line that was understood."""

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
    drawing: Drawing, names: str, register: Register, prefixes: tuple[str, ...]
) -> tuple[Drawing, tuple[str, ...]]:
    """The drawing with the units a pasted list names, and the lines that are not understood whole."""
    lines = tuple(line.strip() for line in re.split(r"[\n\r、，,；;]+", names) if line.strip())
    if len(lines) > MOST_NAMES:
        raise Problem(422, "too_many_names", f"一次最多粘贴 {MOST_NAMES} 个地名")
    if not lines:
        return drawing, ()
    meant = {line: _meant(line, register, prefixes) for line in lines}
    codes = dict.fromkeys([*drawing.codes, *(code for found in meant.values() for code in found)])
    return drawing.model_copy(update={"codes": tuple(codes)}), tuple(line for line in meant if not meant[line])


def _meant(line: str, register: Register, prefixes: tuple[str, ...]) -> tuple[str, ...]:
    """Each line by itself, and only where all of it was understood: a village misspelt must not become its township."""
    if _CODE.fullmatch(line):
        known = register.geofence.known(line) and below(line, tuple(map(stem, prefixes)))
        return (short_code(line),) if known else ()
    codes = register.geofence.named([line], prefixes=prefixes).codes
    left = line
    for code in codes:
        for unit in (code, township_of(code), county_of(code), register.city):
            area = register.areas.get(unit)
            for name in (area.name, area.short_name) if area else ():
                left = left.replace(name, "") if name else left
    return codes if not _SAYS_NOTHING.sub("", left) else ()


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
    """What a draft holds, for the map to show again, by whatever name its list of codes goes."""
    return Drawing.model_construct(
        codes=tuple(dict.fromkeys(short_code(code) for code in _codes(areas) if _CODE.fullmatch(code))),
        polygons=tuple(tuple((p.lat, p.lon) for p in ring) for area in areas for ring in area.polygons),
        circles=tuple(
            Disc.model_construct(lat=one.center.lat, lon=one.center.lon, radius_km=one.radius_km)
            for area in areas
            for one in area.circles
        ),
        corridors=(),
    )


def names_of(areas: Sequence[Area]) -> str:
    """What of a draft's area the map cannot show: places that only have a name, codes of another kind. They are put before the
    officer as lines to be read, so that none is lost by saving."""
    bare = [one.description for one in areas if not (one.geocodes or one.polygons or one.circles)]
    return "\n".join([*bare, *(code for code in _codes(areas) if not _CODE.fullmatch(code))])


def _codes(areas: Sequence[Area]) -> list[str]:
    return [code.value for area in areas for code in area.geocodes]


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
    flat = [(lon * squeeze * _KM_PER_DEGREE, lat * _KM_PER_DEGREE) for lat, lon in corridor.line]
    return [
        _closed([(y / _KM_PER_DEGREE, x / squeeze / _KM_PER_DEGREE) for x, y in shapely.get_coordinates(ring).tolist()])
        for ring in _outlines(flat, corridor.width_km / 2)
    ]


def _outlines(line: Sequence[tuple[float, float]], half: float) -> list[LineString]:
    """A line that comes back to itself is cut in two until none has a hole: what it goes round is not in it."""
    parts = shapely.get_parts(shapely.buffer(LineString(line), half, quad_segs=_CORNERS))
    if len(line) > 2 and any(shapely.get_num_interior_rings(part) for part in parts):
        middle = len(line) // 2
        return [*_outlines(line[: middle + 1], half), *_outlines(line[middle:], half)]
    return [shapely.get_exterior_ring(part) for part in parts]

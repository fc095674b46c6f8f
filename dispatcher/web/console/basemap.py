"""The ground under the map: units and villages of the register, and layers of one's own, as GeoJSON. It is a sketch (示意图).

Made once a version of the register and handed out with a tag, so that a browser asks for it once. Boundaries are simplified
together: neighbours keep one border.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely

from dispatcher.model import AdminArea
from dispatcher.registry.register import Register
from dispatcher.web.console.sketch import bounded

_DECIMALS: Final = 4
"""Of a degree: some ten metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """GeoJSON under gzip, and the tag by which a browser knows it again."""

    packed: bytes
    tag: str


class Grounds:
    """Holds the ground of the newest register, packed."""

    def __init__(self) -> None:
        self._version = -1
        self._made: Ground | None = None
        self._making = asyncio.Lock()

    async def of(self, register: Register, layers: tuple[Path, ...]) -> Ground:
        async with self._making:
            if self._made is None or self._version != register.version:
                self._made = await asyncio.to_thread(_made, register, layers)
                self._version = register.version
            return self._made


def _made(register: Register, layers: tuple[Path, ...]) -> Ground:
    features = [*_units(register), *_villages(register), *_own(layers)]
    text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, separators=(",", ":"))
    packed = gzip.compress(text.encode(), 6, mtime=0)
    return Ground(packed=packed, tag=hashlib.sha256(packed).hexdigest()[:32])


def _units(register: Register) -> Iterator[dict[str, Any]]:
    for level in ("county", "township"):
        for area, shape in bounded(register.areas.values(), level):
            label = shapely.point_on_surface(shape) if level == "township" else shape.centroid
            thin = shapely.transform(shape, lambda degrees: np.round(degrees, _DECIMALS))
            yield _feature(area, json.loads(shapely.to_geojson(thin)), label=_point(label.x, label.y))


def _villages(register: Register) -> Iterator[dict[str, Any]]:
    for code in register.geofence.village_codes:
        area = register.areas[code]
        yield _feature(area, {"type": "Point", "coordinates": _point(area.point.lon, area.point.lat)})


def _own(layers: tuple[Path, ...]) -> Iterator[dict[str, Any]]:
    """Rivers, and whatever else a city wants to see: lines and surfaces with a name."""
    for path in layers:
        for one in json.loads(path.read_bytes())["features"]:
            name = str(one.get("properties", {}).get("name", ""))
            yield {"type": "Feature", "properties": {"kind": "layer", "name": name}, "geometry": one["geometry"]}


def _feature(area: AdminArea, geometry: dict[str, Any], **more: object) -> dict[str, Any]:
    marks = {"kind": area.level, "code": area.code, "name": area.name, "parent": area.parent, **more}
    return {"type": "Feature", "properties": marks, "geometry": geometry}


def _point(lon: float, lat: float) -> list[float]:
    return [round(lon, _DECIMALS + 1), round(lat, _DECIMALS + 1)]

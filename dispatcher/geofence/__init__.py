"""Area codes, polygons and circles → what lies inside; pure, in memory, numpy and shapely.

It must fail closed: a code nobody knows, an empty or absurd geometry resolves to nothing, never to everyone. A point on
the boundary is inside. `shapes.py` knows the geometry, `cells.py` the ground of every village, `names.py` the
place names of a warning that has only text.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from dispatcher.geofence.cells import Cells
from dispatcher.geofence.names import Named, Names, below, stem
from dispatcher.geofence.shapes import UNITE_ABOVE, Floats, Mask, Shape, distance_km, shapes_of, touches, within
from dispatcher.model import AdminArea, Area, county_of, short_code, township_of

Indices = NDArray[np.intp]

_BORDER_DEGREES: Final = 1e-4
"""About 10 m: neighbouring cells, rounded one by one, leave slits that are no border."""
_INSIDE, _UNSURE = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What an area came to. Codes have 12 digits and are sorted."""

    villages: tuple[str, ...]
    """Those whose reference point lies inside (of a shape that holds none: those it touches)."""
    touched: tuple[str, ...]
    """Those whose cell meets the area, the above included."""
    counties: tuple[str, ...]
    """6-digit codes of `villages`."""
    unknown_codes: tuple[str, ...] = ()
    outside_codes: tuple[str, ...] = ()
    """Geocodes outside the prefixes the issuer may speak for; they add no village."""
    reaches_outside: bool = False
    """The geometry crosses the border of the prefixes the issuer may speak for; its villages there are listed too."""
    from_text: bool = False
    """Only names in the text said where (no geocode, no geometry)."""
    by_code: tuple[str, ...] = ()
    """Those of `villages` that a geocode or a name takes in whole, wherever a home stands."""
    unread: tuple[str, ...] = ()
    """Descriptions of area blocks that came to nothing: no code, no geometry, no name we know."""
    unusable: int = 0
    """Polygons and circles left out: no surface, off the globe, or a radius of a third of a continent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """`cell`: the village in whose cell a point lies, -1 where none speaks for it."""

    lat: Floats
    lon: Floats
    cell: Indices


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """A shape laid over the villages. `side`: where all of a village's cell lies, and at the end that of no cell."""

    inside: Indices
    beside: Indices
    side: NDArray[np.int8]


@dataclass(slots=True)
class _Asked:
    areas: tuple[Area, ...]
    shapes: list[Shape]
    unusable: int
    drawn: Sequence[_Drawn] = ()
    """Once they are resolved."""


class Geofence:
    """The city's villages and units, ready to be asked."""

    village_codes: tuple[str, ...]
    """12-digit codes, sorted; a village's index here is its index in every array."""
    townships: tuple[str, ...]
    """9-digit codes of the townships that have villages, sorted."""
    township_of_village: NDArray[np.int32]
    """Index into `townships`, per village."""

    def __init__(self, areas: Iterable[AdminArea]) -> None:
        known = sorted(areas, key=lambda area: area.code)
        villages = [area for area in known if area.level == "village"]
        self.village_codes = tuple(area.code for area in villages)
        self._index = {code: number for number, code in enumerate(self.village_codes)}
        self.lat: Floats = np.array([area.point.lat for area in villages], np.float64)
        self.lon: Floats = np.array([area.point.lon for area in villages], np.float64)
        self.townships = tuple(sorted({township_of(code) for code in self.village_codes}))
        place = {code: number for number, code in enumerate(self.townships)}
        self.township_of_village = np.array([place[township_of(code)] for code in self.village_codes], np.int32)
        self._county = np.array([int(county_of(code)) for code in self.village_codes], np.int32)
        self._units = {area.code for area in known if area.level != "village"}
        self._names = Names(known)
        self._cells = Cells(villages)
        self._codes_at = np.array(self.village_codes, object)
        self._domains: dict[tuple[str, ...], BaseGeometry] = {}
        self._last = _Asked((), [], 0)
        self._said: tuple[tuple[tuple[str, ...], Indices], ...] = ()

    def resolve(self, areas: tuple[Area, ...], *, text: str, prefixes: tuple[str, ...]) -> Resolved:
        """Codes, polygons and circles as a union; names in `text` within `prefixes` only where there is none of these.

        A shape that holds no reference point speaks for the villages it touches, whatever stands beside it: adding a
        shape or a code never takes a village away.
        """
        stems = tuple(dict.fromkeys(map(stem, prefixes)))
        values = tuple(dict.fromkeys(code.value for area in areas for code in area.geocodes))
        asked = self._asked(areas)
        shapes, unusable = asked.shapes, asked.unusable
        from_text = not (values or shapes or unusable)
        named = self._named(areas, text, stems, from_text)
        known = [value for value in values if self.known(value)]
        coded = self._under([value for value in known if below(value, stems)] if values else named.codes)
        asked.drawn = drawn = [self._drawn(shape) for shape in shapes]
        villages = self._union(coded, *(one.inside if len(one.inside) else one.beside for one in drawn))
        told, by_code = self._codes(villages), self._codes(coded)
        self._said = ((told, villages), (by_code, coded))
        return Resolved(
            villages=told,
            touched=self._codes(self._union(villages, *(one.beside for one in drawn))),
            counties=tuple(map(str, _runs(self._county[villages]))),
            unknown_codes=tuple(value for value in values if not self.known(value)),
            outside_codes=tuple(value for value in known if not below(value, stems)),
            reaches_outside=any(self._crosses(stems, *both) for both in zip(shapes, drawn, strict=True)),
            from_text=from_text,
            by_code=by_code,
            unread=named.unread,
            unusable=unusable,
        )

    def named(self, lines: Sequence[str], *, prefixes: tuple[str, ...]) -> Named:
        """What a list of names means within `prefixes`: codes of units and villages, and the lines that mean nothing."""
        return self._names.find(lines, "", tuple(dict.fromkeys(map(stem, prefixes))))

    def inside(self, areas: tuple[Area, ...], lat: Floats, lon: Floats) -> Mask:
        """Which of the points lie in the polygons or circles (not the geocodes) of `areas`."""
        return within(self._asked(areas).shapes, lat, lon)

    def placed(self, lat: Floats, lon: Floats) -> Placed:
        """Points that stay where they are, for `standing`."""
        return Placed(lat=lat, lon=lon, cell=self._cells.sure_at(lat, lon))

    def standing(self, areas: tuple[Area, ...], points: Placed) -> Mask:
        """As `inside`: of what has just been resolved, all in a cell that no edge crosses lies where its village does."""
        asked = self._asked(areas)
        if not 0 < len(asked.drawn) <= UNITE_ABOVE:
            return within(asked.shapes, points.lat, points.lon)
        inside = np.zeros(len(points.lat), bool)
        for shape, drawn in zip(asked.shapes, asked.drawn, strict=True):
            if shape.circle is not None:
                inside |= within([shape], points.lat, points.lon)
                continue
            side = drawn.side.take(points.cell)
            inside |= side == _INSIDE
            doubt = np.flatnonzero(side == _UNSURE)
            inside[doubt] |= touches(shape.outline, points.lat.take(doubt), points.lon.take(doubt))
        return inside

    def distance_km(self, areas: tuple[Area, ...], resolved: Resolved, lat: Floats, lon: Floats) -> Floats:
        """From each point to the shapes of `areas` and the cells of the villages named by code; 0 inside."""
        return distance_km(self._cells.of(self.indices(resolved.by_code)), self._asked(areas).shapes, lat, lon)

    def known(self, code: str) -> bool:
        """6, 9 or 12 digits of a unit or village we have. Fourteen digits are nobody's."""
        short = short_code(code)
        return short in self._units or short in self._index

    def under(self, code: str) -> range:
        """The indices of the villages in a unit (or of the one village); empty for a code nobody knows."""
        if not self.known(code):
            return range(0)
        own = stem(code)
        return range(bisect_left(self.village_codes, own), bisect_left(self.village_codes, own + ":"))

    def indices(self, codes: Sequence[str]) -> Indices:
        """The indices of 12-digit village codes, in their order; codes nobody knows are left out."""
        for said, indices in self._said:
            if said is codes:
                return indices
        first = bisect_left(self.village_codes, codes[0]) if codes else 0
        if self.village_codes[first : first + len(codes)] == tuple(codes):
            return np.arange(first, first + len(codes))
        return np.array([self._index[code] for code in codes if code in self._index], np.intp)

    def village_at(self, lat: Floats, lon: Floats) -> Indices:
        """The index of the village in whose cell each point lies, -1 where there is none."""
        return self._cells.at(lat, lon)

    def _named(self, areas: tuple[Area, ...], text: str, stems: tuple[str, ...], from_text: bool) -> Named:
        if from_text:
            return self._names.find([area.description for area in areas], text, stems)
        bare = (area for area in areas if not (area.geocodes or area.polygons or area.circles))
        return Named(codes=(), unread=tuple(area.description for area in bare))

    def _under(self, codes: Sequence[str]) -> Indices:
        return self._union(*(np.arange(found.start, found.stop) for found in map(self.under, codes)))

    def _union(self, *sets: Indices) -> Indices:
        """Sorted, each once, as in every one of them."""
        sets = tuple([one for one in sets if len(one)])
        if len(sets) == 1:
            return sets[0]
        found = np.zeros(len(self.village_codes), bool)
        for one in sets:
            found[one] = True
        return np.flatnonzero(found)

    def _drawn(self, shape: Shape) -> _Drawn:
        """The villages whose reference point lies in a shape, and those it only touches."""
        near = self._cells.near(shape)
        inside = self._cells.held(shape, near)
        side = np.full(len(inside) + 1, _UNSURE, np.int8)
        np.copyto(side[:-1], inside, where=~near)
        return _Drawn(inside=np.flatnonzero(inside), beside=self._cells.met(shape, inside, near), side=side)

    def _asked(self, areas: tuple[Area, ...]) -> _Asked:
        """One message is asked about several times in a row: its shapes are made once."""
        last = self._last
        if last.areas is not areas:
            self._last = last = _Asked(areas, *shapes_of(areas))
        return last

    def _codes(self, indices: Indices) -> tuple[str, ...]:
        if len(indices) and indices[-1] - indices[0] + 1 == len(indices):
            return self.village_codes[int(indices[0]) : int(indices[-1]) + 1]
        return tuple(self._codes_at[indices].tolist())

    def _crosses(self, stems: tuple[str, ...], shape: Shape, drawn: _Drawn) -> bool:
        """Not wholly on the issuer's ground. A shape that meets no ground we know is unresolved, not over a border."""
        met = len(drawn.inside) or len(drawn.beside)
        return bool(met) and not shapely.covers(self._domain(stems), shape.outline)

    def _domain(self, stems: tuple[str, ...]) -> BaseGeometry:
        """The cells an issuer may speak for, as one surface; made once for each set of prefixes."""
        if stems not in self._domains:
            mine = [place for place, code in enumerate(self.village_codes) if below(code, stems)]
            surface = shapely.union_all(self._cells.of(mine)).buffer(_BORDER_DEGREES)
            shapely.prepare(surface)
            self._domains[stems] = surface
        return self._domains[stems]


def _runs(numbers: NDArray[np.int32]) -> list[int]:
    """The distinct values of a sorted array."""
    return [] if not len(numbers) else [*numbers[:1].tolist(), *numbers[1:][numbers[1:] != numbers[:-1]].tolist()]


__all__ = ["Geofence", "Named", "Placed", "Resolved", "below", "stem"]

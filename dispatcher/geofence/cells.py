"""The ground of each village: whose cell a point lies in, and which cells a shape meets beside those it is known to hold.

It must find the same cells as the exact test of every one of them, and yet ask only those an edge of the shape may cross:
a cell in one piece that holds its reference point is met by the shape, without being crossed, only where that point is
inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from dispatcher.geofence.shapes import Floats, Mask, Shape
from dispatcher.model import AdminArea

Indices = NDArray[np.intp]

_BOXES: Final = 128
"""So many boxes round the edges of a shape: each is small, and meets few cells."""


class Cells:
    """By the index of the village."""

    def __init__(self, villages: Sequence[AdminArea]) -> None:
        self._ground = np.array([_ground(area) for area in villages], object)
        self._tree = shapely.STRtree(self._ground)
        points = [(area.point.lon, area.point.lat) for area in villages]
        holds_point = shapely.intersects(self._ground, shapely.points(np.array(points, np.float64).reshape(-1, 2)))
        self._strays = np.flatnonzero(~holds_point | (shapely.get_num_geometries(self._ground) > 1))

    def of(self, places: Indices | list[int]) -> list[BaseGeometry]:
        return list(self._ground[places])

    def at(self, lat: Floats, lon: Floats) -> Indices:
        """The cell in which each point lies, -1 where there is none."""
        found = np.full(len(lat), -1, np.intp)
        points, cells = self._tree.query(shapely.points(lon, lat), predicate="intersects")
        found[points[::-1]] = cells[::-1]
        return found

    def met(self, shape: Shape, inside: Mask) -> Indices:
        """The cells that a shape meets, sorted, without those of `inside`: whose reference point it holds."""
        if shape.circle is not None:
            near = self._tree.query(shape.outline)
            near = near[~inside[near]]
            return np.sort(near[shapely.intersects(shape.outline, self._ground[near])])
        found = np.zeros(len(self._ground), bool)
        found[self._tree.query(_boxes(shape.outline))[1]] = True
        found[self._strays] = True
        near = np.flatnonzero(found & ~inside)
        return near[shapely.intersects(shape.outline, self._ground[near])]


def _ground(area: AdminArea) -> BaseGeometry:
    """Its reference point where no boundary is known."""
    if area.boundary is None:
        return shapely.Point(area.point.lon, area.point.lat)
    ground: BaseGeometry = shapely.make_valid(shapely.from_geojson(area.boundary))
    return ground


def _boxes(outline: BaseGeometry) -> NDArray[np.object_]:
    """Round the rings, some corners each; neighbours share a corner."""
    corners, ring = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(outline)), return_index=True)
    low, high = np.minimum(corners[:-1], corners[1:]), np.maximum(corners[:-1], corners[1:])
    same = np.flatnonzero(ring[1:] == ring[:-1])
    low, high = low[same], high[same]
    piece = np.arange(len(same)) // max(1, len(same) // _BOXES) + ring[same] * len(same)
    first = np.flatnonzero(np.diff(piece, prepend=-1))
    (west, south), (east, north) = np.minimum.reduceat(low, first).T, np.maximum.reduceat(high, first).T
    return np.asarray(shapely.box(west, south, east, north), object)

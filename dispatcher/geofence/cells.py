"""The ground of each village: whose cell a point lies in, and which cells a shape meets beside those it is known to hold.

It must answer as the exact test of every cell and point would, and yet ask only about those an edge of the shape may cross.
A cell in one piece that holds its reference point is met by the shape, without being crossed, only where that point is
inside; and of two cells that touch, neither of them crossed, one is inside where the other is. So the villages stand in a
walk from neighbour to neighbour, and after each crossed one only the next is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from dispatcher.geofence.shapes import Floats, Mask, Shape, touches, within
from dispatcher.model import AdminArea

Indices = NDArray[np.intp]

_BOXES: Final = 128
"""So many boxes round the edges of a shape: each is small, and meets few cells."""
_NEIGHBOURS: Final = 64
_AT_ONCE: Final = 256
_ROUNDING: Final = 1e-11
"""More than the products of degrees are ever out by: a cell too many is only asked about."""


class Cells:
    """By the index of the village."""

    def __init__(self, villages: Sequence[AdminArea]) -> None:
        self._ground = np.array([_ground(area) for area in villages], object)
        self._tree = shapely.STRtree(self._ground)
        points = np.array([(area.point.lon, area.point.lat) for area in villages], np.float64).reshape(-1, 2)
        holds_point = shapely.intersects(self._ground, shapely.points(points))
        self._walk, self._jumps = _walked(_beside(self._tree, self._ground))
        self._place = np.argsort(self._walk)
        self._lon, self._lat = np.ascontiguousarray(points[self._walk].T)
        west, south, east, north = shapely.bounds(self._ground).reshape(-1, 4).T
        self._middle = (west + east) / 2, (south + north) / 2
        self._half = (east - west) / 2, (north - south) / 2
        # One place more than there are villages: it stands for "in no cell", index -1.
        self._stray = np.append(~holds_point | (shapely.get_num_geometries(self._ground) > 1), True)

    def of(self, places: Indices | list[int]) -> list[BaseGeometry]:
        return list(self._ground[places])

    def at(self, lat: Floats, lon: Floats) -> Indices:
        """The cell in which each point lies, -1 where there is none."""
        found = np.full(len(lat), -1, np.intp)
        points, cells = self._tree.query(shapely.points(lon, lat), predicate="intersects")
        found[points[::-1]] = cells[::-1]
        return found

    def sure_at(self, lat: Floats, lon: Floats) -> Indices:
        """As `at`, but -1 too where a cell that no edge crosses does not say on which side of a shape all in it lies."""
        found = self.at(lat, lon)
        found[self._stray[found]] = -1
        return found

    def near(self, shape: Shape) -> Mask:
        """The cells that an edge of the shape may cross, and those that are not one piece about their reference point."""
        found = self._stray[:-1].copy()
        box, cell = self._tree.query(_boxes(shape))
        if 0 < len(shape.edges) < 2 * _BOXES:  # then a box is an edge's
            cell = cell[self._on_line(shape, box, cell)]
        found[cell] = True
        return found

    def _on_line(self, shape: Shape, edge: Indices, cell: Indices) -> Mask:
        """Whether the line through an edge comes through the box about a cell: most do not, where it runs aslant."""
        start = shape.corners[shape.edges]
        east, north = (shape.corners[shape.edges + 1] - start).T
        through = start[:, 0] * north - start[:, 1] * east
        north, east, (lon, lat), (wide, high) = north.take(edge), east.take(edge), self._middle, self._half
        away = np.abs(north * lon.take(cell) - east * lat.take(cell) - through.take(edge))
        reach = np.abs(north) * wide.take(cell) + np.abs(east) * high.take(cell)
        passes: Mask = away <= reach + _ROUNDING
        return passes

    def held(self, shape: Shape, near: Mask) -> Mask:
        """The cells whose reference point the shape holds."""
        if shape.circle is not None:
            return within([shape], self._lat, self._lon).take(self._place)
        crossed = near.take(self._walk)
        asked = crossed | self._jumps
        asked[1:] |= crossed[:-1]
        some = np.flatnonzero(asked)
        held = touches(shape.outline, self._lat.take(some), self._lon.take(some))
        return held.take(np.cumsum(asked) - 1).take(self._place)

    def met(self, shape: Shape, inside: Mask, near: Mask) -> Indices:
        """The cells that a shape meets, sorted, without those of `inside`: whose reference point it holds."""
        some = np.flatnonzero(near & ~inside)
        return some[shapely.intersects(shape.outline, self._ground[some])]


def _beside(tree: shapely.STRtree, ground: NDArray[np.object_]) -> list[list[int]]:
    """Cells whose box meets that of each, some of them where very many do: where one point was put down for all villages, every
    box meets every other."""
    found: list[list[int]] = []
    for begin in range(0, len(ground), _AT_ONCE):
        one, other = tree.query(ground[begin : begin + _AT_ONCE])
        bounds = np.searchsorted(one, np.arange(len(ground[begin : begin + _AT_ONCE]) + 1)).tolist()
        found += [other[start : min(end, start + _NEIGHBOURS)].tolist() for start, end in pairwise(bounds)]
    return found


def _walked(beside: Sequence[Sequence[int]]) -> tuple[Indices, Mask]:
    """All cells in an order in which nearly each one's box meets that of the one before, and where it does not. The next is
    always the neighbour that has the fewest ways on, or many would be left behind alone."""
    ways = [len(neighbours) for neighbours in beside]
    walk, jumps = list[int](), list[bool]()
    left, others = set(range(len(beside))), iter(range(len(beside)))
    while left:
        ahead = [neighbour for neighbour in beside[walk[-1]] if neighbour in left] if walk else []
        cell = min(ahead, key=ways.__getitem__) if ahead else next(one for one in others if one in left)
        jumps.append(not ahead)
        walk.append(cell)
        left.remove(cell)
        for neighbour in beside[cell]:
            ways[neighbour] -= 1
    return np.array(walk, np.intp), np.array(jumps, bool)


def _ground(area: AdminArea) -> BaseGeometry:
    """Its reference point where no boundary is known."""
    if area.boundary is None:
        return shapely.Point(area.point.lon, area.point.lat)
    ground: BaseGeometry = shapely.make_valid(shapely.from_geojson(area.boundary))
    return ground


def _boxes(shape: Shape) -> NDArray[np.object_]:
    """Round the rings, some edges each; round a circle as a whole."""
    if shape.circle is not None:
        return np.array([shape.outline], object)
    start, end = shape.corners[shape.edges], shape.corners[shape.edges + 1]
    low, high = np.minimum(start, end), np.maximum(start, end)
    each = len(low) // _BOXES
    if each > 1:
        first = np.flatnonzero((np.arange(len(low)) % each == 0) | (np.diff(shape.edges, prepend=-2) != 1))
        low, high = np.minimum.reduceat(low, first), np.maximum.reduceat(high, first)
    return np.asarray(shapely.box(*low.T, *high.T), object)

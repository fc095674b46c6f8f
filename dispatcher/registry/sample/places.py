"""config/jian in memory: the areas with their boundaries, and the villages cut into triangles to draw homes in.

A file that does not fit the others (a code without a boundary, a village nobody cut) stops the sample here.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dispatcher.store.registry import AreaRow

PROPER_UNITS = ("镇", "乡", "民族乡", "街道")
"""Kinds of township that have A and B posts of their own; farms, parks and the airport lean on their county."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    areas: list[AreaRow]
    by_code: dict[str, AreaRow]
    villages: NDArray[np.str_]
    """12-digit codes; a village's place here is its index in the arrays below."""
    town: NDArray[np.str_]
    she: NDArray[np.bool_]
    """In a She (畲族) township."""
    offsets: NDArray[np.int32]
    triangles: NDArray[np.float64]
    points: NDArray[np.float64]
    """Longitude, latitude."""
    population: NDArray[np.int32]
    convex: NDArray[np.bool_]
    area_before: NDArray[np.float64]
    """Running sum of the triangles' areas, from 0."""

    @staticmethod
    def read(folder: Path) -> Places:
        areas = read_areas(folder)
        by_code = {area.code: area for area in areas}
        with np.load(folder / "village-triangles.npz") as cut:
            villages, triangles = cut["codes"], cut["tri"]
            offsets, points, population, convex = cut["offsets"], cut["points"], cut["population"], cut["convex"]
        a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
        doubled = np.abs((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]))
        town = np.array([by_code[village].parent for village in villages])
        return Places(
            areas=areas,
            by_code=by_code,
            villages=villages,
            town=town,
            she=np.array(["畲" in by_code[code].name for code in town]),
            offsets=offsets,
            triangles=triangles,
            points=points,
            population=population,
            convex=convex,
            area_before=np.r_[0.0, np.cumsum(0.5 * doubled)],
        )

    def codes(self, level: str) -> list[str]:
        return sorted(area.code for area in self.areas if area.level == level)

    def sample(self, village: NDArray[np.int64], rng: np.random.Generator, pull: float = 0.75) -> NDArray[np.float64]:
        """One point (longitude, latitude) inside each village's cell, denser near the village's point."""
        first, end = self.offsets[village], self.offsets[village + 1]
        low, high = self.area_before[first], self.area_before[end]
        drawn = np.searchsorted(self.area_before, low + rng.random(len(village)) * (high - low), side="right") - 1
        corner = self.triangles[np.clip(drawn, first, end - 1)]
        u, v = rng.random((2, len(village)))
        flip = u + v > 1
        u[flip], v[flip] = 1 - u[flip], 1 - v[flip]
        a, b, c = corner[:, 0], corner[:, 1], corner[:, 2]
        spot = a + u[:, None] * (b - a) + v[:, None] * (c - a)
        shrink = np.where(self.convex[village], 1 - pull * rng.random(len(village)), 1.0)[:, None]
        return np.asarray(self.points[village] + shrink * (spot - self.points[village]))


def read_areas(folder: Path) -> list[AreaRow]:
    """areas.csv with the boundaries of the GeoJSON files; synthetic where the point or the boundary is invented."""
    boundaries: dict[str, tuple[dict[str, object], bool]] = {}
    for name in ("counties", "townships", "villages"):
        for feature in json.loads((folder / f"{name}.geojson").read_text(encoding="utf-8"))["features"]:
            invented = bool(feature["properties"].get("synthetic", False))
            boundaries[feature["properties"]["code"]] = feature["geometry"], invented
    with (folder / "areas.csv").open(encoding="utf-8", newline="") as lines:
        return [_area(row, *boundaries.get(row["code"], (None, False))) for row in csv.DictReader(lines)]


def _area(row: dict[str, str], boundary: dict[str, object] | None, invented: bool) -> AreaRow:
    return AreaRow(
        code=row["code"],
        name=row["name"],
        short_name=row["short_name"],
        level=row["level"],
        kind=row["kind"],
        parent=row["parent"],
        lat=float(row["lat"]),
        lon=float(row["lng"]),
        population=int(row["population_synthetic"]),
        boundary=boundary,
        synthetic=invented or row["point_source"] == "synthetic",
    )

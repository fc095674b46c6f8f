"""Whatever is drawn or coded: a union only grows, an edge is inside, a prefix never widens, nonsense is nobody."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.geofence import Resolved
from dispatcher.geofence.shapes import EARTH_KM, shapes_of
from dispatcher.model import AdminArea, Area, Circle, Point
from tests.jian import coded, drawn, jian, jian_fence

CODES = [area.code for area in jian()]
CITY = ("360800",)
GROUNDS = {
    area.code: shapely.make_valid(shapely.from_geojson(area.boundary))
    for area in jian()
    if area.level == "village" and area.boundary
}
lats, lons = st.floats(26.0, 27.9), st.floats(113.8, 116.0)
points = st.builds(Point, lats, lons)
rings = st.lists(points, min_size=3, max_size=12).map(tuple)
SPOTS = [area.point for area in jian() if area.level == "village"]
boxes = st.tuples(st.sampled_from(SPOTS), st.sampled_from(SPOTS)).map(
    lambda two: (two[0], Point(two[0].lat, two[1].lon), two[1], Point(two[1].lat, two[0].lon))
)
discs = st.builds(Circle, points, st.floats(0, 40))
anything = st.floats(allow_nan=True, allow_infinity=True)
areas = st.builds(
    lambda rings, discs, codes: (*drawn(*rings), *coded(*codes), Area(description="", circles=tuple(discs))),
    st.lists(rings, max_size=2),
    st.lists(discs, max_size=2),
    st.lists(st.sampled_from(CODES), max_size=3),
)
quick = settings(max_examples=60, deadline=None)


def resolve(message_areas: tuple[Area, ...], prefixes: tuple[str, ...] = CITY) -> Resolved:
    return jian_fence().resolve(message_areas, text="", prefixes=prefixes)


@quick
@given(areas, areas)
def test_areas_together_are_the_union_of_each_alone(one: tuple[Area, ...], other: tuple[Area, ...]) -> None:
    both, first, second = resolve((*one, *other)), resolve(one), resolve(other)
    assert set(both.villages) == {*first.villages, *second.villages}
    assert set(both.touched) == {*first.touched, *second.touched}
    assert both.villages == tuple(sorted(both.villages))
    assert set(both.villages) <= set(both.touched)
    assert set(both.by_code) <= set(both.villages)
    assert both.counties == tuple(sorted({code[:6] for code in both.villages}))


@quick
@given(rings)
def test_a_village_is_touched_exactly_where_its_ground_meets_the_shape(ring: tuple[Point, ...]) -> None:
    shapes, _ = shapes_of(drawn(ring))
    met = {code for code, ground in GROUNDS.items() if any(shape.outline.intersects(ground) for shape in shapes)}
    assert set(resolve(drawn(ring)).touched) >= met
    assert set(resolve(drawn(ring)).touched) <= met | set(resolve(drawn(ring)).villages)


@quick
@given(st.one_of(rings, st.lists(st.sampled_from(SPOTS), min_size=3, max_size=9).map(tuple), boxes))
def test_asking_about_few_villages_finds_those_that_asking_about_each_would(ring: tuple[Point, ...]) -> None:
    fence = jian_fence()
    shapes, _ = shapes_of(drawn(ring))
    inside = [shapely.intersects_xy(shape.outline, fence.lon, fence.lat) for shape in shapes]
    found = (
        {code for code, held in zip(fence.village_codes, np.any(inside, axis=0), strict=True) if held}
        if shapes
        else set()
    )
    assert set(resolve(drawn(ring)).villages) == found or not found


@quick
@given(areas, st.sampled_from([1, 20]), st.integers(0, 2**32 - 1))
def test_whoever_stays_where_he_is_lies_inside_as_his_point_does(some: tuple[Area, ...], times: int, seed: int) -> None:
    chance, fence = np.random.default_rng(seed), jian_fence()
    lat, lon = np.concatenate(
        [chance.uniform((26.0, 113.8), (27.9, 116.0), (3000, 2)), np.column_stack([fence.lat, fence.lon])]
    ).T
    asked = some * times
    resolve(asked)
    assert (fence.standing(asked, fence.placed(lat, lon)) == fence.inside(asked, lat, lon)).all()


@quick
@given(st.sampled_from(CODES))
def test_a_code_is_its_own_villages_and_never_more(code: str) -> None:
    stem = code[:4] if code == "360800" else code
    expected = tuple(one for one in jian_fence().village_codes if one.startswith(stem))
    assert resolve(coded(code)).villages == resolve(coded(code.ljust(12, "0"))).villages == expected


@quick
@given(st.text("0123456789", min_size=1, max_size=16))
def test_digits_nobody_knows_are_nobody(digits: str) -> None:
    found = resolve(coded(digits))
    known = digits in CODES or (digits.ljust(12, "0") in {code.ljust(12, "0") for code in CODES} and len(digits) == 12)
    assert bool(found.villages) == known
    assert bool(found.unknown_codes) != known


@quick
@given(st.sampled_from(CODES), st.sampled_from([code for code in CODES if len(code) == 6]))
def test_a_code_never_adds_a_village_outside_the_issuers_prefix(code: str, prefix: str) -> None:
    found = resolve(coded(code), (prefix,))
    own = prefix[:4] if prefix == "360800" else prefix
    assert all(village.startswith(own) for village in found.villages)
    assert bool(found.villages) != bool(found.outside_codes)


@quick
@given(st.sampled_from(jian()[14:]), st.floats(0.001, 0.3), st.integers(0, 3))
def test_a_reference_point_on_a_corner_is_inside(area: AdminArea, side: float, corner: int) -> None:
    at = area.point
    lat, lon = (side if corner in (0, 1) else -side), (side if corner in (0, 2) else -side)
    ring = (at, Point(at.lat + lat, at.lon), Point(at.lat + lat, at.lon + lon), Point(at.lat, at.lon + lon), at)
    inside = jian_fence().inside(drawn(ring), np.array([at.lat]), np.array([at.lon]))
    assert inside.all()


@quick
@given(points, st.floats(0.01, 60), st.floats(0, 2 * math.pi))
def test_a_point_at_the_radius_is_inside_and_one_beyond_it_is_not(center: Point, radius: float, bearing: float) -> None:
    def at(km: float) -> tuple[float, float]:
        here, reach = math.radians(center.lat), km / EARTH_KM
        sine = math.sin(here) * math.cos(reach) + math.cos(here) * math.sin(reach) * math.cos(bearing)
        east = math.atan2(math.sin(bearing) * math.sin(reach) * math.cos(here), math.cos(reach) - math.sin(here) * sine)
        return math.degrees(math.asin(sine)), center.lon + math.degrees(east)

    lat, lon = np.array([at(radius * (1 - 1e-9)), at(radius * 1.001)]).T
    disc = (Area(description="", circles=(Circle(center, radius),)),)
    assert jian_fence().inside(disc, lat, lon).tolist() == [True, False]


@settings(max_examples=15, deadline=None)
@given(st.lists(points, min_size=3, max_size=40, unique=True).map(tuple), st.integers(0, 2**32 - 1))
def test_the_raster_that_makes_it_fast_never_changes_the_answer(ring: tuple[Point, ...], seed: int) -> None:
    lat, lon = np.random.default_rng(seed).uniform((26.0, 113.8), (27.9, 116.0), (60_000, 2)).T
    at_once = jian_fence().inside(drawn(ring), lat, lon)
    piece_by_piece = [
        jian_fence().inside(drawn(ring), lat[start : start + 10_000], lon[start : start + 10_000])
        for start in range(0, 60_000, 10_000)
    ]
    assert (at_once == np.concatenate(piece_by_piece)).all()


@quick
@given(
    st.lists(st.builds(Point, anything, anything), max_size=8).map(tuple),
    st.builds(Point, anything, anything),
    anything,
)
def test_no_number_makes_it_raise(ring: tuple[Point, ...], center: Point, radius: float) -> None:
    nonsense = (Area(description="", polygons=(ring,), circles=(Circle(center, radius),)),)
    found = resolve(nonsense)
    assert set(found.villages) <= set(found.touched)
    jian_fence().inside(nonsense, np.array([27.0, math.nan]), np.array([115.0, math.inf]))


@quick
@given(st.text(max_size=60), st.text(max_size=200), st.sampled_from(["360800", "360827", "360827100"]))
def test_no_text_makes_it_raise_or_leave_the_prefix(description: str, text: str, prefix: str) -> None:
    found = jian_fence().resolve((Area(description=description),), text=text, prefixes=(prefix,))
    assert all(village.startswith(prefix[:4] if prefix == "360800" else prefix) for village in found.villages)


@pytest.mark.parametrize("county", [area for area in jian() if area.level == "county"], ids=lambda area: area.code)
def test_every_township_name_in_a_text_is_found_in_its_own_county_alone(county: AdminArea) -> None:
    code = county.code
    for town in (area for area in jian() if area.level == "township"):
        found = jian_fence().resolve((Area(description=town.name),), text="", prefixes=(code,))
        assert {village[:9] for village in found.villages} == ({town.code} if town.parent == code else set())

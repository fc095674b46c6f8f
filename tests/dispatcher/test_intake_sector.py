"""A downwind sector is a polygon from the edge of the house on: sound for every input, and never smaller than it was said."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dispatcher.intake import sector
from dispatcher.intake.geometry import BadGeometry
from dispatcher.intake.sector import Sector, drawn
from dispatcher.model import Area, Circle, Point
from tests.jian import jian_fence

EARTH_KM = 6371.0088
PARK = Point(27.0104, 114.8467)


def plume(**changes: Any) -> Sector:
    """Four kilometres to the south-east of 吉安高新技术产业园区, sixty degrees wide."""
    return Sector(**{"source": PARK, "radius_km": 4.0, "bearing": 135.0, "width": 60.0, **changes})


sectors = st.builds(
    Sector,
    source=st.builds(Point, st.floats(-60, 60), st.floats(-177, 177)),
    radius_km=st.floats(0.1, 50) | st.sampled_from([0.1, 50.0]),
    bearing=st.floats(0, 360),
    width=st.floats(10, 360) | st.sampled_from([10.0, 180.0, 359.0, 360.0]),
)


def vector(at: Point) -> np.ndarray[Any, Any]:
    lat, lon = math.radians(at.lat), math.radians(at.lon)
    return np.array([math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)])


def seen(start: Point, to: Point) -> tuple[float, float]:
    """Bearing and distance by vectors in space: no formula of the house in it."""
    here, there = vector(start), vector(to)
    lat, lon = math.radians(start.lat), math.radians(start.lon)
    east = np.array([-math.sin(lon), math.cos(lon), 0.0])
    north = np.array([-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat)])
    far = EARTH_KM * math.atan2(float(np.linalg.norm(np.cross(here, there))), float(here @ there))
    return math.degrees(math.atan2(float(there @ east), float(there @ north))) % 360, far


def covers(one: Sector, at: Point) -> bool:
    rings, circles = drawn(one)
    in_ring = any(
        shapely.Polygon([(p.lon, p.lat) for p in ring]).covers(shapely.Point(at.lon, at.lat)) for ring in rings
    )
    return in_ring or any(seen(circle.center, at)[1] <= circle.radius_km for circle in circles)


@settings(max_examples=400)
@given(sectors, st.floats(-1.3, 1.3), st.floats(-1.3, 1.3))
def test_a_point_is_inside_by_its_bearing_and_distance(one: Sector, north: float, east: float) -> None:
    """Wherever the point is not within a hundredth of an edge."""
    degree = math.degrees(one.radius_km / EARTH_KM)
    at = Point(one.source.lat + north * degree, one.source.lon + east * degree / math.cos(math.radians(one.source.lat)))
    bearing, far = seen(one.source, at)
    off = abs((bearing - one.bearing + 180) % 360 - 180)
    slack = math.degrees(math.asin(min(1.0, 0.01 * one.radius_km / far))) if far else 180.0
    whole = one.width > sector.NEARLY_WHOLE
    assume(abs(far / one.radius_km - 1) > 0.01)
    assume(whole or abs(off - one.width / 2) > slack)
    assert covers(one, at) == (far <= one.radius_km and (whole or off <= one.width / 2))


@settings(max_examples=400)
@given(sectors)
def test_the_ring_is_closed_and_sound_and_turns_by_equal_steps(one: Sector) -> None:
    rings, circles = drawn(one)
    if one.width > sector.NEARLY_WHOLE:
        assert (rings, circles) == ((), (Circle(one.source, one.radius_km),))
        return
    (ring,) = rings
    assert circles == ()
    assert ring[0] == ring[-1] == one.source
    assert len(ring) <= sector.MOST_POINTS
    shape = shapely.Polygon([(point.lon, point.lat) for point in ring])
    assert shape.is_valid
    assert shape.area > 0
    turns = [seen(one.source, point)[0] for point in ring[1:-1]]
    steps = [(after - before) % 360 for before, after in itertools.pairwise(turns)]
    assert max(steps) <= sector.STEP + 0.2
    assert max(steps) - min(steps) < 0.3, "a tenth of a metre at a hundred metres"


@given(sectors)
def test_nobody_on_the_arc_is_left_out_by_a_chord(one: Sector) -> None:
    rings, _ = drawn(one)
    for ring in rings:
        for first, second in itertools.pairwise(ring[1:-1]):
            middle = Point((first.lat + second.lat) / 2, (first.lon + second.lon) / 2)
            assert seen(one.source, middle)[1] >= one.radius_km * (1 - 1e-4) - 0.0002


def test_it_lies_where_it_drifts_to_and_not_where_the_wind_comes_from() -> None:
    south = plume(bearing=180.0)
    assert covers(south, Point(PARK.lat - 0.02, PARK.lon))
    assert not covers(south, Point(PARK.lat + 0.02, PARK.lon))
    assert covers(plume(bearing=90.0), Point(PARK.lat, PARK.lon + 0.02))


def test_round_the_source_everybody_is_in_the_inner_circle_whatever_the_wind() -> None:
    upwind = Point(PARK.lat + 0.004, PARK.lon)
    assert not covers(plume(bearing=180.0), upwind)
    rings, circles = drawn(plume(bearing=180.0, inner_km=0.5))
    assert circles == (Circle(PARK, 0.5),)
    assert len(rings) == 1
    assert covers(plume(bearing=180.0, inner_km=0.5), upwind)


def test_the_villages_of_a_plume_lie_to_one_side_and_the_park_is_told_by_the_inner_circle() -> None:
    """The source stands in a corner of the park: its reference point is not in the plume."""
    fence = jian_fence()
    rings, circles = drawn(plume(inner_km=0.5))
    told = fence.resolve(
        (Area(description="", polygons=rings, circles=circles),), text="", prefixes=("360800",)
    ).villages
    park = [code for code in told if code.startswith("360821400")]
    others = fence.indices([code for code in told if code not in park])
    assert len(park) == 1
    assert len(others) >= 3
    assert (fence.lat[others] < PARK.lat).all()
    assert (fence.lon[others] > PARK.lon).all()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"radius_km": 50.1}, "radius_km"),
        ({"radius_km": 0.0}, "radius_km"),
        ({"radius_km": math.nan}, "radius_km"),
        ({"width": 9.9}, "width_deg"),
        ({"width": 361.0}, "width_deg"),
        ({"bearing": -1.0}, "bearing_deg"),
        ({"bearing": math.inf}, "bearing_deg"),
        ({"source": Point(114.8, 27.0)}, "lat"),
        ({"source": Point(27.0, 179.9)}, "lon"),
        ({"inner_km": 4.1}, "inner_km"),
        ({"inner_km": 0.0}, "inner_km"),
        ({"inner_km": math.nan}, "inner_km"),
    ],
)
def test_a_sector_that_cannot_be_drawn_is_refused_by_the_name_of_its_field(change: dict[str, Any], named: str) -> None:
    with pytest.raises(BadGeometry, match=named):
        drawn(plume(**change))

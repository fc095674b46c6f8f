"""What was drawn on the map, into areas and back."""

from __future__ import annotations

import math

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.intake.geometry import check_ring
from dispatcher.model import Area, Circle, Geocode, Point
from dispatcher.web.console.issuing import drawing
from dispatcher.web.console.issuing.drawing import Corridor, Disc, Drawing
from dispatcher.web.problems import Problem

lat, lon = st.floats(25.8, 28.2), st.floats(113.4, 116.3)
lines = st.lists(st.tuples(lat, lon), min_size=2, max_size=6, unique=True)


@given(line=lines, width=st.floats(0.1, 50))
def test_the_edge_of_a_corridor_is_half_its_width_from_its_line(line: list[tuple[float, float]], width: float) -> None:
    made = drawing.areas_of(Drawing(corridors=(Corridor(line=tuple(line), width_km=width),)), {})
    rings = made[0]["polygons"]
    for ring in rings:
        check_ring(tuple(Point(*pair) for pair in ring))
    squeeze = math.cos(math.radians(sum(y for y, _ in line) / len(line))) * 111.19
    flat = shapely.LineString([(x * squeeze, y * 111.19) for y, x in line])
    made = shapely.union_all([shapely.Polygon([(x * squeeze, y * 111.19) for y, x in ring]) for ring in rings])
    away = [flat.distance(shapely.Point(at)) for at in shapely.get_coordinates(made).tolist()]
    assert max(away) <= width / 2 * 1.001 + 0.001
    assert min(away) >= width / 2 * 0.97 - 0.001


def test_a_corridor_that_goes_round_something_does_not_take_it_in() -> None:
    ring = ((26.0, 114.0), (26.0, 115.0), (27.0, 115.0), (27.0, 114.0), (26.0, 114.0))
    rings = drawing.areas_of(Drawing(corridors=(Corridor(line=ring, width_km=2),)), {})[0]["polygons"]
    made = shapely.union_all([shapely.Polygon([(x, y) for y, x in one]) for one in rings])
    assert not made.contains(shapely.Point(114.5, 26.5))
    assert all(made.contains(shapely.Point(x, y)) for y, x in ring)


def test_units_are_named_and_shapes_are_closed() -> None:
    ring = ((26.3, 114.4), (26.4, 114.4), (26.4, 114.6))
    made = drawing.areas_of(Drawing(codes=("360827102",), polygons=(ring,)), {})
    assert made[0] == {"description": "360827102", "geocodes": ["360827102"]}
    assert made[1]["polygons"] == [[[26.3, 114.4], [26.4, 114.4], [26.4, 114.6], [26.3, 114.4]]]


def test_what_a_draft_holds_comes_back_to_the_map() -> None:
    area = Area(
        description="x",
        polygons=((Point(1, 2), Point(3, 4), Point(5, 2), Point(1, 2)),),
        circles=(Circle(Point(26, 114), 2.5),),
        geocodes=(Geocode(scheme="CPEAS Geographic Code", value="360827"),),
    )
    back = drawing.drawing_of([area])
    assert drawing.read(drawing.text_of(back)) == Drawing(
        codes=("360827",),
        polygons=(((1, 2), (3, 4), (5, 2), (1, 2)),),
        circles=(Disc(lat=26, lon=114, radius_km=2.5),),
    )


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"codes":["12345"]}', '{"circles":[{"lat":91,"lon":0,"radius_km":1}]}', '{"polygons":[[[1]]]}',
             '{"circles":[{"lat":1,"lon":0,"radius_km":0}]}', '{"corridors":[{"line":[[1,2]],"width_km":1}]}', '{"x":1}',
             '{"polygons":[[[NaN,1],[1,1],[1,2]]]}'],
)  # fmt: skip
def test_what_is_no_drawing_is_refused(text: str) -> None:
    with pytest.raises(Problem, match="重画"):
        drawing.read(text)


def test_nothing_drawn_is_nothing() -> None:
    assert drawing.read("").empty
    assert drawing.areas_of(Drawing(), {}) == []

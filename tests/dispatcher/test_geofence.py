"""What an area comes to: codes, polygons, circles, names; and nothing where it is not known for certain."""

from __future__ import annotations

import math
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from dispatcher.geofence import Geofence, Resolved
from dispatcher.model import Area, Circle, Point
from tests.jian import box, coded, drawn, jian, jian_fence, point, square, valley, village

COUNTY = ("360827",)
FENCE = Geofence(valley())


def resolve(areas: tuple[Area, ...], text: str = "", prefixes: tuple[str, ...] = ("360800",)) -> Resolved:
    return FENCE.resolve(areas, text=text, prefixes=prefixes)


def named(*descriptions: str, text: str = "", prefixes: tuple[str, ...] = COUNTY) -> Resolved:
    return resolve(tuple(Area(description=one) for one in descriptions), text, prefixes)


def row(number: int) -> tuple[str, ...]:
    return tuple(village(number, column) for column in range(4))


# ── codes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("360827100000", row(0)),
        ("360827100", row(0)),
        ("360827000000", row(0) + row(1)),
        ("360827", row(0) + row(1)),
        ("360800000000", row(2) + row(0) + row(1)),
        ("360800", row(2) + row(0) + row(1)),
        ("360827101202", (village(1, 2),)),
    ],
)
def test_a_code_of_any_length_is_exactly_the_villages_below_it(code: str, expected: tuple[str, ...]) -> None:
    found = resolve(coded(code))
    assert found.villages == found.touched == found.by_code == expected
    assert found.counties == tuple(sorted({one[:6] for one in expected}))
    assert not found.from_text


def test_a_township_code_that_ends_in_zeros_never_widens_to_its_county() -> None:
    fence = jian_fence()
    tricky = [area.code for area in jian() if area.level == "township" and area.code.endswith("0")]
    assert len(tricky) >= 31
    for code in tricky:
        found = fence.resolve(coded(code + "000"), text="", prefixes=("360800",))
        assert found.villages
        assert {one[:9] for one in found.villages} == {code}


@pytest.mark.parametrize(
    "code",
    [
        "36082710000000",
        "36082799",
        "360899000000",
        "3608271002",
        "",
        "36",
        "3608",
        "360827100299",
        "泉江镇",
        "360827000",
    ],
)
def test_a_code_nobody_knows_adds_nobody_and_is_named(code: str) -> None:
    found = resolve(coded(code))
    assert found.villages == found.touched == ()
    assert found.unknown_codes == (code,)
    beside_a_known_one = resolve(coded(code, "360827100000"))
    assert beside_a_known_one.villages == row(0)
    assert beside_a_known_one.unknown_codes == (code,)


@pytest.mark.parametrize("code", ["360826000000", "360800000000", "360826100000", "360826100201"])
def test_a_code_outside_the_issuers_prefix_adds_nobody_and_is_named(code: str) -> None:
    found = resolve(coded(code, "360827100000"), prefixes=COUNTY)
    assert found.villages == row(0)
    assert found.outside_codes == (code,)
    assert found.unknown_codes == ()


def test_an_issuer_without_a_prefix_may_speak_for_nobody() -> None:
    assert resolve(coded("360827"), prefixes=()).villages == ()
    assert resolve(drawn(box(-0.1, -0.1, 0.1, 0.1)), prefixes=()).reaches_outside


# ── polygons ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_polygon_is_the_villages_whose_reference_point_lies_in_it_and_shows_those_it_touches() -> None:
    found = resolve(drawn(box(-0.2, -0.2, 0.2, 1.2)))
    assert found.villages == (village(0, 0), village(0, 1))
    assert found.touched == found.villages
    wider = resolve(drawn(box(-0.2, -0.2, 0.6, 1.2)))
    assert wider.villages == found.villages
    assert wider.touched == (*found.villages, village(1, 0), village(1, 1))


def test_a_reference_point_on_an_edge_or_a_corner_is_inside() -> None:
    found = resolve(drawn(box(0, 0, 1, 1)))
    assert found.villages == (village(0, 0), village(0, 1), village(1, 0), village(1, 1))


def test_a_polygon_between_reference_points_is_the_villages_it_touches() -> None:
    found = resolve(drawn(box(0.1, 0.2, 0.3, 0.4)))
    assert found.villages == found.touched == (village(0, 0),)
    assert found.by_code == ()


def test_adding_a_code_never_takes_a_touched_village_away() -> None:
    small = drawn(box(0.1, 0.2, 0.3, 0.4))
    found = resolve((*small, *coded("360827101000")))
    assert found.villages == (village(0, 0), *row(1))
    assert found.by_code == row(1)


def test_a_ring_that_crosses_itself_still_shows_the_duty_officer_its_surface() -> None:
    bowtie = (point(-0.2, -0.2), point(0.2, 0.2), point(0.2, -0.2), point(-0.2, 0.2), point(-0.2, -0.2))
    assert resolve(drawn(bowtie)).villages == (village(0, 0),)


@pytest.mark.parametrize(
    "ring",
    [
        (),
        (point(0, 0),),
        (point(0, 0), point(1, 1), point(0, 0)),
        (point(0, 0), point(1, 1), point(2, 2), point(0, 0)),
        tuple(Point(corner.lon, corner.lat) for corner in box(-1, -1, 3, 4)),
        (Point(math.nan, 114.5), *box(-1, -1, 3, 4)),
        (Point(math.inf, 114.5), *box(-1, -1, 3, 4)),
        (Point(1e308, -1e308), *box(-1, -1, 3, 4)),
        (Point(5e-324, 5e-324), Point(0, 5e-324), Point(5e-324, 0), Point(5e-324, 5e-324)),
    ],
)
def test_a_polygon_without_a_surface_on_this_globe_is_nobody_and_is_counted(ring: tuple[Point, ...]) -> None:
    found = resolve(drawn(ring), text="泉江镇全县大部")
    assert found.villages == found.touched == ()
    assert found.unusable == 1
    assert not found.from_text


def test_a_polygon_far_away_is_nobody_and_no_border_matter() -> None:
    far = (Point(40, -100), Point(41, -100), Point(41, -99), Point(40, -100))
    found = resolve(drawn(far), prefixes=COUNTY)
    assert found.villages == found.touched == ()
    assert not found.reaches_outside


def test_geometry_over_the_border_is_said_and_not_cut() -> None:
    found = resolve(drawn(box(0.9, -0.1, 2.1, 0.1)), prefixes=COUNTY)
    assert found.reaches_outside
    assert found.villages == (village(2, 0), village(1, 0))
    assert not resolve(drawn(box(0.9, -0.1, 1.5, 0.1)), prefixes=COUNTY).reaches_outside
    assert not resolve(drawn(box(0.9, -0.1, 2.1, 0.1))).reaches_outside


# ── circles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def circle(center: Point, radius_km: float) -> tuple[Area, ...]:
    return (Area(description="", circles=(Circle(center, radius_km),)),)


def test_a_circle_is_what_lies_within_its_radius_on_the_sphere() -> None:
    step_km = math.radians(0.01) * 6371.0088
    assert resolve(circle(point(0, 0), step_km)).villages == (village(0, 0), village(0, 1), village(1, 0))
    assert resolve(circle(point(0, 0), step_km * 0.999)).villages == (village(0, 0), village(0, 1))
    assert resolve(circle(point(0, 0), 0)).villages == (village(0, 0),)


def test_a_circle_of_no_radius_touches_the_village_it_stands_in() -> None:
    assert resolve(circle(point(0.2, 0.3), 0)).villages == (village(0, 0),)


@pytest.mark.parametrize("radius", [-1, math.nan, math.inf, 1e9, 40_000, 1000.1])
def test_a_circle_with_an_absurd_radius_is_nobody(radius: float) -> None:
    found = resolve(circle(point(0, 0), radius))
    assert found.villages == found.touched == ()
    assert found.unusable == 1


@pytest.mark.parametrize("center", [Point(90, 0), Point(-90, 180), Point(0, -180), Point(27, 179.9), Point(89.9, 115)])
def test_a_circle_at_the_ends_of_the_earth_is_nobody_here(center: Point) -> None:
    assert resolve(circle(center, 900)).villages == ()


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_townships_in_the_area_descriptions_are_the_area() -> None:
    found = named("泉江镇", text="遂川县气象台发布暴雨橙色预警，雩田镇已出现强降雨")
    assert found.villages == found.by_code == row(0)
    assert found.from_text
    assert found.unread == ()


def test_townships_in_the_text_count_where_the_descriptions_name_none() -> None:
    assert named("遂川县", text="预计泉江镇、雩田镇将出现暴雨").villages == row(0) + row(1)
    assert named(text="泉江、雩田").villages == ()


def test_where_it_has_rained_is_not_where_the_warning_holds() -> None:
    past = "过去3小时泉江镇已出现100毫米降水，"
    whole = named("遂川县").villages
    assert named("遂川县", text=past + "预计未来3小时遂川县仍有强降水").villages == whole != row(0)
    assert named("遂川县", text=past + "预计未来3小时雩田镇将出现暴雨").villages == row(1)
    assert named(text=past + "预计未来3小时仍有强降水").villages == ()
    assert named("遂川县", text="截至8时，全县普降暴雨；预计雩田镇将出现暴雨").villages == row(1)
    assert named("遂川县", text="目前泉江镇山洪风险高").villages == row(0)


def test_a_short_name_counts_only_as_a_whole_description() -> None:
    assert named("泉江").villages == row(0)
    assert named("泉江一带").villages == ()


def test_a_township_of_another_county_is_nobody() -> None:
    assert named("澄江镇").villages == ()
    assert named("泰和县澄江镇").villages == ()
    assert named("泰和县泉江镇").villages == ()
    assert named("遂川县泉江镇").villages == row(0)


def test_a_description_that_names_nothing_is_handed_back_unread() -> None:
    assert named("泉江镇", "火星镇").unread == ("火星镇",)
    assert resolve((*coded("360827100"), Area(description="雩田镇"))).unread == ("雩田镇",)


def test_a_village_counts_only_straight_after_its_township() -> None:
    assert named("泉江镇横坑村").villages == (village(0, 1),)
    assert named("泉江镇横坑村、江口村委会和上寨村，雩田镇").villages == (*row(0)[1:], *row(1))
    assert named("横坑村").villages == ()
    assert named("泉江镇横坑河段").villages == row(0)


def test_the_whole_county_only_where_the_text_says_so_plainly() -> None:
    both = row(0) + row(1)
    assert named("遂川县").villages == both
    assert named("全县").villages == both
    assert named("遂川县全境").villages == both
    assert named(text="预计未来3小时全县大部将出现暴雨，请转移至安全区均可").villages == both
    assert named(text="遂川县气象台发布暴雨橙色预警，请全县各单位防范").villages == ()
    assert named(text="转移至安全区可能需要时间").villages == ()
    assert named(text="全市大部将出现暴雨").villages == ()
    assert named("泰和县").villages == ()
    assert named("吉安市").villages == ()
    assert named("吉安市", prefixes=("360800",)).villages == row(2) + both
    assert named(text="泰和县全县有雨").villages == ()


def test_names_are_not_read_beside_a_code_or_a_shape() -> None:
    assert resolve(coded("360899"), text="泉江镇").villages == ()
    assert resolve(drawn(box(0.9, 0.9, 1.1, 1.1)), text="泉江镇").villages == (village(1, 1),)


def test_two_townships_of_one_name_need_their_county_before_them() -> None:
    twin = [replace(area, name="泉江镇") if area.code == "360826100" else area for area in valley()]
    fence = Geofence(twin)

    def find(text: str) -> tuple[str, ...]:
        return fence.resolve((Area(description=text),), text=text, prefixes=("360800",)).villages

    assert find("泉江镇") == ()
    assert find("泰和县泉江镇") == row(2)
    assert find("遂川县泉江镇") == row(0)


# ── points ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_inside_knows_shapes_and_not_codes() -> None:
    lat, lon = np.array([point(0, 0).lat, point(1, 1).lat]), np.array([point(0, 0).lon, point(1, 1).lon])
    assert FENCE.inside(coded("360827"), lat, lon).tolist() == [False, False]
    assert FENCE.inside(drawn(box(-0.1, -0.1, 0.1, 0.1)), lat, lon).tolist() == [True, False]
    assert FENCE.inside((), lat, lon).tolist() == [False, False]


def test_a_point_that_is_no_place_is_never_inside() -> None:
    nowhere = np.array([math.nan, math.inf, -math.inf])
    assert not FENCE.inside(drawn(box(-1, -1, 3, 4)), nowhere, nowhere).any()
    assert not FENCE.inside(circle(point(0, 0), 900), nowhere[:1], nowhere[:1]).any()


def test_distance_is_in_kilometres_and_nought_inside() -> None:
    lat = np.array([point(0, 0).lat, point(1, 0).lat, point(0, 0).lat])
    lon = np.array([point(0, 0).lon, point(0, 0).lon, point(0, 2).lon])
    for areas in (drawn(box(-0.5, -0.5, 0.5, 0.5)), coded(village(0, 0))):
        far = FENCE.distance_km(areas, resolve(areas), lat, lon)
        assert far[0] == 0
        assert far[1] == pytest.approx(0.556, abs=0.001)
        assert far[2] == pytest.approx(1.495, abs=0.005)
    disc = circle(point(0, 0), 0.5)
    assert FENCE.distance_km(disc, resolve(disc), lat, lon)[1] == pytest.approx(1.112 - 0.5, abs=0.001)
    assert np.isinf(FENCE.distance_km((), resolve(()), lat, lon)).all()


def test_an_empty_register_resolves_everything_to_nobody() -> None:
    empty = Geofence([])
    for areas in (coded("360827"), drawn(box(-1, -1, 3, 4)), (Area(description="泉江镇"),), ()):
        found = empty.resolve(areas, text="全县大部", prefixes=("360800",))
        assert found.villages == found.touched == found.counties == ()


def test_villages_that_all_stand_at_one_point_take_no_more_room_than_others() -> None:
    (city, *_), spot = valley(), replace(square(0, 0), boundary=None)
    heap = [replace(spot, code=f"36082710{number:04d}") for number in range(2_000)]
    tracemalloc.start()
    try:
        fence = Geofence([city, *heap])
        assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    finally:
        tracemalloc.stop()
    around = drawn(box(-0.1, -0.1, 0.1, 0.1)), drawn(box(1, 1, 2, 2))
    assert [len(fence.resolve(one, text="", prefixes=("360800",)).villages) for one in around] == [2_000, 0]


@pytest.mark.long
def test_ten_thousand_little_polygons_do_not_hold_the_residents_up() -> None:
    lat, lon = np.random.default_rng(1).uniform((26.2, 114.4), (26.4, 114.6), (200_000, 2)).T
    rings = tuple(box(r, c, r + 0.02, c + 0.02) for r in np.arange(0, 2, 0.02) for c in np.arange(0, 4, 0.04))
    began = time.process_time()
    inside = FENCE.inside(drawn(*rings), lat, lon)
    assert time.process_time() - began < 20
    assert 0 < inside.mean() < 0.5

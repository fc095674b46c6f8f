"""Native JSON: strict, and every fault named with its path. Hostile JSON is in tests/hostile/test_json.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.intake.decode import decode
from dispatcher.intake.findings import Decoded
from dispatcher.intake.judge import verdict_of
from dispatcher.intake.native import CONTENT_TYPE
from dispatcher.model import Code, Level, Point, Role, Verdict
from dispatcher.settings import Hazards

PROJECT = Path(__file__).resolve().parents[2]
HAZARDS = Hazards.model_validate(yaml.safe_load((PROJECT / "config" / "hazards.yaml").read_text(encoding="utf-8")))
SQUARE = [[26.3, 114.4], [26.4, 114.4], [26.4, 114.6], [26.3, 114.4]]
GOOD: dict[str, Any] = {
    "sender": "suichuan",
    "identifier": "36082741600000_20260612200000",
    "sent": "2026-06-12T20:00:00+08:00",
    "status": "Actual",
    "kind": "Alert",
    "scope": "Public",
    "event": "暴雨",
    "hazard": "11B03",
    "level": "red",
    "headline": "遂川县气象台发布暴雨红色预警",
    "description": "请注意",
    "expires": "2026-06-13T02:00:00+08:00",
    "areas": [
        {
            "description": "遂川县",
            "polygons": [SQUARE],
            "circles": [{"lat": 26.3, "lon": 114.5, "radius_km": 3}],
            "geocodes": ["360827", "360827100", "360827100201"],
        }
    ],
    "narrowing": {
        "roles": ["reservoir_keeper"],
        "groups": ["独居老人"],
        "risk_tags": ["水库下游"],
        "reason": "只涉及下游",
    },
    "sound_at_night": True,
}


def read(said: dict[str, Any] | str | bytes) -> Decoded:
    said = json.dumps(said) if isinstance(said, dict) else said
    return decode(said.encode() if isinstance(said, str) else said, CONTENT_TYPE, HAZARDS)


def refusal(said: dict[str, Any] | str | bytes) -> tuple[Code | None, str]:
    verdict, code, reason = verdict_of(read(said).findings)
    assert verdict is Verdict.REJECT, reason
    return code, reason


def test_a_whole_warning_is_read() -> None:
    decoded = read(GOOD)
    message = decoded.message
    assert decoded.findings == ()
    assert message is not None
    assert message.level is Level.RED
    assert message.hazard is not None
    assert message.hazard.name == "暴雨"
    area = message.areas[0]
    assert area.polygons[0][0] == Point(26.3, 114.4)
    assert area.circles[0].radius_km == 3
    assert [code.value for code in area.geocodes] == ["360827", "360827100", "360827100201"]
    assert message.narrowing.roles == (Role.RESERVOIR_KEEPER,)
    assert message.sound_at_night
    assert message.sent.isoformat() == GOOD["sent"]


def test_very_likely_is_read_as_likely() -> None:
    message = read(GOOD | {"certainty": "Very Likely"}).message
    assert message is not None
    assert message.certainty == "Likely"


def test_every_fault_is_listed_with_its_path() -> None:
    said = GOOD | {"level": "purple", "sent": "yesterday", "areas": [{"description": ""}], "colour": "red"}
    said.pop("status")
    code, reason = refusal(said)
    assert code is Code.SCHEMA
    for path in ("level：", "sent：", "areas.0.description：", "colour：没有这一项", "status：缺少这一项"):
        assert path in reason


@pytest.mark.parametrize(
    "change",
    [
        {"level": 1},
        {"sound_at_night": "true"},
        {"sound_at_night": 1},
        {"event": 7},
        {"areas": {}},
        {"areas": [{"description": "x", "polygons": [[["26.3", 114.4]]]}]},
        {"areas": [{"description": "x", "polygons": [[[26.3, 114.4, 5]]]}]},
        {"areas": [{"description": "x", "geocodes": [360827]}]},
        {"areas": [{"description": "x", "geocodes": ["36"]}]},
        {"areas": [{"description": "x", "geocodes": ["３６０８２７"]}]},
        {"areas": [{"description": "x", "geocodes": ["360827\n"]}]},
        {"areas": [{"description": "x", "circles": [{"lat": True, "lon": 1, "radius_km": 1}]}]},
        {"sent": 1781265600},
        {"narrowing": {"roles": ["village_head"]}},
        {"narrowing": {"groups": ["所有人"], "reason": "x"}},
        {"narrowing": {"roles": ["reservoir_keeper"]}},
        {"references": [{"sender": "a", "identifier": "b"}]},
        {"identifier": "a b"},
        {"sender": ""},
        {"scope": "Private"},
        {"scope": "Restricted"},
    ],
)
def test_a_wrong_type_or_value_is_refused(change: dict[str, Any]) -> None:
    assert refusal(GOOD | change)[0] is Code.SCHEMA


@pytest.mark.parametrize(
    "area",
    [
        {"polygons": [SQUARE[:3]]},
        {"polygons": [[*SQUARE[:3], [26.31, 114.4]]]},
        {"polygons": [[[114.4, 26.3], [114.4, 26.4], [114.6, 26.4], [114.4, 26.3]]]},
        {"circles": [{"lat": 26.3, "lon": 114.4, "radius_km": -1}]},
        {"circles": [{"lat": 26.3, "lon": 1e300, "radius_km": 1}]},
    ],
)
def test_a_geometry_that_cannot_be_is_refused(area: dict[str, Any]) -> None:
    assert refusal(GOOD | {"areas": [{"description": "x", **area}]})[0] is Code.GEOMETRY


def test_a_bow_tie_is_held() -> None:
    ring = [[26.3, 114.4], [26.4, 114.6], [26.3, 114.6], [26.4, 114.4], [26.3, 114.4]]
    found = read(GOOD | {"areas": [{"description": "x", "polygons": [ring]}]}).findings
    assert verdict_of(found)[:2] == (Verdict.HOLD, Code.GEOMETRY)


def test_brackets_inside_text_are_no_depth() -> None:
    assert read(GOOD | {"description": '[[{"\\' * 50}).findings == ()


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(GOOD)),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=20,
    ),
)
def test_no_json_raises(field: str, value: object) -> None:
    decoded = read(json.dumps(GOOD | {field: value}))
    assert decoded.message is not None or decoded.findings


LEAK: dict[str, Any] = GOOD | {
    "event": "液氨泄漏",
    "level": "orange",
    "areas": [
        {
            "description": "园区下风向",
            "sectors": [
                {"lat": 27.0, "lon": 114.8, "radius_km": 4, "bearing_deg": 135, "width_deg": 60, "inner_km": 0.5},
                {"lat": 27.0, "lon": 114.8, "radius_km": 2, "bearing_deg": 0, "width_deg": 360},
            ],
        }
    ],
}
del LEAK["hazard"], LEAK["narrowing"]


def test_a_downwind_sector_is_read_as_a_polygon_and_a_circle() -> None:
    decoded = read(LEAK)
    assert decoded.findings == ()
    assert decoded.message is not None
    (area,) = decoded.message.areas
    assert [len(ring) for ring in area.polygons] == [15]
    assert [circle.radius_km for circle in area.circles] == [0.5, 2]
    assert decoded.message.hazard is not None
    assert decoded.message.hazard.name == "危险化学品泄漏"


def test_a_bad_sector_is_refused_by_its_path_and_many_are_counted_as_polygons() -> None:
    sector = LEAK["areas"][0]["sectors"][0]
    code, reason = refusal(LEAK | {"areas": [{"description": "甲", "sectors": [sector, sector | {"width_deg": 5}]}]})
    assert code is Code.GEOMETRY
    assert "areas.0.sectors.1：扇形的 width_deg" in reason
    assert refusal(LEAK | {"areas": [{"description": "甲", "sectors": [sector] * 101}]})[0] is Code.SIZE


def test_a_colour_that_is_not_usual_for_a_hazard_is_said_and_holds_nobody_up() -> None:
    icing = GOOD | {"event": "道路结冰", "hazard": "11B21", "level": "blue", "headline": "道路结冰蓝色预警"}
    (found,) = read(icing).findings
    assert found.verdict is Verdict.ACCEPT
    assert "红色、橙色、黄色" in found.reason
    assert read(icing | {"level": "yellow"}).findings == ()

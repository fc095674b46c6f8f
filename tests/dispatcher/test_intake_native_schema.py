"""The published schema and the reader say the same: what one refuses for its form, the other does not let pass."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError, validators

from dispatcher.intake.decode import decode
from dispatcher.intake.native import CONTENT_TYPE, PLACE, json_schema
from dispatcher.intake.native.schema import LEAK, RAIN
from dispatcher.model import Code, Verdict
from tests.cap.corpus import HAZARDS
from tests.dispatcher.test_intake_native import GOOD

CONFIG = Path(__file__).resolve().parents[2] / "config"
SCHEMA = json_schema()
WHOLE: dict[str, Any] = {
    **LEAK,
    "scope": "Public",
    "hazard": "90000",
    "urgency": "Immediate",
    "certainty": "Very Likely",
    "categories": ["CBRNE", "Env"],
    "responses": ["Evacuate"],
    "effective": LEAK["sent"],
    "onset": LEAK["sent"],
    "instruction": "请听从现场人员指挥。",
    "web": "https://example.org/",
    "contact": "值班室",
    "note": "",
    "language": "zh-CN",
    "restriction": "",
    "addresses": [],
    "references": [{"sender": "a", "identifier": "b", "sent": "2026-06-11T09:00:00+08:00"}],
    "areas": [*LEAK["areas"], *GOOD["areas"]],
    "narrowing": GOOD["narrowing"],
    "sound_at_night": False,
    "retraction": False,
}
"""Every field once."""


def _pattern(validator: Any, pattern: str, value: object, _: object) -> Iterator[ValidationError]:
    """As ECMA-262 means it, which JSON Schema names: `$` is the very end, where Python lets a line break follow."""
    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield ValidationError(f"{value!r:.60} is not like {pattern}")


_Validator = validators.extend(Draft202012Validator, {"pattern": _pattern})


def problems(schema: dict[str, Any], value: object) -> list[str]:
    return [error.message for error in _Validator(schema).iter_errors(value)]


def refused(said: Any) -> set[Code]:
    body = json.dumps(said, ensure_ascii=False).encode()
    found = decode(body, CONTENT_TYPE, HAZARDS).findings
    return {finding.code for finding in found if finding.verdict is Verdict.REJECT}


def samples() -> list[Any]:
    files = [path for path in CONFIG.rglob("*.json") if "sender" in path.read_text(encoding="utf-8")]
    return [RAIN, LEAK, GOOD, WHOLE, *(json.loads(path.read_text(encoding="utf-8")) for path in files)]


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: str(sample["identifier"]))
def test_every_sample_fits_the_schema_and_is_read(sample: dict[str, Any]) -> None:
    assert problems(SCHEMA, sample) == []
    assert refused(sample) == set()


def test_the_schema_shows_its_samples_and_where_it_lies() -> None:
    assert SCHEMA["examples"] == [RAIN, LEAK]
    assert SCHEMA["$id"] == PLACE
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)


def test_every_field_says_in_chinese_what_it_is_and_those_with_a_form_show_it() -> None:
    every = [SCHEMA, *SCHEMA["$defs"].values()]
    fields = [(name, field) for one in every for name, field in one.get("properties", {}).items()]
    assert len(fields) > 40
    for name, field in fields:
        assert any("一" <= sign <= "鿿" for sign in field["description"]), name
    for name, field in fields:
        for example in field.get("examples", ()):
            assert problems({**field, "$defs": SCHEMA["$defs"]}, example) == [], name


def test_the_bearing_is_where_it_drifts_to_and_says_so() -> None:
    said = SCHEMA["$defs"]["SectorIn"]["properties"]["bearing_deg"]["description"]
    assert "飘去的方向" in said
    assert "不是风的来向" in said


@pytest.mark.parametrize(
    ("change", "schema_refuses", "codes"),
    [
        ({"scope": "Restricted"}, True, {Code.SCHEMA}),
        ({"scope": "Restricted", "restriction": "  "}, True, {Code.SCHEMA}),
        ({"scope": "Restricted", "restriction": "内部"}, False, set()),
        ({"scope": "Private"}, True, {Code.SCHEMA}),
        ({"scope": "Private", "addresses": ["甲"]}, False, set()),
        ({"narrowing": {"roles": ["park_safety"]}}, True, {Code.SCHEMA}),
        ({"narrowing": {"groups": ["残疾人"], "reason": "只涉及他们"}}, False, set()),
        ({"narrowing": {"reason": ""}}, False, set()),
        ({"narrowing": {"roles": ["park_safety"]}, "level": "orange"}, False, set()),
        ({"retraction": True}, True, {Code.SCHEMA}),
        ({"retraction": True, "kind": "Cancel"}, False, set()),
        ({"headline": "雨" * 401}, True, {Code.TEXT}),
        ({"sent": "2026-06-12T20:06:55Z"}, True, {Code.SCHEMA}),
        ({"sent": "2026-06-12T24:06:55+08:00"}, True, {Code.SCHEMA}),
        ({"sent": "1899-06-12T20:06:55+08:00"}, True, {Code.SCHEMA}),
    ],
)
def test_two_fields_together_are_judged_alike(change: dict[str, Any], schema_refuses: bool, codes: set[Code]) -> None:
    said = RAIN | change
    assert bool(problems(SCHEMA, said)) == schema_refuses
    assert refused(said) == codes


SECTOR = LEAK["areas"][0]["sectors"][0]
RING = GOOD["areas"][0]["polygons"][0]


@pytest.mark.parametrize(
    ("area", "schema_refuses"),
    [
        ({"sectors": [SECTOR | {"radius_km": 50.5}]}, True),
        ({"sectors": [SECTOR | {"radius_km": 0}]}, True),
        ({"sectors": [SECTOR | {"bearing_deg": -1}]}, True),
        ({"sectors": [SECTOR | {"bearing_deg": 361}]}, True),
        ({"sectors": [SECTOR | {"width_deg": 9}]}, True),
        ({"sectors": [SECTOR | {"width_deg": 361}]}, True),
        ({"sectors": [SECTOR | {"lat": 114.8, "lon": 27.0}]}, True),
        ({"sectors": [SECTOR | {"inner_km": 0}]}, True),
        ({"sectors": [SECTOR | {"inner_km": 5}]}, False),
        ({"circles": [{"lat": 26.3, "lon": 114.5, "radius_km": -1}]}, True),
        ({"circles": [{"lat": 26.3, "lon": 190, "radius_km": 1}]}, True),
        ({"polygons": [RING[:3]]}, True),
        ({"polygons": [[[lon, lat] for lat, lon in RING]]}, True),
        ({"polygons": [[*RING, [26.31, 114.4]]]}, False),
    ],
)
def test_a_shape_that_cannot_be_is_refused_by_both_where_a_schema_can_say_it(
    area: dict[str, Any], schema_refuses: bool
) -> None:
    said = LEAK | {"areas": [{"description": "甲", **area}]}
    assert bool(problems(SCHEMA, said)) == schema_refuses
    assert refused(said) == {Code.GEOMETRY}


# ── both ways, over mutated documents ───────────────────────────────────────────────────────────────────────────────

ALPHABET = st.sampled_from("ab1<&,. -红雨")
WORDS = st.text(ALPHABET, max_size=8) | st.sampled_from(
    ["red", "Actual", "Cancel", "Restricted", "Private", "11B03", "360827", "36", "park_safety", "独居老人", "Met", "zh",
     "2026-06-12T20:06:55+08:00", "2026-06-12T20:06:55Z", "2026-13-12T20:06:55+08:00", "2026-06-12", "", "None"]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-400, 400) | st.floats(-1e6, 1e6) | WORDS
JUNK = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*WHOLE, "lat", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def alike(value: Any) -> st.SearchStrategy[Any]:
    """Something of the same kind: about half of it is let pass."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int | float):
        return st.floats(-200, 400) | st.integers(0, 60) | st.floats(0, 90)
    if isinstance(value, str):
        return WORDS
    return st.just([]) if isinstance(value, list) else JUNK


def places(of: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of everything in a document but the document itself."""
    inner = of.items() if isinstance(of, dict) else enumerate(of) if isinstance(of, list) else ()
    return [path for key, one in inner for path in ((*at, key), *places(one, (*at, key)))]


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    said: dict[str, Any] = copy.deepcopy(draw(st.sampled_from([RAIN, LEAK, GOOD, WHOLE])))
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(places(said)))
        spot: Any = said
        for key in path[:-1]:
            spot = spot[key]
        match draw(st.sampled_from(["put", "put", "put", "take", "add"])):
            case "put":
                spot[path[-1]] = draw(st.one_of(alike(spot[path[-1]]), JUNK))
            case "take" if len(places(said)) > 1:
                del spot[path[-1]]
            case _ if isinstance(spot, dict):
                spot[draw(st.sampled_from([*WHOLE, "colour", "radius"]))] = draw(JUNK)
            case _:
                spot.append(draw(JUNK))
    return said


@pytest.mark.long
@settings(max_examples=1500)
@given(mutated())
def test_what_the_schema_lets_pass_no_reader_refuses_for_its_form_and_what_it_refuses_no_reader_lets_pass(
    said: dict[str, Any],
) -> None:
    """Left to the reader alone: that a ring closes, an inner circle is the smaller one, a day exists."""
    found, codes = problems(SCHEMA, said), refused(said)
    if found:
        assert codes, found
    else:
        assert codes <= {Code.GEOMETRY}, codes

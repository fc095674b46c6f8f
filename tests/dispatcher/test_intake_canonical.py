"""A message stored as JSON comes back equal; its digest says whether two are the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.intake.canonical import digest, from_json, to_json
from dispatcher.intake.decode import decode
from dispatcher.model import (
    Area,
    Circle,
    Geocode,
    Hazard,
    Narrowing,
    Point,
    Reference,
    Resource,
    WarningMessage,
)
from dispatcher.settings import Hazards

PROJECT = Path(__file__).resolve().parents[2]
HAZARDS = Hazards.model_validate(yaml.safe_load((PROJECT / "config" / "hazards.yaml").read_text(encoding="utf-8")))
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.builds(lambda seconds, zone: datetime.fromtimestamp(seconds, tz=zone), st.floats(0, 7_000_000_000), zones)
numbers = st.floats(-180, 180)
points = st.builds(Point, numbers, numbers)
st.register_type_strategy(str, text)
st.register_type_strategy(datetime, moments)
references = st.builds(Reference, sender=text, identifier=text, sent=moments)
areas = st.builds(
    Area,
    description=text,
    polygons=st.lists(st.lists(points, max_size=5).map(tuple), max_size=2).map(tuple),
    circles=st.lists(st.builds(Circle, points, numbers), max_size=2).map(tuple),
    geocodes=st.lists(st.builds(Geocode, scheme=text, value=text), max_size=3).map(tuple),
)
messages = st.builds(
    WarningMessage,
    hazard=st.none() | st.builds(Hazard, scheme=text, code=text, name=text),
    categories=st.lists(text, max_size=2).map(tuple),
    responses=st.lists(text, max_size=2).map(tuple),
    effective=st.none() | moments,
    onset=st.none() | moments,
    expires=st.none() | moments,
    addresses=st.lists(text, max_size=2).map(tuple),
    references=st.lists(references, max_size=2).map(tuple),
    areas=st.lists(areas, max_size=2).map(tuple),
    resources=st.lists(st.builds(Resource), max_size=2).map(tuple),
    parameters=st.lists(st.tuples(text, text), max_size=2).map(tuple),
    narrowing=st.builds(Narrowing),
)


@pytest.mark.long
@settings(max_examples=150, deadline=None)
@given(messages)
def test_what_is_stored_comes_back_equal_and_with_the_same_digest(message: WarningMessage) -> None:
    stored = json.loads(json.dumps(to_json(message), ensure_ascii=False, allow_nan=False))
    again = from_json(stored)
    assert again == message
    assert digest(again) == digest(message)


@pytest.mark.long
@settings(max_examples=100, deadline=None)
@given(messages, messages)
def test_two_that_say_different_things_have_different_digests(one: WarningMessage, other: WarningMessage) -> None:
    same = replace(one, source_format="", signature_present=False) == replace(
        other, source_format="", signature_present=False
    )
    assert (digest(one) == digest(other)) == same


@settings(max_examples=50, deadline=None)
@given(messages)
def test_how_it_travelled_does_not_count(message: WarningMessage) -> None:
    beijing = timezone(timedelta(hours=8))
    travelled = replace(message, source_format="x", signature_present=True, sent=message.sent.astimezone(beijing))
    assert digest(travelled) == digest(message)


def test_every_alert_of_the_chinese_profile_goes_round() -> None:
    digests = set()
    for path in sorted((PROJECT / "tests" / "cap").glob("cn_*.xml")):
        message = decode(path.read_bytes(), "", HAZARDS).message
        assert message is not None
        assert from_json(json.loads(json.dumps(to_json(message)))) == message
        digests.add(digest(message))
    assert len(digests) == 40


def test_stored_times_are_utc() -> None:
    path = PROJECT / "tests" / "cap" / "cn_01_county12.xml"
    message = decode(path.read_bytes(), "", HAZARDS).message
    assert message is not None
    assert to_json(message)["sent"] == message.sent.astimezone(UTC).isoformat() == "2026-06-12T12:06:55+00:00"

"""What is read and written again is the same message, and valid against the schema, whatever stands in it."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from dispatcher.intake.decode import decode
from dispatcher.model import (
    Area,
    Circle,
    Geocode,
    Kind,
    Level,
    Narrowing,
    Point,
    Reference,
    Resource,
    Role,
    Scope,
    Status,
    WarningMessage,
)
from dispatcher.publishing.cap import SEVERITIES, write
from tests.cap.corpus import HAZARDS, OURS, valid_files
from tests.cap.independent import areas_by_capparser, areas_of

SCHEMA = etree.XMLSchema(etree.parse(OURS / "CAP-v1.2.xsd"))
HAZARD = next(kind for kind in HAZARDS.hazards if kind.name == "暴雨")


def again(message: WarningMessage) -> WarningMessage:
    written = write(message)
    assert SCHEMA.validate(etree.fromstring(written)), SCHEMA.error_log
    read = decode(written, "application/cap+xml", HAZARDS).message
    assert read is not None
    return read


@pytest.mark.parametrize("file", valid_files())
def test_every_valid_file_read_and_written_again_is_equal(file: Path) -> None:
    message = decode(file.read_bytes(), "application/cap+xml", HAZARDS).message
    assert message is not None
    assert again(message) == replace(message, signature_present=False)


@pytest.mark.parametrize("file", valid_files())
def test_an_independent_reader_finds_the_same_areas(file: Path) -> None:
    """capparser knows nothing of ours."""
    message = decode(file.read_bytes(), "application/cap+xml", HAZARDS).message
    assert message is not None
    assert areas_by_capparser(write(message)) == areas_of(message)


# ── any message ─────────────────────────────────────────────────────────────────────────────────────────────────────


def to_nanometre(degrees: float) -> float:
    """Nobody writes more digits, and a reader takes twenty."""
    return round(degrees, 12)


words = st.text(string.ascii_letters + string.punctuation + " 暴雨红色预警镇。，【】𠮷é", min_size=1, max_size=60)
said = words.map(lambda text: " ".join(text.split())).filter(bool)
names = st.text(string.ascii_letters + string.digits + "._:-", min_size=1, max_size=40)
seconds = st.integers(0, 10**8).map(lambda number: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number))
points = st.builds(Point, st.floats(-90, 90).map(to_nanometre), st.floats(-180, 180).map(to_nanometre))
rings = st.lists(points, min_size=3, max_size=8).map(lambda some: (*some, some[0]))
areas = st.builds(
    Area,
    description=said,
    polygons=st.lists(rings, max_size=2).map(tuple),
    circles=st.lists(st.builds(Circle, points, st.floats(0, 20_000).map(to_nanometre)), max_size=2).map(tuple),
    geocodes=st.lists(st.builds(Geocode, scheme=said, value=said), max_size=3).map(tuple),
)
alerts = st.builds(
    WarningMessage,
    source_format=st.just("cap-1.2"),
    sender=names,
    identifier=names,
    sent=seconds,
    status=st.sampled_from(Status),
    kind=st.sampled_from(Kind),
    scope=st.just(Scope.PUBLIC),
    sender_name=st.just("") | said,
    event=said,
    level=st.none() | st.sampled_from(Level),
    urgency=st.sampled_from(["Immediate", "Expected", "Future", "Past", "Unknown"]),
    certainty=st.sampled_from(["Observed", "Likely", "Possible", "Unlikely", "Unknown"]),
    categories=st.lists(st.sampled_from(["Geo", "Met", "Fire", "CBRNE"]), min_size=1, max_size=3, unique=True).map(
        tuple
    ),
    responses=st.lists(st.sampled_from(["Evacuate", "Monitor", "None"]), max_size=2, unique=True).map(tuple),
    effective=st.none() | seconds,
    expires=st.none() | seconds,
    headline=st.just("") | said,
    description=st.just("") | st.lists(said, min_size=1, max_size=3).map("\n".join),
    instruction=st.just("") | said,
    note=st.just("") | said,
    language=st.sampled_from(["zh-CN", "en-US"]),
    references=st.lists(
        st.builds(Reference, sender=names, identifier=names, sent=seconds), max_size=3, unique=True
    ).map(tuple),
    areas=st.lists(areas, max_size=3, unique=True).map(tuple),
    resources=st.lists(
        st.builds(Resource, description=said, mime_type=st.just("image/png"), size=st.none() | st.integers(0, 10**9)),
        max_size=2,
    ).map(tuple),
    parameters=st.lists(st.tuples(names, said), max_size=3).map(tuple),
)


@pytest.mark.long
@given(alerts)
def test_any_message_is_written_and_read_again_as_it_is(drawn: WarningMessage) -> None:
    """Once through the reader, it is what a reader makes of it: plain text, a hazard and a level that are known."""
    read = again(drawn)
    assert again(read) == read
    assert (read.sender, read.identifier, read.sent) == (drawn.sender, drawn.identifier, drawn.sent)
    assert (read.references, read.expires, read.kind) == (drawn.references, drawn.expires, drawn.kind)
    assert [(a.polygons, a.circles) for a in read.areas] == [(a.polygons, a.circles) for a in drawn.areas]


def warning(**said: object) -> WarningMessage:
    plain = WarningMessage(
        source_format="cap-1.2",
        sender="36080041600000",
        identifier="36080041600000_20260612200000",
        sent=datetime(2026, 6, 12, 12, tzinfo=UTC),
        status=Status.ACTUAL,
        kind=Kind.ALERT,
        scope=Scope.PUBLIC,
        event="暴雨",
        level=Level.RED,
        categories=("Met",),
    )
    return replace(plain, **said)


@pytest.mark.parametrize("text", ["水位 & 雨量 < 100 毫米", "写作 &lt;b&gt; 的标签", "&amp;nbsp;", "]]>", "A&B;C"])
def test_what_looks_like_markup_is_text_and_stays_it(text: str) -> None:
    assert again(warning(description=text)).description == text


def test_numbers_are_written_without_an_exponent_and_lose_nothing() -> None:
    tiny = (Point(1e-7, 114.123456789), Point(26.0, 1e-05), Point(26.5, 115.0), Point(1e-7, 114.123456789))
    area = Area(description="近赤道", polygons=(tiny,), circles=(Circle(Point(0.1, 0.2), 1e-3),))
    assert b"e-" not in write(warning(areas=(area,))).lower().partition(b"<area>")[2]
    assert again(warning(areas=(area,))).areas == (area,)


def test_a_narrowing_said_in_another_format_is_written_as_parameters() -> None:
    narrowing = Narrowing(roles=(Role.FOREST_RANGER,), groups=("独居老人",), reason="只通知护林员")
    read = again(warning(narrowing=narrowing, sound_at_night=True))
    assert (read.narrowing, read.sound_at_night) == (narrowing, True)


def test_a_message_for_a_few_keeps_its_addresses_and_one_for_some_its_restriction() -> None:
    private = again(warning(scope=Scope.PRIVATE, addresses=("a@b.cn", "值班室 甲")))
    assert private.addresses == ("a@b.cn", "值班室 甲")
    assert again(warning(scope=Scope.RESTRICTED, restriction="防汛责任人")).restriction == "防汛责任人"


def test_a_cancel_needs_hardly_anything() -> None:
    first = Reference(sender="36080041600000", identifier="1", sent=datetime(2026, 6, 12, tzinfo=UTC))
    cancel = WarningMessage(
        source_format="cap-1.2",
        sender="36080041600000",
        identifier="2",
        sent=datetime(2026, 6, 12, 13, tzinfo=UTC),
        status=Status.ACTUAL,
        kind=Kind.CANCEL,
        scope=Scope.PUBLIC,
        language="zh-CN",
        references=(first,),
    )
    assert b"<info>" not in write(cancel)
    assert again(cancel) == cancel


def test_every_level_has_its_severity() -> None:
    for level, severity in SEVERITIES.items():
        assert f"<severity>{severity}</severity>".encode() in write(warning(level=level))
        assert again(warning(level=level)).level is level

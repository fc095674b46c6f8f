"""The national XML (12379): the same names, other meanings; whatever encloses nothing is no area."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.intake.canonical import digest
from dispatcher.intake.decode import decode
from dispatcher.intake.findings import Decoded
from dispatcher.intake.judge import verdict_of
from dispatcher.model import Circle, Code, Kind, Level, Point, Scope, Status, Verdict, WarningMessage
from tests.cap.corpus import HAZARDS

FIRST = "36080041600000_20210628143000"
SQUARE = "27.10,114.90 27.20,114.90 27.20,115.00 27.10,114.90"
AREA = "<area><areaDesc>吉州区、吉安县</areaDesc>{polygon}{circle}<geocode>{geocode}</geocode></area>"
ALERT = """<?xml version="1.0" encoding="UTF-8"?>
<{root} xmlns="http://com.icss.amp">
<identifier>{identifier}</identifier><sender>吉安市气象局</sender><senderCode>36080041600000</senderCode>
<phone>0796-8220000</phone><sendTime>{sendTime}</sendTime><status>{status}</status><msgType>{msgType}</msgType>
<scope>Public</scope>
<code><method><methodName>SMS</methodName><message>请尽快转移。</message><audienceGrp>1,2</audienceGrp></method>
<method><methodName>SPEAKER</methodName><message></message></method></code>
<secClassification>{secret}</secClassification><note>{note}</note><references>{references}</references>
<info><language>zh-CN</language><eventType>{eventType}</eventType><urgency>Unknown</urgency><severity>{severity}</severity>
<certainty>{certainty}</certainty><effective>2021-06-28 14:30:00+08:00</effective><onset></onset>
<expires>2021-06-28 20:30:00+08:00</expires><senderName>吉安市气象局李明</senderName>
<headline>{headline}</headline><description>预计未来3小时降雨量将达100毫米以上。</description>
<instruction>请注意防范。</instruction><web></web>
<resource><resourceDesc>{identifier}_P_01.doc</resourceDesc><size>1024</size><digest>abc</digest></resource>
{area}</info></{root}>"""


def amp(**said: str) -> Decoded:
    area = {"polygon": "", "circle": "", "geocode": "360802000000,36082100000000"}
    area |= {name: said.pop(name) for name in tuple(said) if name in area}
    whole = {
        "root": "alert",
        "identifier": FIRST,
        "sendTime": "2021-06-28 14:30:00+08:00",
        "status": "Actual",
        "msgType": "Alert",
        "secret": "None",
        "note": "",
        "references": "",
        "eventType": "11B03",
        "severity": "Red",
        "certainty": "Unknown",
        "headline": "吉安市气象局发布暴雨红色预警",
        "area": AREA.format(**area),
    } | said
    return decode(ALERT.format(**whole).encode(), "application/xml", HAZARDS)


def message_of(decoded: Decoded) -> WarningMessage:
    assert decoded.message is not None, decoded.findings
    return decoded.message


def verdict(decoded: Decoded) -> tuple[Verdict, Code | None]:
    return verdict_of(decoded.findings)[:2]


def test_each_name_means_what_it_means_there() -> None:
    decoded = amp()
    message = message_of(decoded)
    assert decoded.findings == ()
    assert (message.sender, message.sender_name) == ("36080041600000", "吉安市气象局")
    assert "李明" not in repr(message), "who signed is a person, and is not kept"
    assert message.sent == datetime(2021, 6, 28, 6, 30, tzinfo=UTC)
    assert (message.kind, message.status, message.scope) == (Kind.ALERT, Status.ACTUAL, Scope.PUBLIC)
    assert message.hazard is not None
    assert (message.hazard.scheme, message.hazard.code, message.event) == ("NERP", "11B03", "暴雨")
    assert (message.level, message.categories) == (Level.RED, ("Met",))
    assert message.expires == datetime(2021, 6, 28, 12, 30, tzinfo=UTC)
    assert (message.contact, message.parameters) == ("0796-8220000", (("12379:SMS", "请尽快转移。"),))
    (area,) = message.areas
    assert [code.value for code in area.geocodes] == ["360802000000", "360821000000"]
    (resource,) = message.resources
    assert (resource.description, resource.mime_type, resource.size) == (
        f"{FIRST}_P_01.doc",
        "application/msword",
        1024,
    )


def test_a_root_named_after_the_status_is_read_too() -> None:
    message = message_of(amp(root="test", status="Test"))
    assert message.status is Status.TEST


def test_a_circle_is_in_metres_and_a_full_width_comma_parts_codes() -> None:
    message = message_of(amp(circle="<circle>27.1,114.9 5000</circle>", geocode="360802，360821"))
    (area,) = message.areas
    assert area.circles == (Circle(Point(27.1, 114.9), 5.0),)
    assert [code.value for code in area.geocodes] == ["360802", "360821"]


def test_an_update_and_a_cancel_name_the_first_issue_and_when_that_was() -> None:
    for kind in ("Update", "Cancel"):
        later = amp(msgType=kind, identifier="36080041600000_20210628160000_2", references=FIRST, note="雨停")
        (reference,) = message_of(later).references
        first = message_of(amp())
        assert (reference.sender, reference.identifier, reference.sent) == (first.sender, first.identifier, first.sent)


def test_the_time_is_the_identifiers_so_that_an_update_finds_it() -> None:
    a_second_off = amp(sendTime="2021-06-28 14:30:07+08:00")
    assert a_second_off.findings == ()
    assert message_of(a_second_off).sent == datetime(2021, 6, 28, 6, 30, tzinfo=UTC)
    hours_off = amp(sendTime="2021-06-28 17:30:00+08:00")
    assert [finding.code for finding in hours_off.findings] == [Code.CLOCK]
    assert verdict(hours_off) == (Verdict.ACCEPT, None)


def test_a_line_that_is_not_closed_is_no_area_and_waits_for_a_person() -> None:
    river = amp(polygon="<polygon>27.1,114.9 27.2,115.0 27.3,115.0</polygon>")
    assert verdict(river) == (Verdict.HOLD, Code.GEOMETRY)
    assert message_of(river).areas[0].polygons == ()
    assert message_of(amp(polygon=f"<polygon>{SQUARE}</polygon>")).areas[0].polygons[0][0] == Point(27.1, 114.9)


@pytest.mark.parametrize("polygon", ["114.90,27.10 114.90,27.20 115.00,27.20 114.90,27.10", "一 二", "27.1,114.9"])
def test_what_is_no_polygon_is_refused(polygon: str) -> None:
    assert verdict(amp(polygon=f"<polygon>{polygon}</polygon>")) == (Verdict.REJECT, Code.GEOMETRY)


def test_a_code_finer_than_a_village_stays_as_it_is_for_nothing_is_widened() -> None:
    (area,) = message_of(amp(geocode="36082710020105")).areas
    assert [code.value for code in area.geocodes] == ["36082710020105"]


def test_what_is_internal_is_not_for_the_public() -> None:
    message = message_of(amp(secret="Inner"))
    assert message.scope is Scope.RESTRICTED
    assert message.restriction


def test_two_colours_are_for_a_person_to_decide() -> None:
    decoded = amp(severity="Orange")
    assert verdict(decoded) == (Verdict.HOLD, Code.LEVEL_UNKNOWN)
    assert message_of(amp(severity="Unknown")).level is Level.RED
    assert message_of(amp(severity="Blue", headline="吉安市气象局发布暴雨预警")).level is Level.BLUE


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "actual"),
        ("status", "System"),
        ("msgType", ""),
        ("sendTime", "2021-06-28T06:30:00Z"),
        ("sendTime", "2021-02-30 14:30:00+08:00"),
        ("severity", "red"),
        ("secret", "Top"),
        ("references", "不是编号"),
        ("references", "36080041600000_20210230143000"),
        ("identifier", ""),
    ],
)
def test_what_cannot_be_read_is_refused(field: str, value: str) -> None:
    decoded = amp(**{field: value})
    assert verdict(decoded) == (Verdict.REJECT, Code.SCHEMA), decoded


def test_a_hazard_nobody_knows_keeps_its_code_as_its_name() -> None:
    message = message_of(amp(eventType="11Z99"))
    assert (message.event, message.hazard) == ("11Z99", None)


def test_a_code_that_several_hazards_share_names_none_of_them() -> None:
    """水库泄洪 must not go out as 低温冰冻."""
    message = message_of(amp(eventType="90000"))
    assert (message.event, message.hazard) == ("90000", None)


def test_a_call_off_is_obeyed_however_little_it_says() -> None:
    later = {"msgType": "Cancel", "identifier": "36080041600000_20210628220000", "references": FIRST}
    whole = amp(sendTime="2021-06-28 22:00:00+08:00", severity="", **later)
    assert whole.message is not None
    assert not [finding for finding in whole.findings if finding.verdict is not Verdict.ACCEPT]
    river = amp(sendTime="2021-06-28 22:00:00+08:00", polygon="<polygon>27.1,114.9 27.2,115.0</polygon>", **later)
    assert verdict(river) == (Verdict.ACCEPT, None)
    head, _, _ = ALERT.partition("<info>")
    values = {
        "root": "alert",
        "sendTime": "2021-06-28 22:00:00+08:00",
        "status": "Actual",
        "secret": "None",
        "note": "",
    }
    bare = decode((head + "</{root}>").format(**values, **later).encode(), "", HAZARDS)
    assert (verdict(bare), message_of(bare).kind) == ((Verdict.ACCEPT, None), Kind.CANCEL)


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_the_ends_of_the_calendar_overflow_nowhere(year: str) -> None:
    named = f"36080041600000_{year}0101000000"
    for decoded in (amp(references=named, msgType="Update"), amp(sendTime=f"{year}-01-01 00:00:00+08:00")):
        assert verdict(decoded) == (Verdict.REJECT, Code.SCHEMA)
    assert digest(message_of(amp(identifier=named)))


def test_a_root_that_contradicts_its_status_is_neither() -> None:
    assert verdict(amp(root="test")) == (Verdict.REJECT, Code.DRILL_MIXED)
    assert amp(root="actual").findings == ()


def test_millions_of_codes_are_counted_and_not_made() -> None:
    assert verdict(amp(geocode="1," * 200_000)) == (Verdict.REJECT, Code.SIZE)
    assert verdict(amp(references="x," * 200_000)) == (Verdict.REJECT, Code.SIZE)


def test_what_is_said_twice_is_refused() -> None:
    twice = ALERT.format(
        root="alert",
        identifier=FIRST,
        sendTime="2021-06-28 14:30:00+08:00",
        status="Actual",
        msgType="Alert",
        secret="None",
        note="",
        references="",
        eventType="11B03",
        severity="Red",
        certainty="VeryLikely",
        headline="x",
        area="<severity>Blue</severity>",
    )
    assert verdict(decode(twice.encode(), "", HAZARDS)) == (Verdict.REJECT, Code.SCHEMA)


@given(st.sampled_from(["severity", "status", "sendTime", "references", "geocode", "certainty", "headline"]), st.text())
def test_no_word_breaks_the_reader(field: str, value: str) -> None:
    escaped = value.translate({ord("<"): " ", ord("&"): " "})
    amp(**{field: escaped})

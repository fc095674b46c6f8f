"""CAP 1.2: the rules the schema cannot say, and what a Chinese feed means."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from dispatcher.intake.decode import decode
from dispatcher.intake.findings import Decoded
from dispatcher.intake.judge import verdict_of
from dispatcher.model import Code, Level, Point, Role, Verdict, WarningMessage
from dispatcher.settings import Hazards

PROJECT = Path(__file__).resolve().parents[2]
HAZARDS = Hazards.model_validate(yaml.safe_load((PROJECT / "config" / "hazards.yaml").read_text(encoding="utf-8")))
XSD_SHA256 = "b7798ef25868b068c97b268bda02d067c7d4ba9373adc5638bf37105804ee723"

INFO = """<info><language>zh-CN</language><category>Met</category><event>暴雨</event><urgency>Unknown</urgency>
<severity>Extreme</severity><certainty>Likely</certainty>
{codes}<expires>2026-06-13T02:00:00+08:00</expires><headline>遂川县气象台发布暴雨红色预警</headline>
<description>{description}</description>{extra}
<area><areaDesc>{place}</areaDesc>{area}</area></info>"""
ALERT = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>36082741600000_20260612200000</identifier>
<sender>suichuan</sender><sent>{sent}</sent><status>Actual</status><msgType>{kind}</msgType>
<scope>{scope}</scope>{head}{info}{tail}</alert>"""
SQUARE = "26.30,114.40 26.40,114.40 26.40,114.60 26.30,114.40"
CODE = "<geocode><valueName>CPEAS Geographic Code</valueName><value>360827</value></geocode>"


def alert(**said: str) -> Decoded:
    info = {"codes": "", "description": "请注意", "extra": "", "area": CODE, "place": "遂川县"}
    info |= {name: said.pop(name) for name in tuple(said) if name in info}
    head = {"sent": "2026-06-12T20:00:00+08:00", "kind": "Alert", "scope": "Public", "head": "", "tail": ""}
    whole = {**head, "info": INFO.format(**info), **said}
    return decode(ALERT.format(**whole).encode("utf-8"), "application/cap+xml", HAZARDS)


def message_of(decoded: Decoded) -> WarningMessage:
    assert decoded.message is not None, decoded.findings
    assert not decoded.findings, decoded.findings
    return decoded.message


def verdict(decoded: Decoded) -> tuple[Verdict, Code | None]:
    return verdict_of(decoded.findings)[:2]


def parameter(name: str, value: str) -> str:
    return f"<parameter><valueName>{name}</valueName><value>{value}</value></parameter>"


def test_the_schema_is_the_one_oasis_published() -> None:
    for copy in (PROJECT / "dispatcher" / "intake" / "CAP-v1.2.xsd", PROJECT / "tests" / "cap" / "CAP-v1.2.xsd"):
        assert hashlib.sha256(copy.read_bytes()).hexdigest() == XSD_SHA256
        assert b"Copyright OASIS Open 2010" in copy.read_bytes()


def test_a_plain_red_rainstorm_is_read_whole() -> None:
    message = message_of(alert())
    assert message.level is Level.RED
    assert message.hazard is not None
    assert (message.hazard.scheme, message.hazard.code, message.hazard.name) == ("NERP", "11B03", "暴雨")
    assert message.areas[0].geocodes[0].value == "360827"
    assert message.expires == message.sent + timedelta(hours=6)
    assert message.effective is None
    assert not message.signature_present


@pytest.mark.parametrize(
    "sent",
    [
        "2026-06-12T20:00:00Z",
        "2026-06-12T20:00:00.5+08:00",
        "2026-06-12T20:00:00,08:00",
        "2026-02-30T20:00:00+08:00",
        "2026-06-12T24:00:00+08:00",
        "2026-06-12T20:00:00",
        "2026-06-12 20:00:00+08:00",
        "0001-01-01T00:00:00+08:00",
    ],
)
def test_a_time_that_is_none_is_refused(sent: str) -> None:
    assert verdict(alert(sent=sent)) == (Verdict.REJECT, Code.SCHEMA)


def test_negative_zero_is_utc() -> None:
    offset = message_of(alert(sent="2026-06-12T12:00:00-00:00")).sent.utcoffset()
    assert offset == timedelta(0)


@pytest.mark.parametrize("name", ["a b", "a,b", "a&lt;b", "a&amp;b", "", "a\u200bb", "a\u00a0b", "x" * 257])
def test_an_identifier_that_would_break_references_is_refused(name: str) -> None:
    body = ALERT.format(sent="2026-06-12T20:00:00+08:00", kind="Alert", scope="Public", head="", tail="", info="")
    body = body.replace("36082741600000_20260612200000", name)
    assert verdict(decode(body.encode(), "", HAZARDS)) == (Verdict.REJECT, Code.SCHEMA)


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ("<polygon>26.30,114.40 26.40,114.40 26.40,114.60</polygon>", Code.GEOMETRY),
        ("<polygon>26.30,114.40 26.40,114.40 26.40,114.60 26.31,114.40</polygon>", Code.GEOMETRY),
        ("<polygon>114.40,26.30 114.40,26.40 114.60,26.40 114.40,26.30</polygon>", Code.GEOMETRY),
        ("<polygon>26.30,114.40 26.40,181 26.40,114.60 26.30,114.40</polygon>", Code.GEOMETRY),
        ("<polygon>26.30,114.40 nan,nan 26.40,114.60 26.30,114.40</polygon>", Code.GEOMETRY),
        ("<polygon>26.30,114.40 1e308,inf 26.40,114.60 26.30,114.40</polygon>", Code.GEOMETRY),
        ("<polygon>２６.30,114.40 26.40,114.40 26.40,114.60 ２６.30,114.40</polygon>", Code.GEOMETRY),
        ("<polygon>26.30，114.40 26.40，114.40 26.40，114.60 26.30，114.40</polygon>", Code.GEOMETRY),
        ("<polygon/>", Code.GEOMETRY),
        ("<circle>26.35,114.50 -3</circle>", Code.GEOMETRY),
        ("<circle>26.35,114.50</circle>", Code.GEOMETRY),
        ("<circle>26.35,114.50 30000</circle>", Code.GEOMETRY),
        ("<circle>126.35,114.50 3</circle>", Code.GEOMETRY),
        ("<geocode><valueName>CPEAS Geographic Code</valueName><value> </value></geocode>", Code.SCHEMA),
        ("<geocode><valueName/><value>360827</value></geocode>", Code.SCHEMA),
        ("<ceiling>100</ceiling>", Code.SCHEMA),
        ("<altitude>200</altitude><ceiling>100</ceiling>", Code.SCHEMA),
        ("<polygon>" + SQUARE + "</polygon>" + f"<polygon>{SQUARE}</polygon>" * 100, Code.SIZE),
        ("<polygon>" + "26.1,114.1 " * 10_001 + "</polygon>", Code.SIZE),
    ],
)
def test_an_area_that_is_not_plain_is_refused(shape: str, code: Code) -> None:
    assert verdict(alert(area=shape)) == (Verdict.REJECT, code)


@pytest.mark.parametrize(
    "ring",
    [
        "26.30,114.40 26.40,114.60 26.30,114.60 26.40,114.40 26.30,114.40",
        "26.30,114.40 26.30,114.40 26.30,114.40 26.30,114.40",
    ],
    ids=["bow-tie", "point"],
)
def test_a_ring_that_crosses_itself_is_held_not_repaired(ring: str) -> None:
    assert verdict(alert(area=f"<polygon>{ring}</polygon>")) == (Verdict.HOLD, Code.GEOMETRY)


def test_line_breaks_inside_a_polygon_and_references_are_white_space() -> None:
    broken = SQUARE.replace(" ", "\n\t\t")
    triplets = "suichuan,A1,2026-06-12T18:00:00+08:00\n\t suichuan,A2,2026-06-12T19:00:00+08:00"
    message = message_of(
        alert(kind="Update", head=f"<references>{triplets}</references>", area=f"<polygon>{broken}</polygon>")
    )
    assert message.areas[0].polygons[0][0] == Point(26.30, 114.40)
    assert [reference.identifier for reference in message.references] == ["A1", "A2"]


@pytest.mark.parametrize("written", ["A1", "suichuan,A1", "suichuan,A1,yesterday", ",A1,2026-06-12T18:00:00+08:00"])
def test_a_reference_that_is_no_triplet_is_refused(written: str) -> None:
    assert verdict(alert(kind="Update", head=f"<references>{written}</references>")) == (Verdict.REJECT, Code.SCHEMA)


def test_a_reference_to_itself_or_to_the_future_is_held() -> None:
    itself = "suichuan,36082741600000_20260612200000,2026-06-12T20:00:00+08:00"
    assert verdict(alert(kind="Update", head=f"<references>{itself}</references>")) == (
        Verdict.HOLD,
        Code.REFERENCE_MISSING,
    )
    later = "suichuan,A1,2026-06-12T21:00:00+08:00"
    assert verdict(alert(kind="Update", head=f"<references>{later}</references>")) == (Verdict.HOLD, Code.CLOCK)


def test_restricted_and_private_say_to_whom() -> None:
    assert verdict(alert(scope="Restricted")) == (Verdict.REJECT, Code.SCHEMA)
    assert verdict(alert(scope="Private")) == (Verdict.REJECT, Code.SCHEMA)
    assert message_of(alert(scope="Restricted", head="<restriction>仅限应急系统</restriction>")).restriction
    private = message_of(alert(scope="Private", head='<addresses>"张 三" b@c</addresses>'))
    assert private.addresses == ("张 三", "b@c")


def test_a_cancel_needs_neither_severity_nor_info() -> None:
    written = "<references>suichuan,A1,2026-06-12T18:00:00+08:00</references>"
    message = message_of(alert(kind="Cancel", head=written, info=""))
    assert (message.level, message.areas) == (None, ())


def test_the_chinese_block_speaks_whatever_its_place() -> None:
    english = INFO.format(codes="", description="x", extra="", area=CODE, place="Suichuan").replace("zh-CN", "en-US")
    english = english.replace("暴雨", "rainstorm").replace("遂川县气象台发布", "")
    chinese = INFO.format(codes="", description="请注意", extra="", area=CODE, place="遂川县")
    for info in (english + chinese, chinese + english):
        message = alert(info=info).message
        assert message is not None
        assert (message.language, message.event, message.areas[0].description) == ("zh-CN", "暴雨", "遂川县")


def test_two_chinese_blocks_that_disagree_are_held_and_two_that_agree_are_one() -> None:
    one = INFO.format(codes="", description="请注意", extra="", area=CODE, place="遂川县")
    agreeing = alert(info=one + one.replace("<value>360827", "<value>360826")).message
    assert agreeing is not None
    assert {code.value for area in agreeing.areas for code in area.geocodes} == {"360827", "360826"}
    other = one.replace("<event>暴雨", "<event>大风")
    assert verdict(alert(info=one + other)) == (Verdict.HOLD, Code.LEVEL_UNKNOWN)


@pytest.mark.parametrize(
    ("code", "scheme", "name"),
    [("11A51", "NERP", "山洪灾害"), ("10203", "GBT35561", "暴雨"), ("90000", "NERP", "暴雨"), ("XYZ", "NERP", "暴雨")],
)
def test_a_hazard_is_known_by_its_code_of_either_family_else_by_its_name(code: str, scheme: str, name: str) -> None:
    pair = f"<eventCode><valueName>any</valueName><value>{code}</value></eventCode>"
    hazard = message_of(alert(codes=pair)).hazard
    assert hazard is not None
    assert (hazard.scheme, hazard.name) == (scheme, name)


def test_the_colour_in_the_headline_wins_over_the_severity_and_it_is_said() -> None:
    info = INFO.format(codes="", description="请注意", extra="", area=CODE, place="遂川县")
    decoded = alert(info=info.replace("Extreme", "Minor"))
    assert decoded.message is not None
    assert decoded.message.level is Level.RED
    assert [(finding.code, finding.verdict) for finding in decoded.findings] == [(Code.LEVEL_UNKNOWN, Verdict.ACCEPT)]
    raised = alert(info=info.replace("发布暴雨红色预警", "将暴雨橙色预警升级为红色预警")).message
    assert raised is not None
    assert raised.level is Level.RED


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("降雨&lt;b&gt;很大&lt;/b&gt;&amp;nbsp;请转移", "降雨很大 请转移"),
        ("<![CDATA[<p>第一段</p><p>第二段</p>]]>", "第一段\n第二段"),
        ("气温&lt;0℃且雨量&gt;50毫米，a&lt;b and c&gt;d", "气温<0℃且雨量>50毫米，a<b and c>d"),
        ("&lt;speak&gt;快跑&lt;/speak&gt;", "快跑"),
        ("cafe\u0301\u200b", "café"),
        ("一<!-- 注释 -->二", "一二"),
    ],
)
def test_text_comes_out_plain(written: str, read: str) -> None:
    assert message_of(alert(description=written)).description == read


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200f", "\u0085", "&#x9B;", "&amp;#x202e;"])
def test_control_and_direction_characters_are_refused(hidden: str) -> None:
    assert verdict(alert(description=f"请{hidden}注意")) == (Verdict.REJECT, Code.TEXT)


def test_control_characters_in_a_block_that_does_not_speak_are_refused_too() -> None:
    one = INFO.format(codes="", description="请注意", extra="", area=CODE, place="遂川县")
    english = one.replace("zh-CN", "en-US").replace("请注意", "be\u202eware")
    assert verdict(alert(info=english + one)) == (Verdict.REJECT, Code.TEXT)


def test_ten_thousand_characters_are_no_warning() -> None:
    assert verdict(alert(description="雨" * 10_000)) == (Verdict.REJECT, Code.TEXT)


def test_what_is_embedded_is_never_kept() -> None:
    resource = (
        "<resource><resourceDesc>图</resourceDesc><mimeType>image/png</mimeType><size>3</size>"
        "<uri>javascript:alert(1)</uri><derefUri>c2VjcmV0</derefUri></resource>"
    )
    message = message_of(alert(extra=resource))
    assert "c2VjcmV0" not in repr(message)
    assert message.resources[0].uri is None
    assert message.resources[0].size == 3


def test_expiring_before_it_was_sent_is_held() -> None:
    assert verdict(alert(sent="2026-06-13T03:00:00+08:00")) == (Verdict.HOLD, Code.CLOCK)


def test_a_narrowing_comes_as_parameters() -> None:
    extra = parameter("mingluo:roles", "reservoir_keeper，护林员") + parameter("mingluo:groups", "独居老人")
    extra += parameter("mingluo:reason", "只涉及水库下游") + parameter("mingluo:sound_at_night", "true")
    message = message_of(alert(extra=extra))
    assert message.narrowing.roles == (Role.RESERVOIR_KEEPER, Role.FOREST_RANGER)
    assert message.narrowing.groups == ("独居老人",)
    assert message.sound_at_night


@pytest.mark.parametrize(
    "extra",
    [
        parameter("mingluo:roles", "reservoir_keeper"),
        parameter("mingluo:roles", "village_head") + parameter("mingluo:reason", "x"),
        parameter("mingluo:groups", "所有人") + parameter("mingluo:reason", "x"),
        parameter("mingluo:role", "reservoir_keeper"),
        parameter("mingluo:sound_at_night", "yes"),
        parameter("mingluo:reason", "x") * 2,
    ],
    ids=["red-without-reason", "unknown-role", "unknown-group", "misspelt", "not-a-truth", "twice"],
)
def test_a_narrowing_that_is_not_plain_is_refused(extra: str) -> None:
    assert verdict(alert(extra=extra)) == (Verdict.REJECT, Code.SCHEMA)


def test_an_enveloped_signature_is_noticed() -> None:
    signature = '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>'
    assert message_of(alert(tail=signature)).signature_present


def test_a_refused_message_still_has_its_name() -> None:
    decoded = alert(area="<circle>26.35,114.50</circle>")
    assert decoded.message is not None
    assert decoded.message.identifier == "36082741600000_20260612200000"
    assert decoded.message.areas[0].circles == ()

"""Emergency-broadcasting packets: built as the standard has them, read as vendors write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from msgspec.structs import replace

from channels.broadcast import ebm
from channels.broadcast.tarball import Unreadable, only_xml, pack

OURS = "33608000000000101010101"
GATEWAY = "43608270000000103140101"
EBMID = OURS + "202606180001"
NOW = datetime(2026, 6, 18, 14, 30, tzinfo=UTC)
MESSAGE = ebm.Ebm(
    id=EBMID,
    type=ebm.MsgType.REAL,
    sender_name="吉安市气象台",
    sender_code="36080041700000",
    sent=NOW,
    event="11B03",
    severity=1,
    starts=NOW,
    ends=NOW + timedelta(hours=3),
    title="暴雨红色预警",
    text="请立即转移。",
    areas=("360827100201", "360827100202"),
)


def packet(body: ebm.Body, **more: str) -> ebm.Ebd:
    return ebm.Ebd(id=ebm.ebd_id(OURS, 7), source=OURS, target=GATEWAY, body=body, time=NOW, **more)


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")).map(str.strip)
WHEN = st.integers(1_577_836_800, 4_070_908_800).map(lambda at: datetime.fromtimestamp(at, UTC))
CODES = st.lists(st.from_regex(r"\A36[0-9]{10}\Z"), min_size=1, max_size=20).map(tuple)
BODIES = st.one_of(
    st.builds(
        ebm.Ebm,
        id=st.just(EBMID),
        type=st.sampled_from([kind for kind in ebm.MsgType if kind is not ebm.MsgType.CANCEL]),
        sender_name=TEXT,
        sender_code=TEXT,
        sent=WHEN,
        event=TEXT,
        severity=st.integers(0, 4),
        starts=WHEN,
        ends=WHEN,
        title=TEXT,
        text=TEXT.filter(bool),
        areas=CODES,
    ),
    st.builds(ebm.StateRequest, ebm_id=st.just(EBMID)),
    st.builds(ebm.StateResponse, ebm_id=st.just(EBMID), state=st.sampled_from(ebm.State), text=TEXT, at=WHEN),
    st.builds(ebm.Response, result=st.sampled_from(ebm.Result), text=TEXT),
    st.builds(ebm.ConnectionCheck, at=WHEN),
)


@given(BODIES, WHEN, st.integers(0, 10**16 - 1))
def test_what_is_written_is_read_back(body: ebm.Body, when: datetime, serial: int) -> None:
    sent = ebm.Ebd(
        id=ebm.ebd_id(OURS, serial),
        source=OURS,
        target=GATEWAY,
        body=body,
        time=when,
        url="https://warn.example/x",
        related=ebm.ebd_id(GATEWAY, 1),
    )
    assert ebm.read(ebm.write(sent)[0]) == sent


def test_a_packet_is_the_standards_to_the_letter() -> None:
    tar, xml = ebm.write(packet(MESSAGE, url="https://warn.example/x"))
    assert only_xml(tar).decode() == xml
    root = etree.fromstring(xml.encode())
    found = {element.tag: (element.text or "").strip() for element in root.iter()}
    assert [child.tag for child in root] == ["EBDVersion", "EBDID", "EBDType", "SRC", "DEST", "EBDTime", "EBM"]
    assert found["EBDID"] == "10" + OURS + "0000000000000007"
    assert len(found["EBDID"]) == 41
    assert len(found["EBMID"]) == 35
    assert found["EBDTime"] == found["SendTime"] == "2026-06-18 22:30:00", "Beijing time"
    assert found["EndTime"] == "2026-06-19 01:30:00"
    assert (found["MsgType"], found["Severity"], found["EventType"]) == ("1", "1", "11B03")
    assert found["LanguageCode"] == "zho"
    assert found["AreaCode"] == "360827100201,360827100202"
    assert [child.tag for child in root.find("EBM/MsgBasicInfo")] == [  # type: ignore[union-attr]
        "MsgType",
        "SenderName",
        "SenderCode",
        "SendTime",
        "EventType",
        "Severity",
        "StartTime",
        "EndTime",
    ]


def test_a_cancel_names_its_victim() -> None:
    cancel = replace(MESSAGE, id=OURS + "202606180002", type=ebm.MsgType.CANCEL, cancels=EBMID)
    tar, xml = ebm.write(packet(cancel))
    assert ebm.read(tar).body == cancel
    assert f"<RelatedInfo>\n      <EBMID>{EBMID}</EBMID>" in xml


def read(xml: str) -> ebm.Ebd:
    return ebm.read(pack("EBDB_10.xml", xml.encode()))


HEAD = f"<EBDVersion>1.0</EBDVersion><EBDID>{ebm.ebd_id(GATEWAY, 9)}</EBDID>"
PLACE = f"<SRC><EBRID>{GATEWAY}</EBRID></SRC><EBDTime>2026-06-18 22:30:00</EBDTime>"


def test_vendors_dialects_are_read() -> None:
    state = (
        "<EBMStateResponse><EBMID>{0}</EBMID><BrdStateCode> 3 </BrdStateCode>"
        "<BrdStateDes>播完</BrdStateDes></EBMStateResponse>"
    )
    packet = read(
        f'<EBD xmlns="urn:vendor">{HEAD}<EBDType>EBMStateResponse</EBDType>{PLACE}<RelatedEBD />{state.format(EBMID)}</EBD>'
    )
    assert packet.body == ebm.StateResponse(ebm_id=EBMID, state=ebm.State.SUCCESS, text="播完")
    assert (packet.related, packet.target, packet.url) == ("", "", "")
    bare = read(
        f"<EBD><EBDVersion>1</EBDVersion>{HEAD}<EBDType>EBMStateRequest</EBDType>{PLACE}"
        f"<EBMStateRequest><EBMID>{EBMID}</EBMID></EBMStateRequest></EBD>"
    )
    assert bare.body == ebm.StateRequest(ebm_id=EBMID)


def test_the_draft_of_2016_is_read() -> None:
    xml = (
        f"<EBD><EBDID>{'1' * 36}</EBDID><EBDType>EBM</EBDType><SRC><EBRID>{'2' * 18}</EBRID></SRC>"
        f"<EBDTime>2026-06-18 22:30:00</EBDTime><EBM><EBMID>{'3' * 30}</EBMID><MsgBasicInfo><MsgType>4</MsgType>"
        "<SentTime>2026-06-18 22:29:00</SentTime></MsgBasicInfo><MsgContent><MsgDesc>演练</MsgDesc>"
        "<AreaCode>360827100201， 360827100202</AreaCode></MsgContent></EBM></EBD>"
    )
    body = read(xml).body
    assert isinstance(body, ebm.Ebm)
    assert body.type is ebm.MsgType.FRONT_END_DRILL
    assert body.sent == datetime(2026, 6, 18, 14, 29, tzinfo=UTC)
    assert body.areas == ("360827100201", "360827100202")


def test_a_type_we_do_not_know_is_named_not_lost() -> None:
    body = read(f"<EBD>{HEAD}<EBDType>EBRDTInfo</EBDType>{PLACE}<EBRDTInfo/></EBD>").body
    assert body == ebm.Unsupported(type="EBRDTInfo")
    with pytest.raises(ValueError, match="EBRDTInfo"):
        ebm.write(packet(body))


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<EBD",
        "<Alert/>",
        "<EBD/>",
        f"<EBD>{HEAD}<EBDType>EBM</EBDType>{PLACE}</EBD>",
        f"<EBD>{HEAD}<EBDType>EBM</EBDType>{PLACE}<EBM/></EBD>",
        f"<EBD>{HEAD}<EBDType>EBDResponse</EBDType>{PLACE}<EBDResponse><ResultCode>9</ResultCode></EBDResponse></EBD>",
        f"<EBD>{HEAD}<EBDType>EBDResponse</EBDType>{PLACE}<EBDResponse><ResultCode>²</ResultCode></EBDResponse></EBD>",
        f"<EBD>{HEAD}<EBDType>ConnectionCheck</EBDType><SRC><EBRID>x</EBRID></SRC><ConnectionCheck/></EBD>",
        f"<EBD>{HEAD}<EBDType>ConnectionCheck</EBDType><SRC><EBRID>{GATEWAY}</EBRID></SRC><ConnectionCheck/></EBD>",
        f'<!DOCTYPE EBD [<!ENTITY a "b">]><EBD>{HEAD}<EBDType>ConnectionCheck</EBDType>{PLACE}<ConnectionCheck/></EBD>',
        f"<EBD>{HEAD}<EBDType>EBM</EBDType>{PLACE}<EBM><EBMID>{EBMID}</EBMID><MsgBasicInfo><MsgType>2</MsgType></MsgBasicInfo></EBM></EBD>",
    ],
)
def test_nonsense_is_unreadable_and_nothing_else(xml: str) -> None:
    with pytest.raises(Unreadable):
        read(xml)


@given(st.binary(max_size=2000))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for tar in (data, pack("EBDB_1.xml", data)):
        with pytest.raises(Unreadable):
            ebm.read(tar)


@pytest.mark.parametrize(("source", "serial"), [("336080", 1), (OURS, -1), (OURS, 10**16), ("x" * 23, 1)])
def test_a_packet_number_is_41_digits_or_none(source: str, serial: int) -> None:
    with pytest.raises(ValueError, match="EBRID"):
        ebm.ebd_id(source, serial)


def test_a_heartbeat_has_its_own_kind() -> None:
    assert ebm.ebd_id(OURS, 0, kind=ebm.HEARTBEAT) == "01" + OURS + "0" * 16


def test_a_control_character_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ValueError, match="XML"):
        ebm.write(packet(replace(MESSAGE, text="请转移\x07")))

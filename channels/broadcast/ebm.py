"""Emergency-broadcasting packets (GD/J 082, 083 of 2018): EBD in a tar, built and read. Pure: bytes in, bytes out.

It writes the 2018 standard and reads what vendors make of it: other namespaces, `SentTime`, `BrdStateDes`, a bare
EBMID, empty RelatedEBD, short codes of the 2016 draft. It must survive hostile packets: doctypes, entities, nonsense.
Signatures (EBDS, SM2) are not written and not required yet.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from enum import IntEnum
from typing import Final

from lxml import etree
from msgspec import Struct

from channels.broadcast.tarball import Unreadable, only_xml, pack

BEIJING: Final = timezone(timedelta(hours=8))
EBRID: Final = re.compile(r"\d{23}|\d{18}")
EBMID: Final = re.compile(r"\d{35}")
HEARTBEAT, OTHER = "01", "10"
"""EBDID kinds."""

_ENCODINGS: Final = frozenset({"UTF-8", "UTF-16", "US-ASCII", "ASCII", "GB2312", "GBK", "GB18030"})
"""What vendors write; others hide from whoever looks through the bytes."""
_TIME: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[ T](\d{1,2}):(\d{2}):(\d{2})")


class MsgType(IntEnum):
    REAL = 1
    CANCEL = 2
    PLATFORM_DRILL = 3
    FRONT_END_DRILL = 4
    TERMINAL_DRILL = 5


class Result(IntEnum):
    """EBDResponse ResultCode; 2 to 5 are final."""

    NOT_PROCESSED = 0
    OK = 1
    PARSE_FAILED = 2
    CONTENT_MISSING = 3
    SIGNATURE_FAILED = 4
    OTHER_ERROR = 5


class State(IntEnum):
    """EBMStateResponse BrdStateCode."""

    UNPROCESSED = 0
    WAITING = 1
    PLAYING = 2
    SUCCESS = 3
    FAILED = 4
    CANCELLED = 5


class Ebm(Struct, frozen=True, kw_only=True):
    """A message. A cancel needs only `id` and `cancels`. Severity 1 (red) to 4; areas are 12-digit codes."""

    id: str
    type: MsgType
    sender_name: str = ""
    sender_code: str = ""
    sent: datetime | None = None
    event: str = ""
    severity: int = 0
    starts: datetime | None = None
    ends: datetime | None = None
    title: str = ""
    text: str = ""
    areas: tuple[str, ...] = ()
    cancels: str = ""


class StateRequest(Struct, frozen=True, kw_only=True):
    ebm_id: str


class StateResponse(Struct, frozen=True, kw_only=True):
    ebm_id: str
    state: State
    text: str = ""
    at: datetime | None = None


class Response(Struct, frozen=True, kw_only=True):
    """EBDResponse: what became of the packet itself."""

    result: Result
    text: str = ""


class ConnectionCheck(Struct, frozen=True, kw_only=True):
    at: datetime | None = None


class Unsupported(Struct, frozen=True, kw_only=True):
    """A type of packet we know the name of and nothing else."""

    type: str


Body = Ebm | StateRequest | StateResponse | Response | ConnectionCheck | Unsupported


class Ebd(Struct, frozen=True, kw_only=True):
    """A packet. `source` and `target` are EBRIDs; `url` is where the source can be called back; `related` an EBDID."""

    id: str
    source: str
    body: Body
    time: datetime
    target: str = ""
    url: str = ""
    related: str = ""


def ebd_id(source: str, serial: int, *, kind: str = OTHER) -> str:
    """41 digits: kind, sender's EBRID, sequence of 16 (a heartbeat's is always 0)."""
    if not re.fullmatch(r"\d{23}", source) or not 0 <= serial < 10**16:
        raise ValueError(f"not an EBRID and sequence: {source!r}, {serial}")
    return f"{kind}{source}{serial:016d}"


def numbered(ebm_id: str, offset: int) -> str:
    """The EBMID `offset` numbers behind this one of the same day; ValueError past 9999."""
    number = int(ebm_id[-4:]) + offset
    if number > 9999:
        raise ValueError(f"no EBMID {offset} behind {ebm_id}")
    return f"{ebm_id[:-4]}{number:04d}"


def write(packet: Ebd) -> tuple[bytes, str]:
    """The tar, and the XML in it as text for the ledger. ValueError where a text holds a control character."""
    root = etree.Element("EBD")
    _add(root, "EBDVersion", "1")
    _add(root, "EBDID", packet.id)
    _add(root, "EBDType", _type_of(packet.body))
    source = etree.SubElement(root, "SRC")
    _add(source, "EBRID", packet.source)
    if packet.url:
        _add(source, "URL", packet.url)
    if packet.target:
        _add(etree.SubElement(root, "DEST"), "EBRID", packet.target)
    _add(root, "EBDTime", _time(packet.time))
    if packet.related:
        _add(etree.SubElement(root, "RelatedEBD"), "EBDID", packet.related)
    _write_body(root, packet.body, packet.time)
    xml = etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return pack(f"EBDB_{packet.id}.xml", xml), xml.decode("utf-8")


def read(tar: bytes) -> Ebd:
    """The packet in a tar; raises Unreadable."""
    root = _parse(only_xml(tar))
    ebd_type, identifier = _text(root, "EBDType"), _text(root, "EBDID")
    if not identifier.isdigit() or not 30 <= len(identifier) <= 41:
        raise Unreadable("EBDID 缺失或有误")
    source = _text(root, "SRC", "EBRID")
    if not EBRID.fullmatch(source):
        raise Unreadable("SRC/EBRID 缺失或有误")
    time = _moment(_text(root, "EBDTime"))
    if time is None:
        raise Unreadable("EBDTime 缺失或有误")
    return Ebd(
        id=identifier,
        source=source,
        body=_read_body(root, ebd_type),
        time=time,
        target=_text(root, "DEST", "EBRID"),
        url=_text(root, "SRC", "URL"),
        related=_text(root, "RelatedEBD", "EBDID"),
    )


def _type_of(body: Body) -> str:
    match body:
        case Ebm():
            return "EBM"
        case StateRequest():
            return "EBMStateRequest"
        case StateResponse():
            return "EBMStateResponse"
        case Response():
            return "EBDResponse"
        case ConnectionCheck():
            return "ConnectionCheck"
        case Unsupported():
            return body.type


def _write_body(root: etree._Element, body: Body, time: datetime) -> None:
    tag = etree.SubElement(root, _type_of(body))
    match body:
        case Ebm():
            _write_message(tag, body)
        case StateRequest():
            _add(etree.SubElement(tag, "EBM"), "EBMID", body.ebm_id)
        case StateResponse():
            _add(tag, "RptTime", _time(body.at or time))
            _add(etree.SubElement(tag, "EBM"), "EBMID", body.ebm_id)
            _add(tag, "BrdStateCode", str(int(body.state)))
            _add(tag, "BrdStateDesc", body.text)
        case Response():
            _add(tag, "ResultCode", str(int(body.result)))
            _add(tag, "ResultDesc", body.text)
        case ConnectionCheck():
            _add(tag, "RptTime", _time(body.at or time))
        case Unsupported():
            raise ValueError(f"cannot write a packet of type {body.type}")


def _write_message(tag: etree._Element, ebm: Ebm) -> None:
    """A cancel carries the same blocks as any message: the schema wants them, readers skip them."""
    _add(tag, "EBMVersion", "1")
    _add(tag, "EBMID", ebm.id)
    if ebm.cancels:
        _add(etree.SubElement(tag, "RelatedInfo"), "EBMID", ebm.cancels)
    basic = etree.SubElement(tag, "MsgBasicInfo")
    for name, value in (
        ("MsgType", str(int(ebm.type))),
        ("SenderName", ebm.sender_name),
        ("SenderCode", ebm.sender_code),
        ("SendTime", _time(ebm.sent)),
        ("EventType", ebm.event),
        ("Severity", str(ebm.severity)),
        ("StartTime", _time(ebm.starts)),
        ("EndTime", _time(ebm.ends)),
    ):
        _add(basic, name, value)
    content = etree.SubElement(tag, "MsgContent")
    for name, value in (
        ("LanguageCode", "zho"),
        ("MsgTitle", ebm.title),
        ("MsgDesc", ebm.text),
        ("AreaCode", ",".join(ebm.areas)),
    ):
        _add(content, name, value)


def _read_body(root: etree._Element, ebd_type: str) -> Body:
    tag = _child(root, ebd_type) if ebd_type else None
    if tag is None:
        raise Unreadable("EBDType 缺失，或与内容不符")
    match ebd_type:
        case "EBM":
            return _read_message(tag)
        case "EBMStateRequest":
            return StateRequest(ebm_id=_ebm_id(tag))
        case "EBMStateResponse":
            return StateResponse(
                ebm_id=_ebm_id(tag),
                state=State(_number(tag, "BrdStateCode")),
                text=_text(tag, "BrdStateDesc") or _text(tag, "BrdStateDes"),
                at=_moment(_text(tag, "RptTime")),
            )
        case "EBDResponse":
            return Response(result=Result(_number(tag, "ResultCode")), text=_text(tag, "ResultDesc"))
        case "ConnectionCheck":
            return ConnectionCheck(at=_moment(_text(tag, "RptTime")))
        case _:
            return Unsupported(type=ebd_type)


def _read_message(tag: etree._Element) -> Ebm:
    kind = MsgType(_number(tag, "MsgBasicInfo", "MsgType", least=1))
    cancels = _text(tag, "RelatedInfo", "EBMID")
    if kind is MsgType.CANCEL and not cancels:
        raise Unreadable("取消消息没有指明被取消的 EBMID")
    areas = tuple(code.strip() for code in re.split("[,，]", _text(tag, "MsgContent", "AreaCode")) if code.strip())
    text = _text(tag, "MsgContent", "MsgDesc")
    if kind is not MsgType.CANCEL and not (areas and text):
        raise Unreadable("缺少 AreaCode 或 MsgDesc")
    severity = _text(tag, "MsgBasicInfo", "Severity")
    return Ebm(
        id=_ebm_id(tag),
        type=kind,
        sender_name=_text(tag, "MsgBasicInfo", "SenderName"),
        sender_code=_text(tag, "MsgBasicInfo", "SenderCode"),
        sent=_moment(_text(tag, "MsgBasicInfo", "SendTime") or _text(tag, "MsgBasicInfo", "SentTime")),
        event=_text(tag, "MsgBasicInfo", "EventType"),
        severity=int(severity) if severity.isdecimal() and len(severity) < 3 else 0,
        starts=_moment(_text(tag, "MsgBasicInfo", "StartTime")),
        ends=_moment(_text(tag, "MsgBasicInfo", "EndTime")),
        title=_text(tag, "MsgContent", "MsgTitle"),
        text=text,
        areas=areas,
        cancels=cancels,
    )


def _ebm_id(tag: etree._Element) -> str:
    found = _text(tag, "EBM", "EBMID") or _text(tag, "EBMID")
    if not found.isdigit() or not 30 <= len(found) <= 36:
        raise Unreadable("EBMID 缺失或有误")
    return found


def _parse(xml: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Unreadable("EBDB 不是合法的 XML") from error
    written = root.getroottree().docinfo
    if written.internalDTD is not None:
        raise Unreadable("EBDB 不许带 DOCTYPE")
    if (written.encoding or "UTF-8").upper() not in _ENCODINGS:
        raise Unreadable("EBDB 的编码应为 UTF-8 或 GB18030")
    if etree.QName(root).localname != "EBD":
        raise Unreadable("EBDB 的根元素应为 EBD")
    return root


def _child(tag: etree._Element, name: str) -> etree._Element | None:
    """The first child of that local name, whatever its namespace."""
    for child in tag:
        if isinstance(child.tag, str) and etree.QName(child).localname == name:
            return child
    return None


def _text(tag: etree._Element, *path: str) -> str:
    """The trimmed text at a path of local names; '' where there is none."""
    spot: etree._Element | None = tag
    for name in path:
        spot = _child(spot, name) if spot is not None else None
    return (spot.text or "").strip() if spot is not None else ""


def _number(tag: etree._Element, *path: str, least: int = 0, most: int = 5) -> int:
    text = _text(tag, *path)
    if not text.isdecimal() or len(text) > 4 or not least <= int(text) <= most:
        raise Unreadable(f"{path[-1]} 缺失或有误")
    return int(text)


def _add(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, name).text = text


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def _moment(text: str) -> datetime | None:
    """Beijing time → aware; None where it is not a time."""
    found = _TIME.match(text)
    if not found:
        return None
    try:
        year, month, day, hour, minute, second = map(int, found.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=BEIJING)
    except ValueError:
        return None

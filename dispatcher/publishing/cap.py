"""WarningMessage → CAP 1.2, valid against the schema, and equal to the message when it is read again.

One info block, in the language that speaks: what a message was read from may have had others, and they are in its raw
bytes. It must survive texts that look like markup, numbers that print with an exponent, and a message with hardly anything
in it (a Cancel).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

from lxml import etree

from dispatcher.model import BEIJING, Area, Level, Narrowing, Point, Resource, WarningMessage

CAP: Final = "urn:oasis:names:tc:emergency:cap:1.2"
SEVERITIES: Final = {
    Level.RED: "Extreme",
    Level.ORANGE: "Severe",
    Level.YELLOW: "Moderate",
    Level.BLUE: "Minor",
    None: "Unknown",
}
_ENTITY_LIKE: Final = re.compile(r"&(?=#?\w{1,31};)")
_BLANK: Final = re.compile(r"\s")

Pairs = Iterator[tuple[str, str]]


def write(message: WarningMessage) -> bytes:
    """UTF-8, with its declaration. A signature that the message came with is not written: it was over other bytes."""
    alert = etree.Element(f"{{{CAP}}}alert", nsmap={None: CAP})  # type: ignore[dict-item]  # the default namespace
    _add(alert, "identifier", message.identifier)
    _add(alert, "sender", message.sender)
    _add(alert, "sent", moment(message.sent))
    _add(alert, "status", message.status)
    _add(alert, "msgType", message.kind)
    _add(alert, "scope", message.scope)
    _text(alert, "restriction", message.restriction)
    _text(alert, "addresses", " ".join(f'"{one}"' if _BLANK.search(one) else one for one in message.addresses))
    _text(alert, "note", message.note)
    _text(alert, "references", " ".join(f"{r.sender},{r.identifier},{moment(r.sent)}" for r in message.references))
    if message.event or message.hazard or message.areas:
        _info(etree.SubElement(alert, f"{{{CAP}}}info"), message)
    return etree.tostring(alert, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def moment(at: datetime) -> str:
    """`2026-06-12T20:06:55+08:00`, Beijing time, to the second."""
    return at.astimezone(BEIJING).isoformat(timespec="seconds")


def _info(info: etree._Element, message: WarningMessage) -> None:
    _add(info, "language", message.language)
    for category in message.categories or ("Other",):
        _add(info, "category", category)
    _text(info, "event", message.event or (message.hazard.name if message.hazard else "预警"))
    for response in message.responses:
        _add(info, "responseType", response)
    _add(info, "urgency", message.urgency)
    _add(info, "severity", SEVERITIES[message.level])
    _add(info, "certainty", message.certainty)
    if message.hazard and message.hazard.code:
        _pair(info, "eventCode", message.hazard.scheme, message.hazard.code)
    for name, at in (("effective", message.effective), ("onset", message.onset), ("expires", message.expires)):
        if at is not None:
            _add(info, name, moment(at))
    for name in ("senderName", "headline", "description", "instruction", "web", "contact"):
        _text(info, name, getattr(message, "sender_name" if name == "senderName" else name))
    for name, value in _parameters(message):
        _pair(info, "parameter", name, value)
    for resource in message.resources:
        _resource(info, resource)
    for area in message.areas:
        _area(info, area)


def _parameters(message: WarningMessage) -> Pairs:
    """Its own, and what a format with other words for it said of narrowing and of the night."""
    yield from message.parameters
    said = {name for name, _ in message.parameters}
    asked = message.narrowing
    for name, so in (("sound_at_night", message.sound_at_night), ("retraction", message.retraction)):
        if so and f"mingluo:{name}" not in said:
            yield f"mingluo:{name}", "true"
    yield from (pair for pair in _narrowing(asked) if pair[0] not in said)


def _narrowing(asked: Narrowing) -> Pairs:
    for name, words in (("roles", asked.roles), ("groups", asked.groups), ("risk_tags", asked.risk_tags)):
        if words:
            yield f"mingluo:{name}", ",".join(words)
    if asked.reason:
        yield "mingluo:reason", asked.reason


def _resource(info: etree._Element, resource: Resource) -> None:
    found = etree.SubElement(info, f"{{{CAP}}}resource")
    _text(found, "resourceDesc", resource.description)
    _add(found, "mimeType", resource.mime_type)
    if resource.size is not None:
        _add(found, "size", str(resource.size))
    _text(found, "uri", resource.uri or "")
    _text(found, "digest", resource.digest or "")


def _area(info: etree._Element, area: Area) -> None:
    found = etree.SubElement(info, f"{{{CAP}}}area")
    _text(found, "areaDesc", area.description or "预警区域")
    for ring in area.polygons:
        _add(found, "polygon", " ".join(map(_place, ring)))
    for circle in area.circles:
        _add(found, "circle", f"{_place(circle.center)} {_number(circle.radius_km)}")
    for geocode in area.geocodes:
        _pair(found, "geocode", geocode.scheme, geocode.value)


def _place(point: Point) -> str:
    return f"{_number(point.lat)},{_number(point.lon)}"


def _number(value: float) -> str:
    """The shortest that is read as the same number; never with an exponent."""
    return format(Decimal(repr(value)), "f")


def _pair(parent: etree._Element, name: str, key: str, value: str) -> None:
    found = etree.SubElement(parent, f"{{{CAP}}}{name}")
    _add(found, "valueName", _readable(key))
    _add(found, "value", _readable(value))


def _text(parent: etree._Element, name: str, text: str) -> None:
    """Left out where it says nothing."""
    if text:
        _add(parent, name, _readable(text))


def _readable(text: str) -> str:
    """Readers resolve entities that an issuer escaped twice; what looks like one here is meant as it stands."""
    return _ENTITY_LIKE.sub("&amp;", text)


def _add(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, f"{{{CAP}}}{name}").text = text

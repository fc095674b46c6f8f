"""WarningMessage ↔ JSON, exactly, and the digest that tells a repeat from a conflict.

The digest is over what the issuer said, not over how it travelled: two spellings of one instant, another format or a
signature around it are the same message. Take it from the message as decoded, before a policy fills anything in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from dispatcher.model import (
    Area,
    Circle,
    Geocode,
    Hazard,
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


def to_json(message: WarningMessage) -> dict[str, Any]:
    """Only JSON's own types; `from_json` gives the equal message back."""
    found = _plain(message)
    assert isinstance(found, dict)
    if not message.retraction:
        del found["retraction"]  # what was kept before there was such a word has the same digest for ever
    return found


def from_json(stored: Mapping[str, Any]) -> WarningMessage:
    """KeyError or ValueError where it was not written by `to_json`."""
    hazard, level = stored["hazard"], stored["level"]
    simple = {name: stored[name] for name in _SIMPLE}
    return WarningMessage(
        **simple,
        retraction=stored.get("retraction", False),
        effective=_time(stored["effective"]),
        onset=_time(stored["onset"]),
        expires=_time(stored["expires"]),
        sent=datetime.fromisoformat(stored["sent"]),
        status=Status(stored["status"]),
        kind=Kind(stored["kind"]),
        scope=Scope(stored["scope"]),
        hazard=None if hazard is None else Hazard(**hazard),
        level=None if level is None else Level(level),
        categories=tuple(stored["categories"]),
        responses=tuple(stored["responses"]),
        addresses=tuple(stored["addresses"]),
        references=tuple(
            Reference(sender=r["sender"], identifier=r["identifier"], sent=datetime.fromisoformat(r["sent"]))
            for r in stored["references"]
        ),
        areas=tuple(map(_area, stored["areas"])),
        resources=tuple(Resource(**resource) for resource in stored["resources"]),
        parameters=tuple((name, value) for name, value in stored["parameters"]),
        narrowing=_narrowing(stored["narrowing"]),
    )


def digest(message: WarningMessage) -> str:
    """sha256 over the canonical JSON, in hexadecimal."""
    said = to_json(replace(message, source_format="", signature_present=False))
    written = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(written.encode("utf-8")).hexdigest()


_SIMPLE = (
    "source_format", "sender", "identifier", "sender_name", "event", "urgency", "certainty", "headline", "description",
    "instruction", "web", "contact", "note", "language", "restriction", "sound_at_night", "signature_present",
)  # fmt: skip


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _time(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)


def _area(stored: Mapping[str, Any]) -> Area:
    return Area(
        description=stored["description"],
        polygons=tuple(tuple(map(_point, ring)) for ring in stored["polygons"]),
        circles=tuple(Circle(_point(circle["center"]), circle["radius_km"]) for circle in stored["circles"]),
        geocodes=tuple(Geocode(**geocode) for geocode in stored["geocodes"]),
    )


def _point(stored: Mapping[str, Any]) -> Point:
    return Point(stored["lat"], stored["lon"])


def _narrowing(stored: Mapping[str, Any]) -> Narrowing:
    return Narrowing(
        roles=tuple(map(Role, stored["roles"])),
        groups=tuple(stored["groups"]),
        risk_tags=tuple(stored["risk_tags"]),
        reason=stored["reason"],
    )

"""What the form of the issue page holds: into native JSON, and back out of a draft.

Whatever a draft holds that the form does not show (its note, its contact, CAP's own words) stays as it is. Times are typed
and shown in Beijing time.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from dispatcher.intake.judge import SAYS_DRILL
from dispatcher.model import BEIJING, GROUPS, RISK_TAGS, AdminArea, Kind, Level, Role, Scope, Status, WarningMessage
from dispatcher.settings import Service, Settings
from dispatcher.web.console.issuing import drawing
from dispatcher.web.console.issuing.drawing import Drawing
from dispatcher.web.problems import Problem

SAME_FOR: Final = timedelta(minutes=10)
"""How long a page's own time of issue is taken; of one that lay open it is later by so many times this, so that what is pressed
twice has one time and is one draft."""
_NUMBER: Final = re.compile(r"_\d{14}_[0-9a-f]{4}")
_READ: Final = ("level", "area", "until")
_KEPT: Final = (
    "urgency", "certainty", "categories", "responses", "effective", "onset", "web", "contact", "note", "language",
    "restriction", "addresses",
)  # fmt: skip

DRILL_BEGINS: Final = f"{SAYS_DRILL}："
"""In the words themselves: the marks of a drill are lost where half of a text is passed on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """As typed. `until`: Beijing time as a browser writes it, '' for the hazard's usual; `seen`: the digest of the draft that
    was on the page."""

    hazard: str = ""
    level: Level | None = None
    drill: bool = False
    internal: bool = False
    headline: str = ""
    description: str = ""
    instruction: str = ""
    until: str = ""
    night: bool = False
    roles: tuple[Role, ...] = ()
    groups: tuple[str, ...] = ()
    risk_tags: tuple[str, ...] = ()
    reason: str = ""
    drawing: Drawing = field(default_factory=Drawing)
    names: str = ""
    identifier: str = ""
    sent: str = ""
    seen: str = ""

    @property
    def area_text(self) -> str:
        return drawing.text_of(self.drawing)

    @property
    def placed(self) -> bool:
        return not self.drawing.empty


def fresh(service: Service, now: datetime) -> Fields:
    """An empty page, with the number its draft will bear."""
    at = now.astimezone(BEIJING)
    number = f"{service.sender_code}_{at:%Y%m%d%H%M%S}_{secrets.token_hex(2)}"
    return Fields(identifier=number, sent=at.isoformat(timespec="seconds"))


def typed(given: Mapping[str, str]) -> Fields:
    """What a form sent; Problem where one of `_READ` cannot be read."""
    level = given.get("level", "")
    if level and level not in set(Level):
        raise Problem(422, "bad_level", "没有这个级别")
    _moment(given.get("until", ""))
    return Fields(
        hazard=given.get("hazard", ""),
        level=Level(level) if level else None,
        drill=given.get("drill", "") == "1",
        internal=given.get("internal", "") == "1",
        headline=given.get("headline", ""),
        description=given.get("description", ""),
        instruction=given.get("instruction", ""),
        until=given.get("until", ""),
        night=given.get("night", "") == "1",
        roles=tuple(role for role in Role if f"role.{role}" in given),
        groups=tuple(one for one in GROUPS if f"group.{one}" in given),
        risk_tags=tuple(one for one in RISK_TAGS if f"tag.{one}" in given),
        reason=given.get("reason", ""),
        drawing=drawing.read(given.get("area", "")),
        names=given.get("names", ""),
        identifier=given.get("identifier", ""),
        sent=given.get("sent", ""),
        seen=given.get("seen", ""),
    )


def readable(given: Mapping[str, str]) -> Fields:
    """As `typed`, without what cannot be read."""
    return typed({name: value for name, value in given.items() if name not in _READ or _reads(name, value)})


def _reads(name: str, value: str) -> bool:
    try:
        typed({name: value})
    except Problem:
        return False
    return True


def shown(message: WarningMessage, seen: str) -> Fields:
    """A draft, on the page again."""
    return Fields(
        hazard=message.hazard.name if message.hazard else message.event,
        level=message.level,
        drill=message.drill,
        internal=message.scope is not Scope.PUBLIC,
        headline=message.headline,
        description=message.description,
        instruction=message.instruction,
        until=_typed_time(message.expires),
        night=message.sound_at_night,
        roles=message.narrowing.roles,
        groups=message.narrowing.groups,
        risk_tags=message.narrowing.risk_tags,
        reason=message.narrowing.reason,
        drawing=drawing.drawing_of(message.areas),
        names=drawing.names_of(message.areas),
        identifier=message.identifier,
        sent=stamp(message.sent),
        seen=seen,
    )


def carried_on(message: WarningMessage, service: Service, now: datetime) -> Fields:
    """An update of what is in force begins with its words and its area; how long it holds is said anew."""
    number = fresh(service, now)
    return replace(shown(message, ""), until="", identifier=number.identifier, sent=number.sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a form is laid over: the draft as it is kept, or an empty one, or what is to be updated."""

    said: Mapping[str, Any]
    areas: Mapping[str, AdminArea]


def beginning(settings: Settings, fields: Fields, now: datetime) -> dict[str, Any]:
    """A first issue of this office. A number that is none of ours gets a new one; of a page that lay open the time is new."""
    service, new = settings.service, fresh(settings.service, now)
    ours = fields.identifier.startswith(service.sender_code) and _NUMBER.search(fields.identifier)
    sent = _renewed(fields.sent, now)
    kept = replace(fields, sent=sent) if ours and sent else new
    return {
        "sender": service.sender_code,
        "identifier": kept.identifier,
        "sent": kept.sent,
        "status": Status.EXERCISE if fields.drill else Status.ACTUAL,
        "kind": Kind.ALERT,
        "sender_name": service.sender_name,
        "references": [],
    }


def updating(begun: Mapping[str, Any], before: WarningMessage) -> dict[str, Any]:
    """An update of `before`, which keeps what the form does not show; a drill stays one."""
    named = {"sender": before.sender, "identifier": before.identifier, "sent": stamp(before.sent)}
    carried = {name: _plain(getattr(before, name)) for name in _KEPT if name not in ("effective", "onset")}
    return {**carried, **begun, "kind": Kind.UPDATE, "status": before.status, "references": [named]}


def kept(message: WarningMessage) -> dict[str, Any]:
    """What a draft keeps whatever is typed."""
    said = {
        "sender": message.sender,
        "identifier": message.identifier,
        "sent": stamp(message.sent),
        "status": message.status,
        "kind": message.kind,
        "sender_name": message.sender_name,
        "retraction": message.retraction,
        "references": [
            {"sender": one.sender, "identifier": one.identifier, "sent": stamp(one.sent)} for one in message.references
        ],
        **{name: getattr(message, name) for name in _KEPT},
    }
    return {name: _plain(value) for name, value in said.items()}


def native(fields: Fields, base: Base) -> bytes:
    """The form laid over what it began from, as native JSON."""
    scope: dict[str, Any] = {"scope": Scope.PUBLIC}
    if fields.internal:
        scope = {"scope": Scope.RESTRICTED, "restriction": base.said.get("restriction") or "仅发岗位人员"}
    said = {
        **base.said,
        **scope,
        "event": fields.hazard,
        "level": fields.level,
        "headline": fields.headline,
        "description": fields.description,
        "instruction": fields.instruction,
        "expires": _moment(fields.until),
        "sound_at_night": fields.night,
        "narrowing": {
            "roles": fields.roles, "groups": fields.groups, "risk_tags": fields.risk_tags, "reason": fields.reason,
        },
        "areas": drawing.areas_of(fields.drawing, base.areas),
    }  # fmt: skip
    return json.dumps(said, ensure_ascii=False).encode()


def worded(fields: Fields, settings: Settings, now: datetime) -> Fields:
    """With the template of its hazard and level filled in."""
    kind = settings.hazards.named(fields.hazard)
    if kind is None or fields.level is None:
        raise Problem(422, "no_template", "请先选灾种和级别，再填模板文字")
    level, template = fields.level, settings.templates.of(kind.name, fields.level)
    named = {
        "sender": settings.service.sender_name,
        "event": kind.name,
        "colour": level.chinese,
        "level": level.roman,
        "grade": settings.hazards.grade(kind.name, level),
    }
    headline, description, instruction = (
        _filled(words, named) for words in (template.headline, template.description, template.instruction)
    )
    until = now + timedelta(hours=template.hours or kind.validity_hours)
    here = fields.drawing
    return replace(
        fields,
        headline=headline,
        description=(DRILL_BEGINS if fields.drill else "") + description,
        instruction=instruction,
        until=_typed_time(until),
        drawing=here.model_copy(update={"codes": template.area}) if here.empty else here,
    )


def _filled(words: str, named: Mapping[str, str]) -> str:
    for name, value in named.items():
        words = words.replace(f"{{{name}}}", value)
    return words


def _renewed(given: str, now: datetime) -> str:
    """'' where it is no time, or one to come."""
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        return ""
    if at.tzinfo is None or at > now:
        return ""
    return stamp(at + (now - at) // SAME_FOR * SAME_FOR)


def _moment(until: str) -> str | None:
    if not until:
        return None
    try:
        at = datetime.fromisoformat(until)
    except ValueError as error:
        raise Problem(422, "bad_time", "“有效至”应写成日期和时间，如 2026-06-12 20:00") from error
    return stamp(at.replace(tzinfo=BEIJING) if at.tzinfo is None else at)


def _typed_time(at: datetime | None) -> str:
    return at.astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M") if at else ""


def stamp(at: datetime) -> str:
    """As native JSON has it, in Beijing time."""
    return at.astimezone(BEIJING).isoformat(timespec="seconds")


def _plain(value: object) -> object:
    return stamp(value) if isinstance(value, datetime) else value

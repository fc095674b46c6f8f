"""The text a person reads or hears, per level, role, channel and place.

It must survive hostile fields: a template knows named fields only and no code, a field's own braces stay text, and an
SMS never grows past the segments the city has agreed to pay for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, auto

from msgspec import Struct

from channels import text as sms
from dispatcher.model import BEIJING, ROLES, Channel, Kind, Role, Status, WarningMessage
from dispatcher.settings import Advice, BadConfiguration, SmsTemplate, Template, Wording

FIELDS = (
    "place",
    "event",
    "colour",
    "level",
    "grade",
    "sender",
    "time",
    "until",
    "instruction",
    "line",
    "action",
    "headline",
    "description",
    "other",
    "verb",
)

_FIELD = re.compile(r"\{([^{}]*)\}")

SPOKEN_FIRST = (
    Role.TOWN_CHIEF,
    Role.DUTY_ROOM,
    Role.TRANSFER_LEADER,
    Role.PARK_SAFETY,
    Role.RESERVOIR_KEEPER,
    Role.FLOOD_GEO_MONITOR,
    Role.FOREST_RANGER,
    Role.FIRE_GRID,
    Role.DISASTER_INFO,
)
"""One person with many roles gets one message: the line of the first of these that has one."""


class Text(Struct, frozen=True, kw_only=True):
    body: str
    segments: int
    """SMS parts; 0 on other channels."""
    lost: str = ""
    """What was cut off to keep an SMS within `max_segments`."""


class Saying(IntEnum):
    """What somebody is told: what the message says; that he is outside its area now; what stands when it is over, or less
    than that; or both."""

    ALL = auto()
    FORMER = auto()
    STANDING = auto()
    FORMER_STANDING = auto()


class Wordsmith:
    """Words one warning. Build it once a warning; `word` is called once a distinct (channel, place, line)."""

    def __init__(self, wording: Wording, message: WarningMessage, standing: str = "") -> None:
        """`standing`: what another source has issued of the same event, where that stands when this one is over."""
        self._signature, self._most = wording.signature, wording.max_segments
        self._marked = _mark(message.status)
        template = _template(wording, message)
        hazard = message.hazard.name if message.hazard else message.event
        advice = None if message.retraction else _advice(wording, message, hazard)
        own = advice.lines if advice else {}
        self._lines = {**template.lines, **own, **wording.hazard_lines.get(hazard, {})}
        fields = _fields(message, standing)
        fields["grade"] = wording.hazards.grade(hazard, message.level) or fields["colour"]
        said, former = _Forms.worded(template, fields, advice), _Forms.worded(wording.former, fields)
        stands = _SmsForms.of(wording.standing, fields)
        both = _SmsForms.of(wording.standing, {**fields, "verb": "更新后，不再包括此地的"})
        self._forms: dict[Saying, _Forms] = {
            Saying.ALL: said, Saying.STANDING: said, Saying.FORMER: former, Saying.FORMER_STANDING: former
        }  # fmt: skip
        self._sms_forms: dict[Saying, _SmsForms] = {
            Saying.ALL: said, Saying.STANDING: stands, Saying.FORMER: former, Saying.FORMER_STANDING: both
        }  # fmt: skip

    def line(self, roles: int) -> str:
        """What somebody with these roles (bits of model.ROLES) is to do; '' where nothing special is said."""
        for role in SPOKEN_FIRST:
            if roles >> ROLES.index(role) & 1 and role in self._lines:
                return self._lines[role]
        return ""

    def word(
        self, channel: Channel, place: str, line: str = "", *, resident: bool = False, saying: Saying = Saying.ALL
    ) -> Text:
        """The finished text with signature and drill marks. A resident is told what to do, not sent to a post."""
        match channel:
            case Channel.SMS:
                forms = self._sms_forms[saying]
                return self._sms((forms.resident if resident else forms.officer).filled(place, line))
            case Channel.BROADCAST | Channel.VOICE:
                return Text(body=self._marked(self._forms[saying].broadcast.filled(place, line)), segments=0)
            case Channel.PARTY:
                return Text(body=self._marked(self._forms[saying].party.filled(place, line)), segments=0)

    def _sms(self, said: str) -> Text:
        whole = self._marked(sms.signed(said, self._signature))
        segments, most = sms.segments(whole), self._most
        if segments <= most:
            return Text(body=whole, segments=segments)
        body, room = said, sms.capacity(most) - (sms.units(whole) - sms.units(said))
        while segments > most:
            body = sms.cut(body, room)
            whole = self._marked(sms.signed(body, self._signature))
            segments = sms.segments(whole)
            room -= 1  # a text with rare characters wastes a unit at the end of a part
        return Text(body=whole, segments=segments, lost=said[len(body.removesuffix(sms.ELLIPSIS)) :])


def _mark(status: Status) -> Callable[[str], str]:
    match status:
        case Status.EXERCISE:
            return sms.mark_drill
        case Status.TEST | Status.SYSTEM | Status.DRAFT:
            return sms.mark_test
        case Status.ACTUAL:
            return str


class Form:
    """A template with all filled in but the place and the line: a city's warning has a thousand and more of those.

    A name that is not a field stays as it is written; braces inside a field stay text.
    """

    def __init__(self, template: str, fields: Mapping[str, str]) -> None:
        self._pieces = _FIELD.split(template)  # text, name, text, name, … text
        self._open: list[tuple[int, bool]] = []
        for at in range(1, len(self._pieces), 2):
            name = self._pieces[at]
            if name in ("place", "line"):
                self._open.append((at, name == "place"))
            else:
                self._pieces[at] = fields.get(name, f"{{{name}}}")

    def filled(self, place: str, line: str) -> str:
        for at, is_place in self._open:
            self._pieces[at] = place if is_place else line
        return "".join(self._pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class _SmsForms:
    """A template's texts for people."""

    officer: Form
    resident: Form

    @staticmethod
    def of(template: SmsTemplate, fields: Mapping[str, str]) -> _SmsForms:
        return _SmsForms(
            officer=Form(template.sms, {**fields, "action": template.officers or ""}),
            resident=Form(template.resident, {**fields, "action": template.residents or ""}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Forms(_SmsForms):
    """A template's four texts. {action} is what officers are to do in theirs, what everybody is to do in the others."""

    broadcast: Form
    party: Form

    @staticmethod
    def worded(template: Template, fields: Mapping[str, str], advice: Advice | None = None) -> _Forms:
        officers = (advice.officers if advice else template.officers) or ""
        residents = (advice.residents if advice else template.residents) or ""
        everybody = {**fields, "action": residents}
        return _Forms(
            officer=Form(template.sms, {**fields, "action": officers}),
            resident=Form(template.resident, everybody),
            broadcast=Form(template.broadcast, everybody),
            party=Form(template.party, everybody),
        )


def check(wording: Wording) -> None:
    """BadConfiguration where a template names a field that does not exist: found at start, not at 02:39."""
    faults = []
    named: dict[str, SmsTemplate] = {
        **{str(level): template for level, template in wording.levels.items()},
        "cancel": wording.cancel,
        "retraction": wording.retraction,
        "former": wording.former,
        "standing": wording.standing,
    }
    for name, template in named.items():
        for channel in ("sms", "resident", "broadcast", "party"):
            faults += [
                f"wording.yaml: {name}.{channel}: 没有 {{{field}}} 这个字段，可用：{'、'.join(FIELDS)}"
                for field in _FIELD.findall(getattr(template, channel, ""))
                if field not in FIELDS
            ]
        faults += [
            f"wording.yaml: {name}.lines.{role}: 这里不能用字段 {{{field}}}"
            for role, line in (template.lines.items() if isinstance(template, Template) else ())
            for field in _FIELD.findall(line)
        ]
        faults += [f"wording.yaml: {name}.{key}: 用了 {{action}}，就要写明该做什么" for key in _speechless(template)]
    for hazard, lines in wording.hazard_lines.items():
        faults += [
            f"wording.yaml: hazard_lines.{hazard}.{role}: 这里不能用字段"
            for role, line in lines.items()
            if _FIELD.search(line)
        ]
    if "】" in wording.signature or not sms.is_signed(sms.signed("文", wording.signature)):
        faults.append(f"wording.yaml: signature: 【{wording.signature}】应为 2–12 个汉字、字母或数字")
    if faults:
        raise BadConfiguration("\n".join(faults))


def _speechless(template: SmsTemplate) -> list[str]:
    """The sentence that is missing for a hazard without advice of its own."""
    to_all = "".join(getattr(template, channel, "") for channel in ("resident", "broadcast", "party"))
    asked = (("officers", template.sms, template.officers), ("residents", to_all, template.residents))
    return [key for key, text, sentence in asked if "action" in _FIELD.findall(text) and not sentence]


def _advice(wording: Wording, message: WarningMessage, hazard: str) -> Advice | None:
    return wording.hazards.advice_on(hazard, message.level, called_off=message.kind is Kind.CANCEL)


def _template(wording: Wording, message: WarningMessage) -> Template:
    if message.kind is Kind.CANCEL:
        return wording.retraction if message.retraction else wording.cancel
    if message.level is None:
        raise ValueError("a warning without a level has no wording")
    return wording.levels[message.level]


def _verb(message: WarningMessage) -> str:
    """What has become of it, for whoever hears at once what stands."""
    if message.kind is not Kind.CANCEL:
        return "调整为"
    return "撤回了误发的" if message.retraction else "解除了"


def _fields(message: WarningMessage, standing: str) -> dict[str, str]:
    return {
        "other": standing,
        "verb": _verb(message),
        "event": message.hazard.name if message.hazard else message.event,
        "colour": message.level.chinese if message.level else "",
        "level": message.level.roman if message.level else "",
        "sender": message.sender_name or message.sender,
        "time": spoken_time(message.sent),
        "until": spoken_time(message.expires) if message.expires else "另行通知",
        "headline": message.headline,
        "description": message.description,
        "instruction": message.instruction,
    }


def spoken_time(at: datetime) -> str:
    """4月3日2时39分, Beijing time: as a person says it and a loudspeaker reads it."""
    local = at.astimezone(BEIJING)
    return f"{local.month}月{local.day}日{local.hour}时" + (f"{local.minute}分" if local.minute else "")

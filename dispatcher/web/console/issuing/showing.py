"""What the issue page and its two moving parts show. Everything is worked out here; templates only lay it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Final

from dispatcher.audience import Headcount
from dispatcher.intake.canonical import digest, from_json
from dispatcher.linting import Remark, Spoken
from dispatcher.model import Channel, Code, Finding, Verdict
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.count import Counted
from dispatcher.pipeline.lint import Linted
from dispatcher.pipeline.preview import Preview
from dispatcher.registry.register import Register
from dispatcher.settings import HazardKind
from dispatcher.settings.templates import IssueTemplate
from dispatcher.store.warnings import WarningRow
from dispatcher.web.console.issuing import fields
from dispatcher.web.console.issuing.fields import Fields
from dispatcher.web.console.naming import called

NAMED: Final = 60
"""Places that will not hear, by name; how many there are stands beside them."""
_SETTLED_LATER: Final = frozenset({Code.APPROVAL_MISSING})
"""What a second person is for is no fault of a draft."""


class Mode(StrEnum):
    """What the page is for."""

    NEW = "new"
    EDIT = "edit"
    UPDATE = "update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`path`: where its form goes; `row`: the draft, or what is to be updated; `quick`: the templates that were written;
    `theirs`: what somebody else wrote meanwhile."""

    path: str
    mode: Mode
    typed: Fields
    hazards: tuple[HazardKind, ...]
    quick: tuple[IssueTemplate, ...]
    synthetic: bool
    row: WarningRow | None = None
    why: str = ""
    findings: tuple[Finding, ...] = ()
    theirs: tuple[tuple[str, str], ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def drill_begins(self) -> str:
        return fields.DRILL_BEGINS

    @property
    def update(self) -> bool:
        return self.mode is Mode.UPDATE

    @property
    def draft(self) -> str:
        """The id of the draft that is edited; '' where there is none yet."""
        return self.row.id if self.row is not None and self.mode is Mode.EDIT else ""

    @property
    def held_for(self) -> tuple[str, ...]:
        """Why it was held, while it is edited."""
        findings = self.row.findings if self.row is not None and self.mode is Mode.EDIT else ()
        return tuple(f"{one['code']} {one['reason']}" for one in findings if one["verdict"] != Verdict.ACCEPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """One reason why places will not hear, and the first of them by name."""

    why: str
    count: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit that was chosen whole."""

    code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """Who gets it and who will not. `again`: some may have heard an earlier version; `beside`: or these, of other sources.
    `hits`: what the map colours, `code:1` where all its villages are in it, else `code:0`."""

    placed: bool
    heads: Headcount | None
    villages: int
    touched: int
    hits: str
    units: tuple[Unit, ...]
    unheard: tuple[Unheard, ...]
    unattended: tuple[str, ...]
    findings: tuple[Finding, ...]
    again: bool
    beside: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A channel's forecast: how many, how fast, how long; `unsent`: why → how many it will not send."""

    channel: Channel
    targets: int
    rate: float
    seconds: float | None
    waits_until: str
    unsent: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How it will read and sound. `stops`: what has to be mended before it can be put forward."""

    remarks: tuple[Remark, ...]
    stops: tuple[Finding, ...]
    officers: tuple[Spoken, ...]
    residents: tuple[Spoken, ...]
    others: tuple[Spoken, ...]
    lanes: tuple[Lane, ...]


def page_of(context: Context, register: Register, about: tuple[str, Mode], typed: Fields) -> Page:
    """`about`: where its form goes, and what it is for."""
    hazards = context.settings.hazards
    quick = context.settings.templates.templates
    path, mode = about
    return Page(path=path, mode=mode, typed=typed, hazards=hazards.hazards, quick=quick, synthetic=register.synthetic)


def draft_of(row: WarningRow) -> Fields:
    message = from_json(row.message)
    return fields.shown(message, digest(message))


def differences(mine: Fields, theirs: Fields) -> tuple[tuple[str, str], ...]:
    """Field → what the other wrote, where it is not what is typed here."""
    said = {
        "灾种": (mine.hazard, theirs.hazard),
        "级别": (mine.level.chinese if mine.level else "", theirs.level.chinese if theirs.level else ""),
        "标题": (mine.headline, theirs.headline),
        "内容": (mine.description, theirs.description),
        "防御指引": (mine.instruction, theirs.instruction),
        "有效至": (mine.until.replace("T", " "), theirs.until.replace("T", " ")),
        "夜里也响大喇叭": (_yes(mine.night), _yes(theirs.night)),
        "只发岗位人员": (_yes(mine.internal), _yes(theirs.internal)),
        "岗位": tuple("、".join(one.chinese for one in fields.roles) for fields in (mine, theirs)),
        "住户人群": ("、".join(mine.groups), "、".join(theirs.groups)),
        "住户风险标签": ("、".join(mine.risk_tags), "、".join(theirs.risk_tags)),
        "理由": (mine.reason, theirs.reason),
    }
    found = [(name, other) for name, (own, other) in said.items() if own != other]
    if (mine.area_text, mine.names) != (theirs.area_text, theirs.names):
        found.append(("区域", "另划了区域" if theirs.placed else "清空了区域"))
    return tuple(found)


def _yes(ticked: bool) -> str:
    return "是" if ticked else "否"


def strip(register: Register, typed: Fields, counted: Counted) -> Strip:
    heads, resolved = counted.heads, counted.resolved
    placed = typed.placed and heads is not None and resolved is not None
    return Strip(
        placed=placed,
        heads=heads,
        villages=len(resolved.villages) if resolved and placed else 0,
        touched=len(resolved.touched) - len(resolved.villages) if resolved and placed else 0,
        hits=" ".join(f"{hit.code}:{int(hit.villages == hit.of)}" for hit in heads.hits) if heads and placed else "",
        units=tuple(Unit(code=code, name=called(register, code)) for code in typed.drawing.codes),
        unheard=_unheard(register, heads) if heads and placed else (),
        unattended=tuple(called(register, code) for code in heads.unattended) if heads and placed else (),
        findings=counted.findings if typed.placed else (),
        again=counted.again,
        beside=counted.beside if placed else (),
    )


def words(preview: Preview, linted: Linted) -> Words:
    messages = [one for one in linted.texts if one.channel is Channel.SMS]
    outside = any(one.code is Code.OUTSIDE_AUTHORITY for one in preview.findings)
    return Words(
        remarks=linted.remarks,
        stops=tuple(
            one for one in preview.findings if one.verdict is not Verdict.ACCEPT and one.code not in _SETTLED_LATER
        ),
        officers=tuple(one for one in messages if "住户" not in one.to),
        residents=tuple(one for one in messages if "住户" in one.to),
        others=tuple(one for one in linted.texts if one.channel is not Channel.SMS),
        lanes=() if outside else tuple(_lane(name, numbers) for name, numbers in preview.channels.items()),
    )


def _lane(name: str, numbers: Mapping[str, object]) -> Lane:
    rate, seconds, unsent = numbers.get("rate"), numbers.get("eta_s"), numbers.get("not_sent")
    targets = numbers.get("targets")
    return Lane(
        channel=Channel(name),
        targets=targets if isinstance(targets, int) else 0,
        rate=rate if isinstance(rate, float) else 0.0,
        seconds=seconds if isinstance(seconds, float) else None,
        waits_until=str(numbers.get("waits_until", "")),
        unsent=unsent if isinstance(unsent, dict) else {},
    )


def _unheard(register: Register, heads: Headcount) -> tuple[Unheard, ...]:
    def why(one: object) -> str:
        return getattr(one, "why", "")

    grouped = {name: list(ones) for name, ones in groupby(sorted(heads.unreachable, key=why), key=why)}
    return tuple(
        Unheard(why=name, count=count, names=_names(register, [one.area for one in grouped[name][:NAMED]]))
        for name, count in heads.reasons.items()
    )


def _names(register: Register, codes: Sequence[str]) -> tuple[str, ...]:
    return tuple(called(register, code) for code in codes)

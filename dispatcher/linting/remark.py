"""A remark, and what it is made of: the message as its issuer said it, and the texts that people get."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from dispatcher.linting.reading import is_chinese
from dispatcher.linting.speaking import Spoken
from dispatcher.model import Finding, Kind, WarningMessage
from dispatcher.settings import Hazards, Lint

SHOWN = 60


class Severity(StrEnum):
    """`warn`: change it before it goes out. `note`: know it."""

    WARN = "warn"
    NOTE = "note"

    @property
    def chinese(self) -> str:
        return "要改" if self is Severity.WARN else "留意"


class Rule(StrEnum):
    LANGUAGE = "language"
    SOURCE = "source"
    HAZARD = "hazard"
    IMPACT = "impact"
    PLACE = "place"
    VAGUE_PLACE = "vague_place"
    TIME = "time"
    VAGUE_TIME = "vague_time"
    ACTION = "action"
    ISSUED = "issued"
    VALIDITY = "validity"
    MIXED_LEVELS = "mixed_levels"
    MIXED_HAZARDS = "mixed_hazards"
    UNUSUAL_COLOUR = "unusual_colour"
    EVACUATION = "evacuation"
    CANCEL_ORDERS = "cancel_orders"
    CANCEL_UNSAID = "cancel_unsaid"
    DRILL_DENIED = "drill_denied"
    DRILL_PANIC = "drill_panic"
    DRILL_NOTE = "drill_note"
    DRILL_READS_REAL = "drill_reads_real"
    LIVE_DRILL = "live_drill"
    HEADLINE = "headline"
    CUT = "cut"
    SEGMENTS = "segments"
    SECONDS = "seconds"
    URL = "url"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """`field`: of the message, or the channel whose text it is about; `found`: what stands there, '' where nothing does;
    `sentence`: what to change, in Chinese."""

    rule: Rule
    severity: Severity
    field: str
    found: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Said:
    """`message` as its issuer said it (no expiry filled in; a Cancel with the hazard and level it calls off); `findings`:
    what decoding said of it."""

    message: WarningMessage
    texts: tuple[Spoken, ...]
    hazards: Hazards
    rules: Lint
    findings: tuple[Finding, ...] = field(default=())

    @property
    def issues(self) -> bool:
        """Whether it tells of a danger."""
        return self.message.kind in (Kind.ALERT, Kind.UPDATE)

    @cached_property
    def told(self) -> str:
        """What goes beyond the headline."""
        return f"{self.message.description}\n{self.message.instruction}"

    @cached_property
    def whole(self) -> str:
        return f"{self.message.headline}\n{self.told}"

    @cached_property
    def chinese(self) -> bool:
        return is_chinese(self.whole)

    @property
    def current(self) -> tuple[Spoken, ...]:
        """The texts for those inside the area."""
        return tuple(text for text in self.texts if not text.former)


def warn(rule: Rule, field: str, found: str, sentence: str) -> Remark:
    return Remark(rule=rule, severity=Severity.WARN, field=field, found=short(found), sentence=sentence)


def note(rule: Rule, field: str, found: str, sentence: str) -> Remark:
    return Remark(rule=rule, severity=Severity.NOTE, field=field, found=short(found), sentence=sentence)


def short(found: str) -> str:
    return found if len(found) <= SHOWN else found[: SHOWN - 1] + "…"

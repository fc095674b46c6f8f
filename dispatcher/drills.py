"""Who may be told in a field drill: `config/drills.yaml`, and the stage a service stands on.

A drill in the field rings real phones, so it must fail closed: whoever is not listed is not told, and no loudspeaker
sounds without a consent that is on record and has not lapsed. An empty or missing file is nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import assert_never

from pydantic import BaseModel, ConfigDict, Field

from dispatcher.model import BEIJING, Member, TargetKind, township_of

NOT_IN_DRILL = "not_in_drill"
NO_CONSENT = "no_consent"


class Stage(StrEnum):
    """Where a service stands. No file and no variable sets it, only the program that sets up the stage."""

    FIELD = "field"
    DESK = "desk"
    TRAINING = "training"

    @property
    def rehearsed(self) -> bool:
        """Nothing leaves this machine, so everybody of the register may be told in a drill."""
        return self is not Stage.FIELD


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Consent(_Frozen):
    """A township lets its loudspeakers sound in a drill, or a county its platform; through the day `until`."""

    township: str = Field(pattern=r"^\d{6}(\d{3})?$")
    by: str = Field(min_length=1)
    until: date


class Drills(_Frozen):
    """drills.yaml."""

    participants: tuple[str, ...] = ()
    consents: tuple[Consent, ...] = ()

    def on(self, now: datetime) -> Limit:
        """The lists as they hold at this moment."""
        today = now.astimezone(BEIJING).date()
        return Limit(
            participants=frozenset(self.participants),
            consents=frozenset(one.township for one in self.consents if today <= one.until),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`consents`: codes of townships (9 digits) and counties (6), those that hold now."""

    participants: frozenset[str]
    consents: frozenset[str]

    def bars(self, member: Member) -> str:
        """Why somebody on a drill's list is not told, or ''.

        A gateway sounds in all its villages at once: each of their townships has to have agreed, its county does not
        speak for them. A platform answers for the unit that runs it.
        """
        match member.target.kind:
            case TargetKind.OFFICER:
                return "" if member.target.id in self.participants else NOT_IN_DRILL
            case TargetKind.OFFICE | TargetKind.RESIDENT:
                return NOT_IN_DRILL
            case TargetKind.GATEWAY:
                units = {township_of(code) for code in member.areas}
                return "" if units and units <= self.consents else NO_CONSENT
            case TargetKind.ENDPOINT:
                return "" if member.township in self.consents else NO_CONSENT
            case _:
                assert_never(member.target.kind)

"""Whom a red for the whole city would not reach if it left now: village by village, and which townships nobody keeps watch in.

The list itself is asked (`gather`), and never told a second time. Made once a register.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import numpy as np

from dispatcher.audience.gathering import gather
from dispatcher.audience.machines import NOBODY
from dispatcher.audience.roll import NO_PHONE, Mask, Roll, roll_of
from dispatcher.model import (
    Area,
    Geocode,
    Kind,
    Level,
    Post,
    Scope,
    Status,
    TargetKind,
    WarningMessage,
    code12,
    county_of,
    short_code,
    township_of,
)
from dispatcher.registry.register import Register


class Speaker(StrEnum):
    """Whether a village's loudspeakers would sound. `LOST`: its gateway and all above it are silent; `NONE`: it has none."""

    SOUNDS = "sounds"
    LOST = "lost"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A village that something is missing of. `nobody`: no officer and no resident is on the list; `no_phone`: nobody who holds
    a post there has a number."""

    village: str
    nobody: bool
    no_phone: bool
    speaker: Speaker

    @property
    def township(self) -> str:
        return township_of(self.village)

    @property
    def lost(self) -> bool:
        """Neither a person nor a loudspeaker: somebody has to go there."""
        return (self.nobody or self.no_phone) and self.speaker is not Speaker.SOUNDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """`villages`: how many there are, by township. `unwatched`: townships and counties without anybody in the duty room."""

    officers: int
    residents: int
    gateways: int
    endpoints: int
    offices: int
    villages: dict[str, int]
    gaps: tuple[Gap, ...]
    unwatched: frozenset[str]


_KNOWN: dict[str, tuple[Register, Gaps]] = {}
_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)


def gaps_of(register: Register) -> Gaps:
    """Those of the register before are let go."""
    known = _KNOWN.get("newest")
    if known is None or known[0] is not register:
        known = _KNOWN["newest"] = (register, _found(register))
    return known[1]


def _found(register: Register) -> Gaps:
    message = _red(register.city)
    resolved = register.geofence.resolve(message.areas, text="", prefixes=(register.city,))
    audience = gather(register, resolved, message)
    roll = roll_of(register)
    kinds = [member.target.kind for member in audience.members]
    return Gaps(
        officers=kinds.count(TargetKind.OFFICER),
        residents=len(audience.residents.id),
        gateways=kinds.count(TargetKind.GATEWAY),
        endpoints=kinds.count(TargetKind.ENDPOINT),
        offices=kinds.count(TargetKind.OFFICE),
        villages=_counted(resolved.villages),
        gaps=tuple(_gaps(roll, {one.area for one in audience.unreachable if one.why in NOBODY})),
        unwatched=_unwatched(register),
    )


def _counted(villages: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for village in villages:
        found[township_of(village)] = found.get(township_of(village), 0) + 1
    return found


def _gaps(roll: Roll, nobody: set[str]) -> Iterator[Gap]:
    numberless = _numberless(roll)
    for village, code in enumerate(roll.fence.village_codes):
        serving, covered = roll.serving[village] >= 0, roll.covered[village]
        speaker = Speaker.SOUNDS if serving else Speaker.LOST if covered else Speaker.NONE
        if code in nobody or numberless[village] or speaker is not Speaker.SOUNDS:
            yield Gap(village=code, nobody=code in nobody, no_phone=bool(numberless[village]), speaker=speaker)


def _numberless(roll: Roll) -> Mask:
    """Villages with posts none of whose holders has a number."""
    here = roll.post_place < roll.villages
    place, known = roll.post_place[here], roll.phone[roll.post_officer[here]] != NO_PHONE
    posted, reached = np.zeros((2, roll.villages), bool)
    posted[place] = True
    reached[place[known]] = True
    return posted & ~reached


def _unwatched(register: Register) -> frozenset[str]:
    manned = [held for held in register.posts if held.post is Post.DUTY and held.officer_id in register.officers]
    watched = {short_code(held.area_code) for held in manned}
    units = {township_of(code) for code in register.geofence.village_codes}
    units |= {county_of(code) for code in units}
    return frozenset(units - watched)


def _red(city: str) -> WarningMessage:
    """As urgent and as wide as a warning can be."""
    return WarningMessage(
        source_format="native",
        sender="",
        identifier="",
        sent=_BEGINNING,
        status=Status.ACTUAL,
        kind=Kind.ALERT,
        scope=Scope.PUBLIC,
        level=Level.RED,
        areas=(Area(description="", geocodes=(Geocode(scheme="", value=code12(city)),)),),
    )

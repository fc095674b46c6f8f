"""Which gateways, party endpoints and township offices are told, and which villages nobody reaches.

A village must never be played to by two gateways: the lowest that answers speaks for it, one above it only in its place.
An office hears exactly what it subscribed to.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dispatcher.audience.listing import Ground
from dispatcher.audience.roll import Indices, Mask, Roll
from dispatcher.model import (
    Channel,
    Level,
    Member,
    Subscription,
    Target,
    TargetKind,
    Unreachable,
    WarningMessage,
    Why,
    short_code,
    township_of,
)

_NO_ONE_NO_SPEAKER = "村内无人可通知，也没有在线的播发网关：请派人上门告知"
_NO_ONE = "村内无人可通知，只有喇叭：请派人核实"
_NO_ONE_AT_ALL = "村内无人可通知：请派人上门告知"
NOBODY = frozenset({_NO_ONE_NO_SPEAKER, _NO_ONE, _NO_ONE_AT_ALL})
"""Why nobody of a village is told."""
_SPEAKER_LOST = "播发网关及其上级均失联，喇叭不响：只通知到人"
_NO_SPEAKER = "没有播发网关，喇叭不响：只通知到人"


def gateways(roll: Roll, over: Ground) -> list[Member]:
    """One member a gateway: its villages, and those it stands in for."""
    every = list(roll.register.gateways.values())
    villages = np.flatnonzero(over.hit & (roll.serving >= 0))
    villages = villages[np.argsort(roll.serving[villages], kind="stable")]
    serving = roll.serving[villages]
    starts = np.flatnonzero(np.diff(serving, prepend=-1))
    codes = roll.village_codes[villages].tolist()
    only_standing_in = np.logical_and.reduceat(roll.stands_in[villages], starts) if len(starts) else starts
    bounds = [*starts.tolist(), len(codes)]
    return [
        Member(
            target=Target(kind=TargetKind.GATEWAY, id=every[number].id),
            channel=Channel.BROADCAST,
            why=Why.GATEWAY_STANDS_IN if only_standing_in[turn] else Why.GATEWAY_COVERS,
            township=unit_of(every[number].area_code),
            order=0,
            areas=tuple(codes[bounds[turn] : bounds[turn + 1]]),
        )
        for turn, number in enumerate(serving[starts].tolist())
    ]


def endpoints(roll: Roll, over: Ground) -> list[Member]:
    found = []
    for endpoint in roll.register.endpoints.values():
        branches = roll.branches[endpoint.id]
        inside = branches[over.hit[branches]]
        if len(inside):
            found.append(
                Member(
                    target=Target(kind=TargetKind.ENDPOINT, id=endpoint.id),
                    channel=Channel.PARTY,
                    why=Why.BRANCHES_INSIDE,
                    township=unit_of(endpoint.area_code),
                    order=0,
                    areas=tuple(roll.village_codes[inside].tolist()),
                )
            )
    return found


def offices(roll: Roll, over: Ground, message: WarningMessage, told: Indices) -> list[Member]:
    """Offices with a subscription that matches, unless their phone is told already (`told`: rows of officers)."""
    found: dict[str, Member] = {}
    heard = np.zeros(len(roll.officers), bool)
    heard[told] = True
    said: set[int] = set()
    before = np.concatenate([[0], np.cumsum(over.hit)])
    met = np.flatnonzero(before[roll.to_village] > before[roll.from_village])
    own = before[roll.own_to[met]] > before[roll.own_from[met]]
    matching: dict[tuple[tuple[str, ...], Level, tuple[Channel, ...]], bool] = {}
    for number, at_home in zip(roll.subscribed[met].tolist(), own.tolist(), strict=True):
        one, office, unit, same_phone = roll.asking[number]
        if office is None or office.id in found:
            continue
        asked = (one.hazards, one.least_level, one.channels)
        if asked not in matching:
            matching[asked] = not mismatch(one, message)
        phone = office.phone_index
        if not matching[asked] or phone in said or (same_phone and heard[list(same_phone)].any()):
            continue
        if phone:
            said.add(phone)
        place = unit if at_home else _first_hit(roll, over, one)
        found[office.id] = _office_member(roll, office.id, place)
    return list(found.values())


def _office_member(roll: Roll, office_id: str, place: str) -> Member:
    known = roll.office_members
    made = known.get((office_id, place))
    if made is None:
        made = known[office_id, place] = Member(
            target=Target(kind=TargetKind.OFFICE, id=office_id),
            channel=Channel.SMS,
            why=Why.SUBSCRIPTION,
            township=place,
            order=0,
        )
    return made


def mismatch(subscription: Subscription, message: WarningMessage) -> str:
    """Why a subscription whose areas are hit does not match all the same; empty where it does."""
    if Channel.SMS not in subscription.channels:
        return "订阅未选短信"
    if subscription.hazards and (message.hazard is None or message.hazard.name not in subscription.hazards):
        return "未订阅该灾种"
    if message.level is None or not _at_or_above(message.level, subscription.least_level):
        return "低于所订阅的最低级别"
    return ""


def unreachable(roll: Roll, over: Ground, person: Mask, *, public: bool) -> tuple[Unreachable, ...]:
    """Villages in the area that have nobody on the list (`person`), or no loudspeaker that answers."""
    speaker = (roll.serving >= 0) | (not public)
    mute = over.hit & ~speaker
    every = np.empty(roll.villages, object)
    for why, where in (
        (_NO_ONE if public else _NO_ONE_AT_ALL, over.hit & speaker & ~person),
        (_NO_ONE_NO_SPEAKER, mute & ~person),
        (_SPEAKER_LOST, mute & person & roll.covered),
        (_NO_SPEAKER, mute & person & ~roll.covered),
    ):
        if where.any():
            every[where] = _said_of(roll, why)[where]
    return tuple(every[over.hit & ~(person & speaker)].tolist())


def _said_of(roll: Roll, why: str) -> NDArray[np.object_]:
    """One sentence about each village, made when the first of them needs it."""
    if why not in roll.unreachable:
        said = np.empty(roll.villages, object)
        said[:] = [Unreachable(area=code, why=why) for code in roll.fence.village_codes]
        roll.unreachable[why] = said
    return roll.unreachable[why]


def span_of(roll: Roll, code: str) -> slice:
    """The villages under a code, as they stand in every array."""
    under = roll.fence.under(code)
    return slice(under.start, under.stop)


def unit_of(code: str) -> str:
    """What a report calls the place: a township's 9 digits, else the 6 of a county or the city."""
    return township_of(short_code(code))


def _at_or_above(level: Level, least: Level) -> bool:
    return level.rank <= least.rank


def _first_hit(roll: Roll, over: Ground, subscription: Subscription) -> str:
    """The first township hit that an office asked about, where its own is not: the text names it."""
    hit = (np.flatnonzero(over.hit[span]) + span.start for span in (span_of(roll, c) for c in subscription.area_codes))
    return township_of(roll.fence.village_codes[next(int(villages[0]) for villages in hit if len(villages))])

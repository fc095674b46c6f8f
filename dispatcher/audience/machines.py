"""Which gateways, party endpoints and township offices are told, and which villages nobody reaches.

A village must never be played to by two gateways: the lowest that answers speaks for it, one above it only in its place.
An office hears exactly what it subscribed to.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dispatcher.audience.listing import Ground
from dispatcher.audience.roll import Indices, Mask, Roll, unit_of
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
    township_of,
)

_NO_ONE_NO_SPEAKER = "村内无人可通知，也没有在线的播发网关：请派人上门告知"
_NO_ONE = "村内无人可通知，只有喇叭：请派人核实"
_NO_ONE_AT_ALL = "村内无人可通知：请派人上门告知"
NOBODY = frozenset({_NO_ONE_NO_SPEAKER, _NO_ONE, _NO_ONE_AT_ALL})
"""Why nobody of a village is told."""
_SPEAKER_LOST = "播发网关及其上级均失联，喇叭不响：只通知到人"
_NO_SPEAKER = "没有播发网关，喇叭不响：只通知到人"

Whys = tuple[str, str, str]
"""Where a gateway answers, where one has terminals and none answers, where there are none."""
_HEARD: Whys = ("", _SPEAKER_LOST, _NO_SPEAKER)
_ALONE: Whys = (_NO_ONE, _NO_ONE_NO_SPEAKER, _NO_ONE_NO_SPEAKER)
_ALONE_WITHOUT_SPEAKERS: Whys = (_NO_ONE_AT_ALL, _NO_ONE_AT_ALL, _NO_ONE_AT_ALL)


def gateways(roll: Roll, over: Ground) -> list[Member]:
    """One member a gateway: its villages, and those it stands in for."""
    villages = np.flatnonzero(over.hit & roll.speaks)
    if not len(villages):
        return []
    villages = villages[np.argsort(roll.serving[villages], kind="stable")]
    serving = roll.serving[villages]
    starts = np.flatnonzero(np.diff(serving, prepend=-1))
    codes = roll.village_codes[villages].tolist()
    only_standing_in = np.logical_and.reduceat(roll.stands_in[villages], starts)
    bounds = [*starts.tolist(), len(codes)]
    whys = [Why.GATEWAY_STANDS_IN if instead else Why.GATEWAY_COVERS for instead in only_standing_in.tolist()]
    spoken_for = map(slice, bounds, bounds[1:])
    return [
        _sounding(roll, number, why, tuple(codes[span]))
        for number, why, span in zip(serving[starts].tolist(), whys, spoken_for, strict=True)
    ]


def _sounding(roll: Roll, number: int, why: Why, villages: tuple[str, ...]) -> Member:
    target, township = roll.gateway[number]
    return Member(target=target, channel=Channel.BROADCAST, why=why, township=township, order=0, areas=villages)


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
    before = np.zeros(roll.villages + 1, np.intp)
    np.cumsum(over.hit, out=before[1:])
    matching = np.array([not mismatch(one, message) for one in roll.asked], bool)
    asking = (before.take(roll.to_village) > before.take(roll.from_village)) & matching.take(roll.kind)
    if len(roll.twin_row):
        heard = np.zeros(len(roll.officers), bool)
        heard[told] = True
        asking[roll.twin_row[heard[roll.twin_officer]]] = False
    rows = np.flatnonzero(asking)
    if roll.bells_repeat:
        rows = rows[np.sort(np.unique(roll.bell[rows], return_index=True)[1])]
    elsewhere = before.take(roll.own_to.take(rows)) == before.take(roll.own_from.take(rows))
    found = [roll.at_home[row] for row in rows.tolist()]
    for place in np.flatnonzero(elsewhere).tolist():
        one = roll.asking[rows[place]]
        found[place] = roll.office_member(one.office_id, _first_hit(roll, over, one))
    return found


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
    speaker = roll.speaks if public else np.ones(roll.villages, bool)
    rows = np.flatnonzero(over.hit & ~(person & speaker))
    alone = np.flatnonzero(~person.take(rows))
    nobody = _ALONE if public else _ALONE_WITHOUT_SPEAKERS
    if len(alone) == len(rows):
        return tuple(_said(roll, nobody).take(rows).tolist())
    every = _said(roll, _HEARD).take(rows)
    if len(alone):
        every[alone] = _said(roll, nobody).take(rows.take(alone))
    return tuple(every.tolist())


def _said(roll: Roll, whys: Whys) -> NDArray[np.object_]:
    """One sentence about each village, made when the first of them needs it."""
    if whys not in roll.unreachable:
        said = np.empty(roll.villages, object)
        every = zip(roll.fence.village_codes, roll.speaks.tolist(), roll.covered.tolist(), strict=True)
        said[:] = [
            Unreachable(area=code, why=whys[0 if speaks else 1 if covered else 2]) for code, speaks, covered in every
        ]
        roll.unreachable[whys] = said
    return roll.unreachable[whys]


def span_of(roll: Roll, code: str) -> slice:
    """The villages under a code, as they stand in every array."""
    under = roll.fence.under(code)
    return slice(under.start, under.stop)


def _at_or_above(level: Level, least: Level) -> bool:
    return level.rank <= least.rank


def _first_hit(roll: Roll, over: Ground, subscription: Subscription) -> str:
    """The first township hit that an office asked about, where its own is not: the text names it."""
    hit = (np.flatnonzero(over.hit[span]) + span.start for span in (span_of(roll, c) for c in subscription.area_codes))
    return township_of(roll.fence.village_codes[next(int(villages[0]) for villages in hit if len(villages))])

"""The whole list of a warning, in sending order; and the list of those who must hear that it is called off.

It must be the same for the same register, area and message, so that an approved list can be made again and compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from dispatcher.audience import machines
from dispatcher.audience.listing import ground, in_turn, members, officers, residents
from dispatcher.audience.roll import NO_PHONE, POST_RANK, Indices, Mask, Roll, among, roll_of
from dispatcher.geofence import Resolved
from dispatcher.model import (
    NO_RESIDENTS,
    Audience,
    Channel,
    Member,
    Post,
    ResidentHits,
    Scope,
    Target,
    TargetKind,
    WarningMessage,
    Why,
)
from dispatcher.registry.register import Register

Reached = tuple[Target, Channel, str, tuple[str, ...]]
"""What a delivery that went out says of itself: target, channel, township, areas."""


def gather(register: Register, resolved: Resolved, message: WarningMessage) -> Audience:
    """Everybody the rule names, each once, in sending order."""
    roll = roll_of(register)
    over = ground(roll, resolved, message.areas)
    told = officers(roll, over, message.narrowing)
    offices = machines.offices(roll, over, message, told.rows)
    people = members(roll, told)
    first, others = people[: told.answering], people[told.answering :]
    if message.scope is not Scope.PUBLIC:
        return Audience(
            members=(*first, *offices, *others),
            residents=NO_RESIDENTS,
            left_out=told.left_out,
            unreachable=machines.unreachable(roll, over, told.posted, public=False),
        )
    homes = residents(roll, over, message.narrowing, lambda: _rung(roll, told.rows, offices))
    return Audience(
        members=(*machines.gateways(roll, over), *machines.endpoints(roll, over), *first, *offices, *others),
        residents=homes.hits,
        left_out=told.left_out + homes.left_out,
        unreachable=machines.unreachable(roll, over, told.posted | homes.posted, public=True),
    )


def _rung(roll: Roll, officers: Indices, offices: list[Member]) -> list[int]:
    """The phones that ring already."""
    return [*roll.phone[officers].tolist(), *(roll.register.offices[one.target.id].phone_index for one in offices)]


def reached_again(register: Register, reached: Iterable[Reached], why: Why = Why.REACHED_BEFORE) -> Audience:
    """Who hears that a warning is called off: exactly those it went out to, whoever holds which post by now."""
    roll = roll_of(register)
    answering = {roll.officers[row].id for row in roll.post_officer[_first_posts(roll)].tolist()}
    sent: dict[tuple[Target, Channel], tuple[str, set[str]]] = {}
    for target, channel, township, areas in reached:
        sent.setdefault((target, channel), (township, set()))[1].update(areas)
    people: list[Member] = []
    homes: list[tuple[int, str]] = []
    for (target, channel), (township, villages) in sent.items():
        if target.kind is TargetKind.RESIDENT:
            homes.append((int(target.id), township))
            continue
        officer = register.officers.get(target.id) if target.kind is TargetKind.OFFICER else None
        people.append(
            Member(
                target=target,
                channel=channel,
                why=why,
                township=township,
                roles=officer.roles if officer else 0,
                order=int(target.kind is TargetKind.OFFICER and target.id not in answering),
                areas=tuple(sorted(villages)),
            )
        )
    places = {township: number for number, township in enumerate(sorted({one.township for one in people}))}
    later = np.array([one.order for one in people], bool)
    turn = in_turn(later, np.array([places[one.township] for one in people], np.intp))
    return Audience(members=tuple([people[at] for at in turn.tolist()]), residents=_residents(homes))


def former(register: Register, inside: Audience, reached: Iterable[Reached]) -> Audience:
    """Of those it went out to, whoever is not among `inside` any more, nor has a phone that rings for somebody who is."""
    told = {member.target for member in inside.members}
    homes = set(inside.residents.id.tolist())
    phones = _phones_of(register, told, homes) - {NO_PHONE}
    gone = [one for one in reached if one[0] not in told and _resident(one[0]) not in homes]
    numbers = _residents_phones(register, {number for one in gone if (number := _resident(one[0])) is not None})
    silent = [one for one in gone if _phone(register, one[0], numbers) not in phones]
    return reached_again(register, silent, Why.FORMER)


def _resident(target: Target) -> int | None:
    return int(target.id) if target.kind is TargetKind.RESIDENT else None


def _phones_of(register: Register, told: set[Target], homes: set[int]) -> set[int]:
    return {_phone(register, target, {}) for target in told} | set(_residents_phones(register, homes).values())


def _phone(register: Register, target: Target, residents: Mapping[int, int]) -> int:
    """Its index; NO_PHONE for a machine, and for whoever is not in the register any more."""
    match target.kind:
        case TargetKind.OFFICER:
            officer = register.officers.get(target.id)
            return officer.phone_index if officer else NO_PHONE
        case TargetKind.OFFICE:
            office = register.offices.get(target.id)
            return office.phone_index if office else NO_PHONE
        case TargetKind.RESIDENT:
            return residents.get(int(target.id), NO_PHONE)
        case TargetKind.GATEWAY | TargetKind.ENDPOINT:
            return NO_PHONE


def _residents_phones(register: Register, ids: set[int]) -> dict[int, int]:
    if not ids:
        return {}
    every = register.residents
    rows = np.flatnonzero(among(every.id, np.fromiter(ids, np.int64, len(ids))))
    return dict(zip(every.id[rows].tolist(), every.phone_index[rows].tolist(), strict=True))


def homes_beside(register: Register, resolved: Resolved, message: WarningMessage) -> tuple[str, ...]:
    """Villages outside the area whose officers are told because a known home of theirs lies inside it."""
    roll = roll_of(register)
    beside = np.flatnonzero(ground(roll, resolved, message.areas).beside)
    return tuple([roll.fence.village_codes[village] for village in beside.tolist()])


def _first_posts(roll: Roll) -> Mask:
    return among(roll.post_rank, np.array([POST_RANK[Post.A], POST_RANK[Post.DUTY]]))


def _residents(homes: list[tuple[int, str]]) -> ResidentHits:
    townships = tuple(sorted({township for _, township in homes}))
    places = {township: number for number, township in enumerate(townships)}
    township = np.array([places[one] for _, one in homes], np.int32)
    turn = in_turn(np.zeros(len(homes), bool), township.astype(np.intp))
    return ResidentHits(
        id=np.array([number for number, _ in homes], np.int64)[turn], township=township[turn], townships=townships
    )

"""How many a list comes to, and whom it will not reach: what the console shows while somebody draws.

It must be ready in milliseconds for a whole city, because it is asked again at every move of the mouse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dispatcher.audience.roll import POST_RANK, Mask, Roll, roll_of
from dispatcher.geofence import Resolved
from dispatcher.model import ROLES, Audience, Post, Role, TargetKind, Unreachable, county_of
from dispatcher.registry.register import Register


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A township of the area: how many of its villages are in it, and how many it has."""

    code: str
    villages: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Headcount:
    """`roles`: officers by role, the largest first; one with two roles counts in both. `speakers` sound, `silent` ones have
    terminals there and do not answer. `unattended`: townships and counties above the area whose duty room nobody holds."""

    hits: tuple[Hit, ...]
    officers: int
    roles: tuple[tuple[Role, int], ...]
    residents: int
    speakers: int
    silent: int
    offices: int
    endpoints: int
    former: int
    told_before: int
    unreachable: tuple[Unreachable, ...]
    unattended: tuple[str, ...]

    @property
    def reasons(self) -> Mapping[str, int]:
        """Why a place will not hear → how many places, the commonest first."""
        return dict(Counter(one.why for one in self.unreachable).most_common())


def headcount(register: Register, resolved: Resolved, audience: Audience) -> Headcount:
    """Of a list that `gather` made for this area."""
    roll = roll_of(register)
    hit = np.zeros(roll.villages, bool)
    hit[roll.fence.indices(resolved.villages)] = True
    kinds = Counter(member.target.kind for member in audience.members)
    return Headcount(
        hits=_hits(roll, hit),
        officers=kinds[TargetKind.OFFICER],
        roles=_roles(audience),
        residents=len(audience.residents.id),
        speakers=kinds[TargetKind.GATEWAY],
        silent=_silent(register, roll, hit),
        offices=kinds[TargetKind.OFFICE],
        endpoints=kinds[TargetKind.ENDPOINT],
        former=len(audience.former) + len(audience.former_residents.id),
        told_before=len(audience.told),
        unreachable=audience.unreachable,
        unattended=_unattended(roll, hit),
    )


def _hits(roll: Roll, hit: Mask) -> tuple[Hit, ...]:
    places = roll.fence.township_of_village
    every = np.bincount(places, minlength=len(roll.fence.townships))
    found = np.bincount(places[hit], minlength=len(every))
    return tuple(
        Hit(code=roll.fence.townships[place], villages=int(found[place]), of=int(every[place]))
        for place in np.flatnonzero(found).tolist()
    )


def _roles(audience: Audience) -> tuple[tuple[Role, int], ...]:
    held = np.array([one.roles for one in audience.members if one.target.kind is TargetKind.OFFICER], np.int64)
    counts = [(role, int((held >> bit & 1).sum())) for bit, role in enumerate(ROLES)]
    return tuple(sorted((one for one in counts if one[1]), key=lambda one: -one[1]))


def _silent(register: Register, roll: Roll, hit: Mask) -> int:
    gateways = register.gateways.values()
    return sum(
        not gateway.online and bool(hit[villages].any())
        for gateway, villages in zip(gateways, roll.terminals, strict=True)
    )


def _unattended(roll: Roll, hit: Mask) -> tuple[str, ...]:
    """Units whose duty room is on no list because nobody holds the post."""
    held = set(roll.post_place[roll.post_rank == POST_RANK[Post.DUTY]].tolist())
    townships = {roll.fence.townships[place] for place in set(roll.fence.township_of_village[hit].tolist())}
    units = sorted({*townships, *map(county_of, townships)})
    return tuple(unit for unit in units if roll.units[unit] not in held)

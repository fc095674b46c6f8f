"""One register as arrays: who has which post where, who lives where, which gateway serves a village.

Made once a register and kept while it is the newest, with what was made for the lists of before: somebody who drags a
polygon asks for nearly the same list again. It must stay small: a byte per resident beside the register's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dispatcher.geofence import Geofence
from dispatcher.model import (
    Channel,
    Member,
    Officer,
    Post,
    Subscription,
    Target,
    TargetKind,
    Why,
    county_of,
    short_code,
    township_of,
)
from dispatcher.registry.register import Register

Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]

POST_RANK: Final = {Post.A: 0, Post.B: 1, Post.TRANSFER: 2, Post.CHIEF: 3, Post.DUTY: 4}
"""Who answers for a village first; the smaller number."""
_HOME: Final = 15
"""Behind every post."""
COUNTY_POSTS: Final = frozenset({Post.A, Post.B, Post.DUTY})
TWIN: Final = 1
KNOWN_PHONE: Final = 2
NO_PHONE: Final = 0
"""Whoever has no phone index shares a phone with nobody."""


class Roll:
    """`places` are the villages (as in the geofence), then its townships, their counties, and the city."""

    def __init__(self, register: Register) -> None:
        self.register = register
        self.fence: Geofence = register.geofence
        self._places()
        self._officers()
        self._posts()
        self._phones()
        self._offices()
        self.unreachable: dict[tuple[str, ...], NDArray[np.object_]] = {}
        self.village_codes = np.array(self.fence.village_codes, object)
        self.covered, self.serving, self.stands_in = _serving(register)
        self.speaks = self.serving >= 0
        self.terminals = [self.fence.indices(sorted(gateway.villages)) for gateway in register.gateways.values()]
        self.gateway = [
            (Target(kind=TargetKind.GATEWAY, id=one.id), unit_of(one.area_code)) for one in register.gateways.values()
        ]
        """Its name on a list, and the place it counts under."""
        self.spoken = _spoken(register)
        self.branches = {
            endpoint.id: self.fence.indices(sorted(endpoint.branches)) for endpoint in register.endpoints.values()
        }

    def _places(self) -> None:
        fence = self.fence
        counties = sorted({county_of(code) for code in fence.townships})
        units = [*fence.townships, *counties, self.register.city]
        self.villages = len(fence.village_codes)
        self.units = {code: self.villages + number for number, code in enumerate(units)}
        self.city_place = self.villages + len(units) - 1
        # Everything stands sorted by code: a township's villages are one piece, and so are a county's townships.
        self.first_village = np.flatnonzero(np.diff(fence.township_of_village, prepend=-1))
        above = np.array([counties.index(county_of(code)) for code in fence.townships], np.intp)
        self.first_township = np.flatnonzero(np.diff(above, prepend=-1))
        known = {area.code for area in self.register.areas.values() if area.level == "county"}
        self.all_counties = known <= set(counties) and bool(counties)
        self.counties = self.villages + len(fence.townships)
        """The place of the first of them."""
        # What a place counts under in reports: villages under their township. `labels[label]` is its code.
        self.label = np.concatenate([fence.township_of_village, np.arange(len(units))])
        self.labels = units

    def _officers(self) -> None:
        every: list[Officer] = sorted(self.register.officers.values(), key=lambda officer: officer.id)
        self.officers = every
        self.row = {officer.id: number for number, officer in enumerate(every)}
        self.home_lat = np.array([officer.home.lat for officer in every], np.float64)
        self.home_lon = np.array([officer.home.lon for officer in every], np.float64)
        self.homes = self.fence.placed(self.home_lat, self.home_lon)
        self.roles = np.array([officer.roles for officer in every], np.int64)
        self.phone = np.array([officer.phone_index for officer in every], np.int64)
        stated = [self.fence.indices((officer.home_code,)) for officer in every]
        self.home_village = self.fence.village_at(self.home_lat, self.home_lon)
        for number, village in enumerate(stated):
            if len(village):
                self.home_village[number] = village[0]
        units = np.array([self._unit_place(officer.home_code) for officer in every], np.intp)
        place = np.where(self.home_village >= 0, self.home_village, units)
        self.home_key = (int(Why.HOME_INSIDE) << 40) | (_HOME << 32) | place
        self.member = np.empty(len(every), object)
        self.member_key = np.full(len(every), -1, np.int64)
        """Whom the list of before had: reason, unit and order in one number, and what stood on the list."""

    def _unit_place(self, code: str) -> int:
        short = short_code(code)
        return next(
            (self.units[one] for one in (township_of(short), county_of(short)) if one in self.units), self.city_place
        )

    def _posts(self) -> None:
        held = []
        for post in self.register.posts:
            place = self._place(post.area_code)
            left = len(short_code(post.area_code)) == 6 and place != self.city_place and post.post not in COUNTY_POSTS
            if place >= 0 and not left and post.officer_id in self.row:
                held.append((place, POST_RANK[post.post], self.row[post.officer_id]))
        table = np.array(sorted(held), np.int64).reshape(-1, 3)
        self.post_place, self.post_rank, self.post_officer = (np.ascontiguousarray(column) for column in table.T)
        by_officer = np.argsort(self.post_officer, kind="stable")
        holders = self.post_officer[by_officer]
        self.first_post = np.flatnonzero(np.diff(holders, prepend=-1))
        self.holders = holders[self.first_post]
        self.held_place = self.post_place[by_officer]
        self.held_key = (self.post_rank[by_officer] << 32) | self.held_place
        of_unit = (self.post_rank == POST_RANK[Post.A]) & (self.post_place >= self.villages)
        answering = np.flatnonzero(of_unit | (self.post_rank == POST_RANK[Post.DUTY]))
        self.answering_place, self.answering_officer = self.post_place[answering], self.post_officer[answering]
        self.lead = self.leads(np.ones(len(self.officers), bool))

    def leads(self, among: Mask) -> Indices:
        """The first answerer of each village, -1 where there is none: posts stand sorted by place and rank, so it is A
        where there is one."""
        held = np.flatnonzero((self.post_place < self.villages) & among[self.post_officer])
        lead = np.full(self.villages, -1, np.intp)
        first = held[np.flatnonzero(np.diff(self.post_place[held], prepend=-1))]
        lead[self.post_place[first]] = self.post_officer[first]
        return lead

    def _place(self, code: str) -> int:
        """-1 for an area that has no village, and so cannot be hit."""
        short = short_code(code)
        if short in self.units:
            return self.units[short]
        village = self.fence.indices((short,))
        return int(village[0]) if len(village) else -1

    def _phones(self) -> None:
        """Which officers share a phone, and which residents have one that somebody else on the register has too."""
        rows: dict[int, list[int]] = defaultdict(list)
        for row, phone in enumerate(self.phone.tolist()):
            rows[phone].append(row)
        self.officers_of_phone = {phone: same for phone, same in rows.items() if phone != NO_PHONE}
        self.shared = [same for same in self.officers_of_phone.values() if len(same) > 1]
        phones = self.register.residents.phone_index
        offices = (office.phone_index for office in self.register.offices.values())
        known = np.array([*{*self.officers_of_phone, *offices} - {NO_PHONE}], np.int64)
        self.resident_flags = np.where(among(phones, known), KNOWN_PHONE, 0).astype(np.uint8)
        order = np.argsort(phones)
        same = phones[order][1:] == phones[order][:-1]
        twins = np.concatenate([order[1:][same], order[:-1][same]])
        self.resident_flags[twins[phones[twins] != NO_PHONE]] |= TWIN

    def _offices(self) -> None:
        """One row per area of each subscription: the range of villages it covers, and what a list needs of who asks."""
        kinds: dict[tuple[object, ...], int] = {}
        bells: dict[str | int, int] = {}
        rows: list[tuple[int, ...]] = []
        twins: list[tuple[int, int]] = []
        self.asking: list[Subscription] = []
        self.asked: list[Subscription] = []
        """One of each kind; others of it differ in who asks, and about where."""
        self.at_home: list[Member] = []
        """What stands on the list for each row if its office sits in the area."""
        self.office_members: dict[tuple[str, str], Member] = {}
        for one in self.register.subscriptions:
            office = self.register.offices.get(one.office_id)
            if office is None:
                continue
            mine, phone = self.fence.under(office.area_code), office.phone_index
            kind = kinds.setdefault((one.hazards, one.least_level, one.channels), len(kinds))
            self.asked += [one][: len(kinds) - len(self.asked)]
            bell = bells.setdefault(office.id if phone == NO_PHONE else phone, len(bells))
            for found in map(self.fence.under, one.area_codes):
                twins += [(len(rows), officer) for officer in self.officers_of_phone.get(phone, ())]
                rows.append((found.start, found.stop, mine.start, mine.stop, kind, bell))
                self.asking.append(one)
                self.at_home.append(self.office_member(office.id, township_of(short_code(office.area_code))))
        columns = (np.ascontiguousarray(column) for column in np.array(rows, np.int64).reshape(-1, 6).T)
        self.from_village, self.to_village, self.own_from, self.own_to, self.kind, self.bell = columns
        self.bells_repeat = len(set(self.bell.tolist())) < len(rows)
        self.twin_row, self.twin_officer = np.array(twins, np.intp).reshape(-1, 2).T

    def office_member(self, office_id: str, place: str) -> Member:
        """Made once: the same offices are told of nearly every warning."""
        made = self.office_members.get((office_id, place))
        if made is None:
            made = self.office_members[office_id, place] = Member(
                target=Target(kind=TargetKind.OFFICE, id=office_id),
                channel=Channel.SMS,
                why=Why.SUBSCRIPTION,
                township=place,
                order=0,
            )
        return made


def unit_of(code: str) -> str:
    """What a report calls the place: a township's 9 digits, else the 6 of a county or the city."""
    return township_of(short_code(code))


def among(these: NDArray[np.integer[Any]], those: NDArray[np.integer[Any]]) -> Mask:
    """Which of `these` stand among `those` too.

    NumPy's `isin` sorts both sides, and brings all of `numpy.ma` along to ask whether anything is masked.
    """
    if not len(those):
        return np.zeros(len(these), bool)
    known = np.sort(those)
    found: Mask = known[np.minimum(np.searchsorted(known, these), len(known) - 1)] == these
    return found


_ROLLS: dict[str, Roll] = {}


def roll_of(register: Register) -> Roll:
    """The arrays of a register; those of the one before it are let go."""
    roll = _ROLLS.get("newest")
    if roll is None or roll.register is not register:
        roll = _ROLLS["newest"] = Roll(register)
    return roll


def _spoken(register: Register) -> dict[str, str]:
    """What a text calls a unit: 遂川县碧洲镇, 遂川县, 吉安市."""
    names = {}
    for code, area in register.areas.items():
        if area.level == "township":
            county = register.areas.get(area.parent)
            names[code] = (county.name if county else "") + area.name
        elif area.level in ("county", "city"):
            names[code] = area.name
    return names


def _serving(register: Register) -> tuple[Mask, Indices, Mask]:
    """Per village: whether a gateway has terminals there; the number of the one that speaks for it (-1: none answers);
    whether that one stands in for a lower one."""
    gateways = list(register.gateways.values())
    number = {gateway.id: place for place, gateway in enumerate(gateways)}
    chains = [_chain(register, gateway.id) for gateway in gateways]

    def height(place: int) -> tuple[int, int, str]:
        return -len(chains[place]), len(gateways[place].villages), gateways[place].id

    covering: list[list[int]] = [[] for _ in register.geofence.village_codes]
    for place in sorted(range(len(gateways)), key=height):
        for village in register.geofence.indices(sorted(gateways[place].villages)).tolist():
            covering[village].append(place)
    serving = np.full(len(covering), -1, np.intp)
    for village, own in enumerate(covering):
        pool = {*own, *(number[above] for above in chains[own[0]])} if own else set()
        online = [place for place in pool if gateways[place].online]
        serving[village] = min(online, key=height, default=-1)
    lowest = np.array([own[0] if own else -1 for own in covering], np.intp)
    return lowest >= 0, serving, serving != lowest


def _chain(register: Register, gateway_id: str) -> Sequence[str]:
    """The gateways above one, nearest first; a circle ends where it closes."""
    above: list[str] = []
    parent = register.gateways[gateway_id].parent
    while parent in register.gateways and parent not in above and parent != gateway_id:
        above.append(parent)
        parent = register.gateways[parent].parent
    return above

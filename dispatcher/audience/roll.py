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
from dispatcher.model import Member, Office, Officer, Post, Subscription, county_of, short_code, township_of
from dispatcher.registry.register import Register

Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]

POST_RANK: Final = {Post.A: 0, Post.B: 1, Post.TRANSFER: 2, Post.CHIEF: 3, Post.DUTY: 4}
"""Who answers for a village first; the smaller number."""
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
        self.unreachable: dict[str, NDArray[np.object_]] = {}
        self.village_codes = np.array(self.fence.village_codes, object)
        self.covered, self.serving, self.stands_in = _serving(register)
        self.terminals = [self.fence.indices(sorted(gateway.villages)) for gateway in register.gateways.values()]
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
        self.township_place = fence.township_of_village + self.villages
        self.county_place = np.array([self.units[county_of(code)] for code in fence.village_codes], np.intp)
        known = {area.code for area in self.register.areas.values() if area.level == "county"}
        self.all_counties = known <= set(counties) and bool(counties)
        self.counties = np.array([self.units[code] for code in counties], np.intp)
        # What a place counts under in reports: villages under their township. `labels[label - villages]` is its code.
        self.label = np.concatenate([self.township_place, np.arange(self.villages, self.city_place + 1)])
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
        self.home_place = np.where(self.home_village >= 0, self.home_village, units)
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
        self.post_key = (self.post_rank << 32) | self.post_place
        self.by_officer = np.argsort(self.post_officer, kind="stable")
        holders = self.post_officer[self.by_officer]
        self.first_post = np.flatnonzero(np.diff(holders, prepend=-1))
        self.holders = holders[self.first_post]

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
        """One row per area of each subscription: the range of villages it covers."""
        own = {office.id: self.fence.under(office.area_code) for office in self.register.offices.values()}
        rows = []
        for number, subscription in enumerate(self.register.subscriptions):
            mine = own.get(subscription.office_id, range(0))
            rows += [
                (number, found.start, found.stop, mine.start, mine.stop)
                for found in map(self.fence.under, subscription.area_codes)
            ]
        table = np.array(rows, np.int64).reshape(-1, 5)
        self.subscribed, self.from_village, self.to_village, self.own_from, self.own_to = (
            np.ascontiguousarray(column) for column in table.T
        )
        self.asking = [self._asks(subscription) for subscription in self.register.subscriptions]
        self.office_members: dict[tuple[str, str], Member] = {}

    def _asks(self, subscription: Subscription) -> tuple[Subscription, Office | None, str, Sequence[int]]:
        """What a list needs of it: who asks, the unit it sits in, and the officers with the same phone."""
        office = self.register.offices.get(subscription.office_id)
        if office is None:
            return subscription, None, "", ()
        unit = township_of(short_code(office.area_code))
        return subscription, office, unit, self.officers_of_phone.get(office.phone_index, ())


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

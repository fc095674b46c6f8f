"""What each unit has beside its A and B posts: chief, duty room and transfer leader, the parks' safety posts, the
office that subscribes to its own area, and the party platform of each county with a branch in every village.

Streams and phone ranges of their own, so that none of it moves an officer or meets another's number.
"""

from __future__ import annotations

import base64
from collections import Counter

import numpy as np

from dispatcher.model import ROLES, Channel, Level, Post, Role, county_of
from dispatcher.registry.sample.people import OFFICE_PHONES, UNIT_PHONES, e164, names, phones
from dispatcher.registry.sample.places import Places
from dispatcher.store.registry import (
    BranchRow,
    EndpointRow,
    OfficeRow,
    OfficerRow,
    PostRow,
    SubscriptionRow,
)

_PARK = "园区"
_SECRET_BYTES = 32
_PARTY_SHARE = 0.07
_LEAST_MEMBERS = 3  # a branch has at least three full members


def people(places: Places, rng: np.random.Generator) -> tuple[list[OfficerRow], list[PostRow]]:
    """Chief and duty room everywhere, transfer leaders in townships, A and B of park safety in parks."""
    wanted = [
        (code, post, role)
        for level in ("city", "county", "township")
        for code in places.codes(level)
        for post, role in _posts(level, places.by_code[code].kind)
    ]
    named, numbers = names(len(wanted), rng), e164(phones(len(wanted), UNIT_PHONES))
    party = (rng.random(len(wanted)) < 0.8).tolist()
    officers = [
        OfficerRow(
            id=f"JB{no + 1:05d}",
            name=str(named[no]),
            phone=numbers[no],
            home_code=code,
            lat=places.by_code[code].lat,
            lon=places.by_code[code].lon,
            roles=1 << ROLES.index(role) if role else 0,
            party_member=party[no],
            synthetic=True,
        )
        for no, (code, _post, role) in enumerate(wanted)
    ]
    return officers, [PostRow(code, post, officers[no].id) for no, (code, post, _role) in enumerate(wanted)]


def _posts(level: str, kind: str) -> list[tuple[Post, Role | None]]:
    """A city's or county's chief has no role of a township: the plain text is theirs."""
    if level != "township":
        return [(Post.CHIEF, None), (Post.DUTY, Role.DUTY_ROOM)]
    posts: list[tuple[Post, Role | None]] = [
        (Post.CHIEF, Role.TOWN_CHIEF),
        (Post.DUTY, Role.DUTY_ROOM),
        (Post.TRANSFER, Role.TRANSFER_LEADER),
    ]
    return posts + ([(Post.A, Role.PARK_SAFETY), (Post.B, Role.PARK_SAFETY)] if kind == _PARK else [])


def offices(places: Places) -> tuple[list[OfficeRow], list[SubscriptionRow]]:
    """One a township unit; it hears everything in its own area."""
    codes = places.codes("township")
    numbers = e164(phones(len(codes), OFFICE_PHONES))
    rows = []
    for code, phone in zip(codes, numbers, strict=True):
        area = places.by_code[code]
        name = f"{area.name}{'安监站' if area.kind == _PARK else '应急办'}"
        rows.append(OfficeRow(id=f"OF{code}", area_code=code, name=name, phone=phone, synthetic=True))
    heard = [
        SubscriptionRow(
            id=f"SU{code}",
            office_id=f"OF{code}",
            area_codes=(code,),
            hazards=(),
            least_level=Level.BLUE,
            channels=(Channel.SMS,),
        )
        for code in codes
    ]
    return rows, heard


def endpoints(places: Places, endpoints_at: str, rng: np.random.Generator) -> list[EndpointRow]:
    """The county's party platform, each with a Standard Webhooks secret of its own."""
    return [
        EndpointRow(
            id=f"PE{code}",
            area_code=code,
            name=f"{places.by_code[code].name}智慧党建平台",
            url=f"{endpoints_at}/PE{code}",
            secrets=("whsec_" + base64.b64encode(rng.bytes(_SECRET_BYTES)).decode(),),
            disabled_reason="",
            synthetic=True,
        )
        for code in places.codes("county")
    ]


def branches(places: Places, officers: list[OfficerRow], rng: np.random.Generator) -> list[BranchRow]:
    """One a village. Members: its officers in the party, and the share of its people who are, whoever is registered."""
    serving = Counter(officer.home_code for officer in officers if officer.party_member)
    drawn = rng.binomial(places.population, _PARTY_SHARE).tolist()
    return [
        BranchRow(
            id=f"PB{code}",
            endpoint_id=f"PE{county_of(code)}",
            village_code=code,
            name=f"{places.by_code[code].short_name}党支部",
            members=max(_LEAST_MEMBERS, serving[code] + drawn[no]),
        )
        for no, code in enumerate(places.villages.tolist())
    ]

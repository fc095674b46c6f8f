"""The list that arrays make is the one that the rule makes when it is told plainly, person by person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.audience import gather
from dispatcher.geofence import Resolved
from dispatcher.model import (
    ROLES,
    Channel,
    Level,
    Narrowing,
    Office,
    Officer,
    Point,
    Post,
    PostHeld,
    Scope,
    Subscription,
    TargetKind,
    WarningMessage,
    Why,
)
from dispatcher.registry.register import Register
from tests.jian import CITY, coded, drawn, gateway, jian, jian_fence, officer, register, warning

VILLAGES = [area for area in jian() if area.level == "village"]
UNITS = [area for area in jian() if area.level != "village"]
RANK = [Post.A, Post.B, Post.TRANSFER, Post.CHIEF, Post.DUTY]
quick = settings(max_examples=40, deadline=None)
points = st.builds(Point, st.floats(26.0, 27.9), st.floats(113.8, 116.0))
areas = st.one_of(
    st.lists(points, min_size=3, max_size=6).map(lambda ring: drawn(tuple(ring))),
    st.lists(st.sampled_from([area.code for area in jian()]), min_size=1, max_size=3).map(lambda codes: coded(*codes)),
)
messages = st.builds(
    lambda drawing, level, scope, roles: warning(
        drawing, level=level, scope=scope, narrowing=Narrowing(roles=tuple(roles))
    ),
    areas,
    st.sampled_from(list(Level)),
    st.sampled_from([Scope.PUBLIC, Scope.RESTRICTED]),
    st.one_of(st.just(set()), st.sets(st.sampled_from(list(ROLES)), min_size=1, max_size=3)),
)


@cache
def city() -> Register:
    """Persons on many posts and with many roles, phones that several have, offices that ask twice, half the gateways lost."""
    chance = np.random.default_rng(8)

    def phone() -> int:
        return int(chance.integers(0, 3000))

    people = tuple(
        officer(
            number,
            Point(area.point.lat + chance.normal(0, 0.02), area.point.lon + chance.normal(0, 0.02)),
            home_code=area.code if number % 3 else "",
            roles=int(chance.integers(0, 2 ** len(ROLES))),
            phone=phone(),
        )
        for number, area in enumerate(VILLAGES[::2])
    )
    posts = {
        (area.code, RANK[int(chance.integers(0, 5))], people[int(chance.integers(0, len(people)))].id)
        for area in (*VILLAGES, *UNITS, *UNITS, *UNITS)
    }
    offices = [Office(id=f"O{n}", area_code=area.code, name="", phone_index=phone()) for n, area in enumerate(UNITS)]
    asked = [
        Subscription(
            id=f"S{number}",
            office_id=f"O{chance.integers(0, len(offices) + 3)}",
            area_codes=tuple(
                UNITS[n].code for n in chance.integers(0, len(UNITS), int(chance.integers(1, 4))).tolist()
            ),
            hazards=("暴雨",) if number % 2 else ("台风",) if number % 3 else (),
            least_level=list(Level)[int(chance.integers(0, 4))],
            channels=(Channel.SMS,) if number % 5 else (Channel.PARTY,),
        )
        for number in range(2 * len(UNITS))
    ]
    machines = tuple(
        gateway(
            f"GW{area.code}", area.code, "", tuple(v.code for v in VILLAGES if v.parent == area.code), online=n % 2 == 0
        )
        for n, area in enumerate(UNITS)
        if n % 3
    )
    held = tuple(PostHeld(area_code=code, post=post, officer_id=one) for code, post, one in sorted(posts))
    return register(
        jian(), officers=people, posts=held, offices=tuple(offices), subscriptions=tuple(asked), machines=machines
    )


def resolve(message: WarningMessage) -> Resolved:
    return jian_fence().resolve(message.areas, text="", prefixes=(CITY,))


Reason = tuple[Why, int, int, str, str]
"""Why, the post's rank, how high its place is, its code, and the unit it counts under: the smallest is the strongest."""


def reasons(resolved: Resolved, message: WarningMessage) -> dict[str, list[Reason]]:
    """Officer → all that speaks for telling him."""
    shaped = any(area.polygons for area in message.areas)
    found: dict[str, list[Reason]] = defaultdict(list)
    hit, beside = set(resolved.villages), set[str]()
    for one in city().officers.values():
        lives = _lives(one)
        if shaped:
            at = np.array([one.home.lat]), np.array([one.home.lon])
            inside = bool(jian_fence().inside(message.areas, *at)[0]) or lives in resolved.by_code
        else:
            inside = lives in hit
        if inside:
            beside.add(lives)
            found[one.id].append((Why.HOME_INSIDE, 15, 0, lives, lives[:9] or CITY))
    met = (hit | beside) - {""}
    townships, counties = {code[:9] for code in met}, {code[:6] for code in met}
    for held in city().posts:
        code, rank = held.area_code, RANK.index(held.post)
        if code in met:
            why = Why.VILLAGE_POST if code in hit else Why.TOUCHED_POST
            found[held.officer_id].append((why, rank, 0, code, code[:9]))
        elif code in townships:
            found[held.officer_id].append((Why.TOWNSHIP_DUTY, rank, 1, code, code))
        elif code in counties and held.post in (Post.A, Post.B, Post.DUTY):
            found[held.officer_id].append((Why.COUNTY_DUTY, rank, 2, code, code))
        elif code == CITY and counties == {area.code for area in UNITS if area.level == "county"}:
            found[held.officer_id].append((Why.CITY_DUTY, rank, 3, code, code))
    return found


@cache
def _cells() -> dict[str, str]:
    """Officer → the village in whose cell the home lies."""
    every = list(city().officers.values())
    lat, lon = np.array([(one.home.lat, one.home.lon) for one in every]).T
    at = jian_fence().village_at(lat, lon).tolist()
    return {
        one.id: jian_fence().village_codes[place] if place >= 0 else "" for one, place in zip(every, at, strict=True)
    }


def _lives(one: Officer) -> str:
    return one.home_code or _cells()[one.id]


def told(resolved: Resolved, message: WarningMessage) -> tuple[list[tuple[str, Why, str, int]], set[str]]:
    """Officers in sending order (id, why, unit, order), and the villages that have somebody on the list."""
    found, roles = reasons(resolved, message), message.narrowing.roles
    bits = sum(1 << ROLES.index(role) for role in roles)
    duty = {one for one, some in found.items() if any(rank == RANK.index(Post.DUTY) for _, rank, *_ in some)}
    wanted = {one for one in found if not roles or one in duty or city().officers[one].roles & bits}
    duties = {one for one in duty if one in wanted}
    heads = {one for one in wanted if any(rank == 0 and place > 0 for _, rank, place, *_ in found[one])}
    leads: dict[str, tuple[int, str]] = {}
    for one in wanted:
        for why, rank, place, code, _ in found[one]:
            if place == 0 and why is not Why.HOME_INSIDE:
                leads[code] = min(leads.get(code, (9, "")), (rank, one))
    first = duties | heads | {one for _, one in leads.values()}
    phones: dict[int | str, list[str]] = defaultdict(list)
    for one in sorted(wanted, key=lambda one: (min(found[one]), one)):
        phones[city().officers[one].phone_index or one].append(one)
    listed = [(same[0], int(not first & set(same))) for same in phones.values()]
    posted = set(leads) | {_lives(city().officers[one]) for one, _ in listed}
    return list(_in_turn({one: (order, min(found[one])) for one, order in listed})), posted


def _in_turn(listed: dict[str, tuple[int, Reason]]) -> Iterator[tuple[str, Why, str, int]]:
    """Every unit gets its first before any gets its second: townships, then counties, then the city."""
    turn: dict[tuple[int, str], int] = defaultdict(int)
    queue = []
    for one, (order, (why, _, _, _, unit)) in sorted(listed.items()):
        queue.append((order, turn[order, unit], unit == CITY, -len(unit), unit, one, why))
        turn[order, unit] += 1
    for order, _, _, _, unit, one, why in sorted(queue):
        yield one, why, unit, order


@quick
@given(messages)
def test_officers_are_told_as_the_rule_says_and_in_its_order(message: WarningMessage) -> None:
    resolved = resolve(message)
    found = gather(city(), resolved, message)
    officers = [(m.target.id, m.why, m.township, m.order) for m in found.members if m.target.kind is TargetKind.OFFICER]
    expected, posted = told(resolved, message)
    assert officers == expected
    covered = {code for one in city().gateways.values() for code in one.villages}
    speaks = {code for one in city().gateways.values() if one.online for code in one.villages}
    lost = []
    for code in resolved.villages:
        if message.scope is not Scope.PUBLIC:
            lost += [(code, "村内无人可通知：请派人上门告知")] * (code not in posted)
        elif code not in posted:
            more = "只有喇叭：请派人核实" if code in speaks else "也没有在线的播发网关：请派人上门告知"
            lost.append((code, f"村内无人可通知，{more}"))
        elif code not in speaks:
            why = "播发网关及其上级均失联" if code in covered else "没有播发网关"
            lost.append((code, f"{why}，喇叭不响：只通知到人"))
    assert [(one.area, one.why) for one in found.unreachable] == lost


@quick
@given(messages)
def test_an_office_is_told_once_of_what_it_asked_for_and_no_phone_rings_twice(message: WarningMessage) -> None:
    resolved = resolve(message)
    found = gather(city(), resolved, message)
    phones = {
        city().officers[m.target.id].phone_index for m in found.members if m.target.kind is TargetKind.OFFICER
    } - {0}
    expected: dict[str, str] = {}
    for one in city().subscriptions:
        office = city().offices.get(one.office_id)
        under = [[code for code in resolved.villages if code.startswith(_stem(area))] for area in one.area_codes]
        if (
            office is None
            or office.id in expected
            or office.phone_index in phones
            or not any(under)
            or not _fits(one, message)
        ):
            continue
        phones |= {office.phone_index} - {0}
        own = any(code.startswith(_stem(office.area_code)) for code in resolved.villages)
        expected[office.id] = office.area_code if own else next(some[0] for some in under if some)[:9]
    offices = [(m.target.id, m.township) for m in found.members if m.target.kind is TargetKind.OFFICE]
    assert offices == list(expected.items())


def _stem(code: str) -> str:
    return code[:4] if code == CITY else code


def _fits(one: Subscription, message: WarningMessage) -> bool:
    named = not one.hazards or "暴雨" in one.hazards
    assert message.level is not None
    return named and Channel.SMS in one.channels and message.level.rank <= one.least_level.rank

"""Which people are told, as array work over one roll. The rule:

every post on a village in the area; on a village beside it, if a known home there lies inside; all posts of the
townships above these villages, duty room, A and B of the counties; the city's only if every county is hit; officers
and residents who live inside. It must never list anybody outside the area, nor anybody twice: a person with many posts
or roles, and everybody with the same phone, gets one message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dispatcher.audience.roll import KNOWN_PHONE, POST_RANK, TWIN, Indices, Mask, Numbers, Roll, among
from dispatcher.geofence import Resolved
from dispatcher.model import (
    GROUPS,
    NO_RESIDENTS,
    RISK_TAGS,
    ROLES,
    Area,
    Channel,
    Member,
    Narrowing,
    Post,
    ResidentHits,
    Target,
    TargetKind,
    Why,
)

_DEGREE = 10_000_000
_SMALL = 2**15
_NOBODY = np.iinfo(np.int64).max
_FIRST, _DUTY, _HOME = POST_RANK[Post.A], POST_RANK[Post.DUTY], 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """An area laid over the roll."""

    hit: Mask
    """Villages in the area."""
    beside: Mask
    """Villages that are not, but have a known home that is: whoever is told, their officer is told too."""
    officers_home: Indices
    residents_home: Indices


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Officers on the list: `rows` in sending order, the other arrays by officer."""

    rows: Indices
    best: Numbers
    """Why, post and place of the strongest reason in one number, the smallest winning."""
    first: Mask
    """First answerers and duty rooms."""
    named: Mask
    """Whom a rule names, before narrowing and before phones are merged."""
    posted: Mask
    """Villages that have somebody of their own on the list."""
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Homes:
    """Residents on the list."""

    hits: ResidentHits
    posted: Mask
    """Villages that have a resident on the list."""
    left_out: int


def ground(roll: Roll, resolved: Resolved, areas: tuple[Area, ...]) -> Ground:
    """Homes count by their point in a shape, by their village under a code or a name."""
    fence, residents = roll.fence, roll.register.residents
    # One place more than there are villages: it stands for "lives in no village we know", index -1.
    hit, whole, beside = np.zeros((3, roll.villages + 1), bool)
    hit[fence.indices(resolved.villages)] = True
    shaped = any(area.polygons or area.circles for area in areas)
    whole[fence.indices(resolved.by_code if shaped else resolved.villages)] = True
    officers = whole[roll.home_village]
    homes = whole[residents.village]
    if shaped:
        officers |= fence.standing(areas, roll.homes)
        if len(homes):
            homes |= fence.inside(areas, residents.lat / _DEGREE, residents.lon / _DEGREE)
    told = np.flatnonzero(homes)
    beside[roll.home_village[officers]] = True
    beside[residents.village[told]] = True
    return Ground(
        hit=hit[:-1],
        beside=(beside & ~hit)[:-1],
        officers_home=np.flatnonzero(officers),
        residents_home=told,
    )


def officers(roll: Roll, over: Ground, narrowing: Narrowing) -> Told:
    """Every officer a rule names, each once, with the strongest reason."""
    reasons = _reasons(roll, over)[roll.post_place]
    posts = np.flatnonzero(reasons)
    place, rank, officer = roll.post_place[posts], roll.post_rank[posts], roll.post_officer[posts]
    best = np.full(len(roll.officers), _NOBODY)
    if len(roll.holders):
        weighed = np.where(reasons > 0, (reasons << 40) | roll.post_key, _NOBODY)[roll.by_officer]
        best[roll.holders] = np.minimum.reduceat(weighed, roll.first_post)
    home = over.officers_home
    best[home] = np.minimum(best[home], (int(Why.HOME_INSIDE) << 40) | (_HOME << 32) | roll.home_place[home])
    named = best != _NOBODY
    wanted = named & _wanted(roll, narrowing, officer[rank == _DUTY])
    left_out = int(named.sum() - wanted.sum())
    of_village = wanted[officer] & (place < roll.villages)
    first = np.zeros(len(best), bool)
    first[officer[(rank == _DUTY) | ((rank == _FIRST) & (place >= roll.villages))]] = True
    first[_leads(place[of_village], officer[of_village])] = True
    posted = np.zeros(roll.villages, bool)
    posted[place[of_village]] = True
    _merge_phones(roll, wanted, best, first)
    rows = np.flatnonzero(wanted)
    living = roll.home_village[rows]
    posted[living[living >= 0]] = True
    turn = in_turn(~first[rows], roll.label[best[rows] & 0xFFFFFFFF])
    return Told(rows=rows[turn], best=best, first=first, named=named, posted=posted, left_out=left_out)


def members(roll: Roll, told: Told) -> list[Member]:
    """As the plan wants them; whoever was on the list before for the same reason is not made again."""
    rows = told.rows
    best = told.best[rows]
    label = roll.label[best & 0xFFFFFFFF] - roll.villages
    keys = (label << 8) | ((best >> 40) << 1) | ~told.first[rows]
    new = np.flatnonzero(roll.member_key[rows] != keys)
    for row, key in zip(rows[new].tolist(), keys[new].tolist(), strict=True):
        roll.member[row] = _member(roll, row, key)
    roll.member_key[rows] = keys
    listed: list[Member] = roll.member[rows].tolist()
    return listed


def residents(roll: Roll, over: Ground, narrowing: Narrowing, phones_told: Callable[[], Sequence[int]]) -> Homes:
    """By home; one message a phone."""
    register = roll.register.residents
    kept = over.residents_home
    if not len(kept):
        return Homes(hits=NO_RESIDENTS, posted=np.zeros(roll.villages, bool), left_out=0)
    if narrowing.groups or narrowing.risk_tags:
        groups, tags = _bits(GROUPS, narrowing.groups), _bits(RISK_TAGS, narrowing.risk_tags)
        kept = kept[(register.groups[kept] & groups != 0) | (register.risk_tags[kept] & tags != 0)]
    left_out = len(over.residents_home) - len(kept)
    posted = np.zeros(roll.villages, bool)
    posted[register.village[kept]] = True
    kept = _one_a_phone(roll, kept, phones_told)
    township = roll.fence.township_of_village[register.village[kept]]
    starts = np.flatnonzero(np.diff(township, prepend=-1))  # residents stand sorted by village
    number = np.repeat(np.arange(len(starts), dtype=np.int32), np.diff(starts, append=len(kept)))
    turn = np.arange(len(kept)) - starts[number]
    if len(turn) and turn.max() < 2**16:
        turn = turn.astype(np.uint16)  # sorts ten times as fast
    order = np.argsort(turn, kind="stable")
    hits = ResidentHits(
        id=register.id[kept[order]],
        township=number[order],
        townships=tuple([roll.fence.townships[one] for one in township[starts].tolist()]),
    )
    return Homes(hits=hits, posted=posted, left_out=left_out)


def in_turn(later: Mask, group: Indices) -> Indices:
    """The order in which every group gets its first before any gets its second; `later` ones after all others."""
    by_group = _sorted(later, group)
    later = later[by_group]
    new = _begins(group[by_group]) | _begins(later)
    numbers = np.arange(len(group))
    turn = numbers - np.maximum.accumulate(np.where(new, numbers, 0)) if len(group) else numbers
    return by_group[_sorted(later, turn)]


def _sorted(later: Mask, number: Indices) -> Indices:
    """By `later`, then by number, else as they stand."""
    if len(number) and number.max() < _SMALL:
        return np.argsort((number + later * _SMALL).astype(np.uint16), kind="stable")  # sorts ten times as fast
    return np.lexsort((number, later))


def _reasons(roll: Roll, over: Ground) -> Numbers:
    """Per place, why the posts on it are told; 0 where they are not."""
    reasons = np.zeros(roll.city_place + 1, np.int64)
    reasons[: roll.villages][over.hit] = Why.VILLAGE_POST
    reasons[: roll.villages][over.beside] = Why.TOUCHED_POST
    met = over.hit | over.beside
    reasons[roll.township_place[met]] = Why.TOWNSHIP_DUTY
    reasons[roll.county_place[met]] = Why.COUNTY_DUTY
    if roll.all_counties and reasons[roll.counties].all():
        reasons[roll.city_place] = Why.CITY_DUTY
    return reasons


def _wanted(roll: Roll, narrowing: Narrowing, duty: Numbers) -> Mask:
    """Those with one of the roles asked for; a duty room hears everything."""
    if not narrowing.roles:
        return np.ones(len(roll.officers), bool)
    wanted: Mask = roll.roles & _bits(ROLES, narrowing.roles) != 0
    wanted[duty] = True
    return wanted


def _bits(every: Sequence[str], some: Sequence[str]) -> int:
    return sum(1 << place for place, one in enumerate(every) if one in some)


def _leads(place: Numbers, officer: Numbers) -> Numbers:
    """The first answerer of each village: posts stand sorted by place and rank, so it is A where there is one."""
    lead: Numbers = officer[_begins(place)]
    return lead


def _begins(numbers: NDArray[np.generic]) -> Mask:
    """Where another number begins than the one before."""
    begins = np.ones(len(numbers), bool)
    np.not_equal(numbers[1:], numbers[:-1], out=begins[1:])
    return begins


def _merge_phones(roll: Roll, wanted: Mask, best: Numbers, first: Mask) -> None:
    """Officers who share a phone are one message, to the one with the strongest reason."""
    for same in roll.shared:
        told = sorted((row for row in same if wanted[row]), key=lambda row: int(best[row]))
        if len(told) > 1:
            first[told[0]] = first[told].any()
            wanted[told[1:]] = False


def _one_a_phone(roll: Roll, hits: Indices, phones_told: Callable[[], Sequence[int]]) -> Indices:
    phones, flags = roll.register.residents.phone_index, roll.resident_flags[hits]
    known = hits[flags & KNOWN_PHONE != 0]
    drop = [known[among(phones[known], np.array(phones_told(), np.int64))] if len(known) else known]
    twins = hits[flags & TWIN != 0]
    twins = twins[~among(twins, drop[0])]
    drop.append(np.delete(twins, np.unique(phones[twins], return_index=True)[1]))
    dropped = np.concatenate(drop)
    return np.delete(hits, np.searchsorted(hits, dropped)) if len(dropped) else hits


def _member(roll: Roll, row: int, key: int) -> Member:
    officer = roll.officers[row]
    return Member(
        target=Target(kind=TargetKind.OFFICER, id=officer.id),
        channel=Channel.SMS,
        why=Why(key >> 1 & 0x7F),
        township=roll.labels[key >> 8],
        roles=officer.roles,
        order=key & 1,
    )

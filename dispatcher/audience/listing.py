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
_NOBODY = 15 << 40
"""Above every reason."""


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
    """Officers on the list: `rows` in sending order."""

    rows: Indices
    key: Numbers
    """Of each of `rows`: the unit it counts under, why, and whether it comes later, in one number."""
    answering: int
    """As many of them are first answerers and duty rooms, and stand first."""
    named: Mask
    """By officer: whom a rule names, before narrowing and before phones are merged."""
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
    officers = fence.standing(areas, roll.homes) if shaped else whole.take(roll.home_village)
    homes = whole.take(residents.village)
    if shaped and resolved.by_code:
        officers |= whole.take(roll.home_village)
    if shaped and len(homes):
        homes |= fence.inside(areas, residents.lat / _DEGREE, residents.lon / _DEGREE)
    at_home, told = np.flatnonzero(officers), np.flatnonzero(homes)
    beside[roll.home_village.take(at_home)] = True
    beside[residents.village.take(told)] = True
    return Ground(hit=hit[:-1], beside=(beside & ~hit)[:-1], officers_home=at_home, residents_home=told)


def officers(roll: Roll, over: Ground, narrowing: Narrowing) -> Told:
    """Every officer a rule names, each once, with the strongest reason."""
    reasons = _reasons(roll, over)
    best = _best(roll, over, reasons)
    named = best < _NOBODY
    asked = _asked_for(roll, narrowing, reasons)
    wanted = named.copy() if asked is None else named & asked
    left_out = int(np.count_nonzero(named) - np.count_nonzero(wanted))
    lead = roll.lead if asked is None else roll.leads(asked)
    led = (over.hit | over.beside) & (lead >= 0)
    first = np.zeros(len(best), bool)
    first[roll.answering_officer[reasons.take(roll.answering_place) > 0]] = True
    first[lead[led]] = True
    # One place more than there are villages: it stands for "lives in no village we know", index -1.
    posted = np.append(led, False)
    _merge_phones(roll, wanted, best, first)
    rows = np.flatnonzero(wanted)
    posted[roll.home_village.take(rows)] = True
    reason, later = best.take(rows), ~first.take(rows)
    label = roll.label.take(reason & 0xFFFFFFFF)
    key = (label << 8) | (reason >> 40 << 1) | later
    turn = in_turn(later, label)
    return Told(
        rows=rows.take(turn),
        key=key.take(turn),
        answering=len(rows) - int(np.count_nonzero(later)),
        named=named,
        posted=posted[:-1],
        left_out=left_out,
    )


def members(roll: Roll, told: Told) -> list[Member]:
    """As the plan wants them; whoever was on the list before for the same reason is not made again."""
    rows, keys = told.rows, told.key
    new = np.flatnonzero(roll.member_key.take(rows) != keys)
    if len(new):
        for row, key in zip(rows[new].tolist(), keys[new].tolist(), strict=True):
            roll.member[row] = _member(roll, row, key)
        roll.member_key[rows[new]] = keys[new]
    listed: list[Member] = roll.member.take(rows).tolist()
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
    if not len(group):
        return np.empty(0, np.intp)
    small = max(int(group.max()), len(group)) < _SMALL
    # Sixteen bits are sorted ten times as fast.
    key = later * np.uint16(_SMALL) + group.astype(np.uint16) if small else later * 2**48 + group
    by_group = key.argsort(kind="stable")
    key = key.take(by_group)
    bounds = np.append(np.flatnonzero(_begins(key)), len(key))
    turn = np.arange(len(key)) - np.repeat(bounds[:-1], bounds[1:] - bounds[:-1])
    later = later.take(by_group)
    key = later * np.uint16(_SMALL) + turn.astype(np.uint16) if small else later * 2**48 + turn
    order: Indices = by_group.take(key.argsort(kind="stable"))
    return order


def _reasons(roll: Roll, over: Ground) -> Numbers:
    """Per place, why the posts on it are told; 0 where they are not."""
    reasons = np.zeros(roll.city_place + 1, np.int64)
    if not roll.villages:
        return reasons
    met = over.hit | over.beside
    townships = np.logical_or.reduceat(met, roll.first_village)
    counties = np.logical_or.reduceat(townships, roll.first_township)
    reasons[: roll.villages] = np.where(over.hit, int(Why.VILLAGE_POST), over.beside * int(Why.TOUCHED_POST))
    reasons[roll.villages : roll.counties] = townships * int(Why.TOWNSHIP_DUTY)
    reasons[roll.counties : roll.city_place] = counties * int(Why.COUNTY_DUTY)
    if roll.all_counties and counties.all():
        reasons[roll.city_place] = Why.CITY_DUTY
    return reasons


def _best(roll: Roll, over: Ground, reasons: Numbers) -> Numbers:
    """By officer: why, post and place of the strongest reason in one number, the smallest winning."""
    best = np.full(len(roll.officers), _NOBODY)
    if len(roll.holders):
        why = reasons << 40
        why[reasons == 0] = _NOBODY
        weighed = why.take(roll.held_place)
        weighed |= roll.held_key
        best[roll.holders] = np.minimum.reduceat(weighed, roll.first_post)
    home = over.officers_home
    best[home] = np.minimum(best.take(home), roll.home_key.take(home))
    return best


def _asked_for(roll: Roll, narrowing: Narrowing, reasons: Numbers) -> Mask | None:
    """Those with one of the roles asked for; a duty room hears everything. None: no role is asked for."""
    if not narrowing.roles:
        return None
    asked: Mask = roll.roles & _bits(ROLES, narrowing.roles) != 0
    on_duty: Mask = (roll.post_rank == POST_RANK[Post.DUTY]) & (reasons.take(roll.post_place) > 0)
    asked[roll.post_officer[on_duty]] = True
    return asked


def _bits(every: Sequence[str], some: Sequence[str]) -> int:
    return sum(1 << place for place, one in enumerate(every) if one in some)


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

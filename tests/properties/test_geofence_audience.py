"""Whatever is drawn or coded over the real city: nobody outside is told, everyone once, a village played to once."""

from __future__ import annotations

from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.audience import gather
from dispatcher.audience.roll import among
from dispatcher.model import Area, Channel, Gateway, Member, Point, Post, PostHeld, TargetKind, Why
from dispatcher.registry.register import Register
from tests.jian import CITY, coded, drawn, gateway, homes, jian, jian_fence, officer, register, warning

RESIDENTS = 4000
VILLAGES = [area for area in jian() if area.level == "village"]
UNITS = [area for area in jian() if area.level != "village"]
quick = settings(max_examples=25, deadline=None)
points = st.builds(Point, st.floats(26.0, 27.9), st.floats(113.8, 116.0))
areas = st.one_of(
    st.lists(points, min_size=3, max_size=6).map(lambda ring: drawn(tuple(ring))),
    st.lists(st.sampled_from([area.code for area in jian()]), min_size=1, max_size=3).map(lambda codes: coded(*codes)),
)


@cache
def city() -> Register:
    """Every village with A and B, some persons on many posts or with one phone; a third of the gateways lost."""
    chance = np.random.default_rng(3608)
    people = tuple(
        officer(
            number,
            Point(area.point.lat + chance.normal(0, 0.01), area.point.lon + chance.normal(0, 0.01)),
            home_code=area.code,
            phone=int(chance.integers(1, 30_000)),
        )
        for number, area in enumerate(VILLAGES)
    )
    posts = [PostHeld(area_code=area.code, post=Post.A, officer_id=people[n].id) for n, area in enumerate(VILLAGES)]
    for post, places in ((Post.B, VILLAGES), (Post.DUTY, UNITS), (Post.CHIEF, UNITS)):
        some = chance.integers(0, len(people), len(places))
        posts += [
            PostHeld(area_code=a.code, post=post, officer_id=people[n].id) for a, n in zip(places, some, strict=True)
        ]
    where = np.sort(chance.integers(0, len(VILLAGES), RESIDENTS)).tolist()
    shift = chance.normal(0, 0.01, (RESIDENTS, 2))
    lived = [
        (Point(VILLAGES[v].point.lat + north, VILLAGES[v].point.lon + east), v)
        for v, (north, east) in zip(where, shift.tolist(), strict=True)
    ]
    phones = chance.integers(1, 30_000, RESIDENTS).tolist()
    return register(
        jian(), officers=people, posts=tuple(posts), machines=_gateways(chance), residents=homes(lived, phones=phones)
    )


def _gateways(chance: np.random.Generator) -> tuple[Gateway, ...]:
    return tuple(
        gateway(
            f"GW{area.code}",
            area.code,
            f"GW{area.parent}" if area.parent else "",
            tuple(one.code for one in VILLAGES if one.code.startswith("3608" if area.code == CITY else area.code)),
            online=area.code == CITY or chance.random() > 0.3,
        )
        for area in UNITS
    )


@quick
@given(areas)
def test_nobody_outside_is_told(drawing: tuple[Area, ...]) -> None:
    resolved = jian_fence().resolve(drawing, text="", prefixes=(CITY,))
    found = gather(city(), resolved, warning(drawing))
    by_home = [city().officers[m.target.id] for m in found.members if m.why is Why.HOME_INSIDE]
    spots = [one.home for one in by_home]
    inside = jian_fence().inside(drawing, np.array([p.lat for p in spots]), np.array([p.lon for p in spots]))
    assert all(in_shape or one.home_code in resolved.by_code for in_shape, one in zip(inside, by_home, strict=True))
    hit, posts = set(resolved.villages), city().posts
    on_village = {post.officer_id for post in posts if post.area_code in hit}
    assert {m.target.id for m in found.members if m.why is Why.VILLAGE_POST} <= on_village
    told = np.isin(city().residents.id, found.residents.id)  # noqa: TID251
    lat, lon = city().residents.lat[told] / 1e7, city().residents.lon[told] / 1e7
    whole = np.isin(city().residents.village[told], jian_fence().indices(resolved.by_code))  # noqa: TID251
    assert (jian_fence().inside(drawing, lat, lon) | whole).all()
    if not resolved.touched:
        assert not found.members


@quick
@given(areas)
def test_every_post_on_a_village_in_the_area_is_reached(drawing: tuple[Area, ...]) -> None:
    resolved = jian_fence().resolve(drawing, text="", prefixes=(CITY,))
    found = gather(city(), resolved, warning(drawing))
    hit = set(resolved.villages)
    phones = {city().officers[m.target.id].phone_index for m in found.members if m.target.kind is TargetKind.OFFICER}
    for post in city().posts:
        if post.area_code in hit:
            assert city().officers[post.officer_id].phone_index in phones


@given(st.lists(st.integers(-9, 9)), st.lists(st.integers(-9, 9)))
def test_among_says_what_numpys_own_says(these: list[int], those: list[int]) -> None:
    ours, known = np.array(these, np.int64), np.array(those, np.int64)
    assert among(ours, known).tolist() == np.isin(ours, known).tolist()  # noqa: TID251


@quick
@given(areas)
def test_everyone_appears_once_and_every_phone_rings_once(drawing: tuple[Area, ...]) -> None:
    found = gather(city(), jian_fence().resolve(drawing, text="", prefixes=(CITY,)), warning(drawing))
    targets = [member.target for member in found.members]
    assert len(targets) == len(set(targets))
    phones = [city().officers[m.target.id].phone_index for m in found.members if m.target.kind is TargetKind.OFFICER]
    phones += city().residents.phone_index[np.isin(city().residents.id, found.residents.id)].tolist()  # noqa: TID251
    assert len(phones) == len(set(phones))
    assert len(found.residents.id) == len(set(found.residents.id.tolist()))


@quick
@given(areas)
def test_every_village_in_the_area_is_played_to_by_exactly_one_gateway_that_answers(drawing: tuple[Area, ...]) -> None:
    resolved = jian_fence().resolve(drawing, text="", prefixes=(CITY,))
    speakers = [m for m in gather(city(), resolved, warning(drawing)).members if m.channel is Channel.BROADCAST]
    assert sorted(code for member in speakers for code in member.areas) == list(resolved.villages)
    for member in speakers:
        assert city().gateways[member.target.id].online
        assert member.why is _expected(member)


def _expected(member: Member) -> Why:
    """It covers if one of its villages has no lower gateway, lost or not."""
    own = any(f"GW{code[:9]}" == member.target.id for code in member.areas)
    return Why.GATEWAY_COVERS if own else Why.GATEWAY_STANDS_IN


@quick
@given(areas)
def test_first_answerers_stand_before_all_others_and_each_village_has_one(drawing: tuple[Area, ...]) -> None:
    resolved = jian_fence().resolve(drawing, text="", prefixes=(CITY,))
    officers = [m for m in gather(city(), resolved, warning(drawing)).members if m.target.kind is TargetKind.OFFICER]
    orders = [member.order for member in officers]
    assert orders == sorted(orders)
    first = {city().officers[member.target.id].phone_index for member in officers if member.order == 0}
    hit = set(resolved.villages)
    answering = [post.officer_id for post in city().posts if post.post is Post.A and post.area_code in hit]
    assert all(city().officers[officer_id].phone_index in first for officer_id in answering)

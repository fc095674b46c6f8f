"""Whom a red for the whole city would not reach is found by the rule that makes the list, village by village."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dispatcher.audience.gaps import Speaker, gaps_of
from dispatcher.audience.roll import NO_PHONE
from dispatcher.model import Post
from dispatcher.registry.register import Register


@pytest.fixture
def made(_register: Register) -> Register:
    return _register


def without(made: Register, village: str) -> Register:
    """Nobody of that village is on the register any more."""
    gone = {one.officer_id for one in made.posts if one.area_code == village}
    gone |= {one.id for one in made.officers.values() if one.home_code == village}
    place, every = made.geofence.village_codes.index(village), list(made.officers.values())
    lives = made.geofence.village_at(
        np.array([one.home.lat for one in every]), np.array([one.home.lon for one in every])
    )
    gone |= {one.id for one, at in zip(every, lives.tolist(), strict=True) if at == place}
    stay = made.residents.village != place
    names = made.residents.__dataclass_fields__
    residents = replace(made.residents, **{name: getattr(made.residents, name)[stay] for name in names})
    officers = {number: one for number, one in made.officers.items() if number not in gone}
    return replace(
        made, officers=officers, posts=tuple(one for one in made.posts if one.area_code != village), residents=residents
    )


def a_village(made: Register) -> str:
    return made.geofence.village_codes[0]


def test_every_village_is_counted_under_its_township(made: Register) -> None:
    found = gaps_of(made)
    assert sum(found.villages.values()) == len(made.geofence.village_codes)
    assert all(len(code) == 9 for code in found.villages)


def test_a_village_without_anybody_is_named(made: Register) -> None:
    village = a_village(made)
    found = gaps_of(without(made, village))
    (gap,) = [one for one in found.gaps if one.village == village]
    assert gap.nobody
    assert not gap.no_phone


def test_officers_without_a_number_reach_nobody(made: Register) -> None:
    village = next(
        one.area_code for one in made.posts if len(one.area_code) == 12 and not one.area_code.endswith("000")
    )
    mute = {one.officer_id for one in made.posts if one.area_code == village}
    officers = {
        number: replace(one, phone_index=NO_PHONE) if number in mute else one for number, one in made.officers.items()
    }
    (gap,) = [one for one in gaps_of(replace(made, officers=officers)).gaps if one.village == village]
    assert gap.no_phone


def test_silent_gateways_leave_loudspeakers_lost_and_none_at_all_is_said_so(made: Register) -> None:
    silent = {number: replace(one, online=False) for number, one in made.gateways.items()}
    covered = {village for one in made.gateways.values() for village in one.villages}
    for gap in gaps_of(replace(made, gateways=silent)).gaps:
        assert gap.speaker is (Speaker.LOST if gap.village in covered else Speaker.NONE)
    assert {one.speaker for one in gaps_of(replace(made, gateways={})).gaps} == {Speaker.NONE}


def test_a_unit_without_a_duty_room_is_unwatched(made: Register) -> None:
    watched = {one.area_code for one in made.posts if one.post is Post.DUTY}
    before = gaps_of(made).unwatched
    assert not {code for code in before if code in watched}
    nobody = replace(made, posts=tuple(one for one in made.posts if one.post is not Post.DUTY))
    every = gaps_of(nobody).unwatched
    assert set(gaps_of(made).villages) <= every
    assert {code[:6] for code in every} <= every

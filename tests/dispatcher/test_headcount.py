"""How many a list comes to, counted in a valley small enough to count by hand."""

from __future__ import annotations

from dispatcher.audience import Headcount, gather, headcount
from dispatcher.model import ROLES, Post, PostHeld, Role
from dispatcher.registry.register import Register
from tests.jian import ROWS, coded, gateway, homes, officer, point, register, village, warning

KEEPER = 1 << ROLES.index(Role.RESERVOIR_KEEPER)
INFO = 1 << ROLES.index(Role.DISASTER_INFO)
LOWER, UPPER, NORTH = ROWS


def counted(held: Register, *codes: str) -> Headcount:
    areas = coded(*codes)
    message = warning(areas)
    resolved = held.geofence.resolve(areas, text="", prefixes=("360800",))
    return headcount(held, resolved, gather(held, resolved, message))


def valley() -> Register:
    far = point(50, 50)
    return register(
        officers=(
            officer(1, far, roles=INFO | KEEPER),
            officer(2, far, roles=INFO),
            officer(3, far, roles=INFO),
        ),
        posts=(
            PostHeld(area_code=village(0, 0), post=Post.A, officer_id="JA00001"),
            PostHeld(area_code=village(0, 1), post=Post.A, officer_id="JA00002"),
            PostHeld(area_code=LOWER, post=Post.DUTY, officer_id="JA00003"),
        ),
        machines=(
            gateway("low", LOWER, "", (village(0, 0), village(0, 1))),
            gateway("lost", LOWER, "", (village(0, 2),), online=False),
            gateway("north", NORTH, "", (village(2, 0),), online=False),
        ),
        residents=homes([(point(0, 0), 4), (point(0, 0), 4), (point(1, 0), 8)]),
    )


def test_officers_count_once_and_in_each_of_their_roles() -> None:
    heads = counted(valley(), LOWER)
    assert (heads.officers, heads.roles) == (3, ((Role.DISASTER_INFO, 3), (Role.RESERVOIR_KEEPER, 1)))


def test_a_gateway_that_is_lost_counts_where_it_has_terminals_and_nowhere_else() -> None:
    heads = counted(valley(), LOWER)
    assert (heads.speakers, heads.silent) == (1, 1)
    assert counted(valley(), village(0, 0)).silent == 0


def test_the_map_is_told_which_townships_are_whole() -> None:
    heads = counted(valley(), LOWER, village(1, 0))
    assert [(one.code, one.villages, one.of) for one in heads.hits] == [(LOWER, 4, 4), (UPPER, 1, 4)]


def test_whom_it_will_not_reach_is_counted_by_reason() -> None:
    heads = counted(valley(), LOWER)
    assert sum(heads.reasons.values()) == len(heads.unreachable) == 2
    assert {one.area for one in heads.unreachable} == {village(0, 2), village(0, 3)}


def test_a_duty_room_that_nobody_holds_is_named() -> None:
    assert counted(valley(), LOWER).unattended == ("360827",)
    assert counted(valley(), UPPER).unattended == ("360827", UPPER)


def test_nothing_in_the_area_comes_to_nothing() -> None:
    heads = counted(valley(), "360800999")
    assert (heads.hits, heads.officers, heads.residents, heads.unreachable, heads.unattended) == ((), 0, 0, (), ())

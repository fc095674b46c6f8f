"""Who is told, by which rule, in which order; and who is not, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.audience import gather, homes_beside, nearest_outside, reached_again, why_not
from dispatcher.geofence import Resolved
from dispatcher.model import (
    ROLES,
    Area,
    Audience,
    Channel,
    Endpoint,
    Hazard,
    Level,
    Member,
    Narrowing,
    Office,
    Post,
    PostHeld,
    Role,
    Scope,
    Subscription,
    Target,
    TargetKind,
    WarningMessage,
    Why,
)
from dispatcher.registry.register import Register
from tests.jian import (
    ROWS,
    box,
    coded,
    drawn,
    gateway,
    homes,
    jian,
    officer,
    point,
    register,
    village,
    warning,
)

SOUTH = "360827100000"
FAR_AWAY = point(50, 50)


def told(register: Register, message: WarningMessage, prefixes: tuple[str, ...] = ("360800",)) -> Audience:
    return gather(register, register.geofence.resolve(message.areas, text="", prefixes=prefixes), message)


def whys(audience: Audience) -> dict[str, Why]:
    return {str(member.target): member.why for member in audience.members}


def held(area_code: str, post: Post, number: int) -> PostHeld:
    return PostHeld(area_code=area_code, post=post, officer_id=f"JA{number:05d}")


def posted(*posts: tuple[str, Post]) -> Register:
    """One officer a post, numbered from 1, living far away."""
    return register(
        officers=tuple(officer(number, FAR_AWAY) for number in range(1, len(posts) + 1)),
        posts=tuple(held(code, post, number) for number, (code, post) in enumerate(posts, 1)),
    )


def reason(register: Register, message: WarningMessage, target: str) -> str:
    resolved = register.geofence.resolve(message.areas, text="", prefixes=("360800",))
    return why_not(register, resolved, message, Target.parse(target))


# ── officers ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_posts_on_the_villages_and_the_units_above_them_are_told_and_no_others() -> None:
    city = posted(
        (village(0, 0), Post.A),
        (village(0, 0), Post.B),
        (village(0, 0), Post.TRANSFER),
        (ROWS[0], Post.A),
        (ROWS[0], Post.CHIEF),
        (ROWS[0], Post.TRANSFER),
        (ROWS[0], Post.DUTY),
        ("360827", Post.A),
        ("360827", Post.DUTY),
        ("360827", Post.CHIEF),
        ("360800", Post.DUTY),
        (village(1, 0), Post.A),
        (ROWS[1], Post.DUTY),
        ("360826", Post.DUTY),
    )
    found = whys(told(city, warning(coded(SOUTH))))
    assert found == {
        **{f"officer-JA0000{number}": Why.VILLAGE_POST for number in (1, 2, 3)},
        **{f"officer-JA0000{number}": Why.TOWNSHIP_DUTY for number in (4, 5, 6, 7)},
        **{f"officer-JA0000{number}": Why.COUNTY_DUTY for number in (8, 9)},
    }


def test_the_city_is_told_only_if_every_county_is_hit() -> None:
    city = posted(("360800", Post.DUTY), ("360800", Post.CHIEF))
    assert whys(told(city, warning(coded("360827")))) == {}
    everywhere = told(city, warning(coded("360827", village(2, 3))))
    assert set(whys(everywhere).values()) == {Why.CITY_DUTY}
    assert {member.township for member in everywhere.members} == {"360800"}


def test_a_person_with_many_posts_and_a_home_inside_is_one_message_for_the_strongest_reason() -> None:
    busy = register(
        officers=(officer(1, point(0, 0), home_code=village(0, 0)),),
        posts=(held("360827", Post.A, 1), held(ROWS[0], Post.B, 1), held(village(0, 1), Post.B, 1)),
    )
    (member,) = told(busy, warning(coded(SOUTH))).members
    assert (member.why, member.township, member.order) == (Why.VILLAGE_POST, ROWS[0], 0)


def test_an_officer_who_only_lives_inside_is_told_like_a_resident() -> None:
    living = register(officers=(officer(1, point(0, 0)), officer(2, point(0.4, 0))), posts=())
    assert whys(told(living, warning(drawn(box(-0.1, -0.1, 0.1, 0.1))))) == {"officer-JA00001": Why.HOME_INSIDE}
    assert len(told(living, warning(coded(SOUTH))).members) == 2


def test_whoever_is_told_their_officer_is_told_too() -> None:
    area = drawn(box(-0.1, -0.1, 0.6, 0.1))
    posts = (held(village(0, 0), Post.A, 1), held(village(1, 0), Post.A, 2), held(ROWS[1], Post.DUTY, 3))
    people = tuple(officer(number, FAR_AWAY) for number in (1, 2, 3))
    without = register(officers=people, posts=posts)
    assert set(whys(told(without, warning(area)))) == {"officer-JA00001"}
    assert homes_beside(without, _resolved(without, area), warning(area)) == ()
    lived = [(point(0, 0), _index(without, 0, 0)), (point(0.55, 0), _index(without, 1, 0))]
    with_home = register(officers=people, posts=posts, residents=homes(lived))
    found = told(with_home, warning(area))
    assert whys(found)["officer-JA00001"] is Why.VILLAGE_POST
    assert whys(found)["officer-JA00002"] is Why.TOUCHED_POST
    assert whys(found)["officer-JA00003"] is Why.TOWNSHIP_DUTY
    assert homes_beside(with_home, _resolved(with_home, area), warning(area)) == (village(1, 0),)
    assert [unreachable.area for unreachable in found.unreachable] == [village(0, 0)]


def test_an_officers_home_counts_as_a_known_home() -> None:
    area = drawn(box(-0.1, -0.1, 0.6, 0.1))
    living = register(
        officers=(officer(1, point(0.55, 0)), officer(2, FAR_AWAY)), posts=(held(village(1, 0), Post.B, 2),)
    )
    assert whys(told(living, warning(area))) == {
        "officer-JA00001": Why.HOME_INSIDE,
        "officer-JA00002": Why.TOUCHED_POST,
    }


def test_officers_who_share_a_phone_are_one_message() -> None:
    family = register(
        officers=(officer(1, FAR_AWAY, phone=7), officer(2, FAR_AWAY, phone=7), officer(3, FAR_AWAY)),
        posts=(held(ROWS[0], Post.DUTY, 1), held(village(0, 0), Post.B, 2), held(village(0, 1), Post.B, 3)),
    )
    found = told(family, warning(coded(SOUTH)))
    assert whys(found) == {"officer-JA00002": Why.VILLAGE_POST, "officer-JA00003": Why.VILLAGE_POST}
    assert reason(family, warning(coded(SOUTH)), "officer-JA00001") == "未另发：与甲2同一号码，合并为一条"


def test_nobody_knows_a_phone_of_nought_so_nobody_shares_it() -> None:
    people = tuple(replace(officer(number, FAR_AWAY), phone_index=0) for number in (1, 2))
    city = register(officers=people, posts=(held(village(0, 0), Post.A, 1), held(village(0, 0), Post.B, 2)))
    assert len(told(city, warning(coded(SOUTH))).members) == 2


def test_the_first_answerer_of_every_village_goes_before_the_second_of_any() -> None:
    posts = [
        *((village(row, column), post) for row in (0, 1) for column in range(4) for post in (Post.B, Post.A)),
        (ROWS[0], Post.DUTY),
        (ROWS[1], Post.B),
    ]
    found = told(posted(*posts), warning(coded("360827"))).members
    assert [member.order for member in found] == [0] * 9 + [1] * 9
    firsts = {posts[int(member.target.id[2:]) - 1] for member in found[:9]}
    assert firsts == {post for post in posts if post[1] in (Post.A, Post.DUTY)}


def test_a_village_without_an_a_post_has_its_b_post_as_first_answerer() -> None:
    found = told(posted((village(0, 0), Post.B), (village(0, 0), Post.TRANSFER)), warning(coded(SOUTH))).members
    assert [(member.target.id, member.order) for member in found] == [("JA00001", 0), ("JA00002", 1)]


def test_townships_take_turns() -> None:
    posts = [(village(row, column), Post.A) for row in (0, 1) for column in range(4)]
    found = told(posted(*posts), warning(coded("360827"))).members
    assert [member.township for member in found] == [ROWS[0], ROWS[1]] * 4


# ── residents ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _index(city: Register, row: int, column: int) -> int:
    return city.geofence.village_codes.index(village(row, column))


def _resolved(city: Register, areas: tuple[Area, ...]) -> Resolved:
    return city.geofence.resolve(areas, text="", prefixes=("360800",))


def peopled(**columns: list[int]) -> Register:
    """Residents 1 and 2 in the first village of the south, 3 in the second, 4 in the first of the middle row."""
    plain = register()
    places = [(0, 0, 0.0), (0, 0, 0.3), (0, 1, 0.0), (1, 0, 0.0)]
    return register(
        residents=homes([(point(r + up, c), _index(plain, r, c)) for r, c, up in places], **columns),
        officers=(officer(1, FAR_AWAY, phone=77),),
        posts=(held(village(0, 0), Post.A, 1),),
    )


def test_residents_are_told_by_their_home_in_a_shape_and_by_their_village_under_a_code() -> None:
    assert told(peopled(), warning(drawn(box(-0.1, -0.1, 0.1, 0.1)))).residents.id.tolist() == [1]
    assert told(peopled(), warning(coded(village(0, 0)))).residents.id.tolist() == [1, 2]
    both = (*coded(village(0, 1)), *drawn(box(-0.1, -0.1, 0.1, 0.1)))
    assert told(peopled(), warning(both)).residents.id.tolist() == [1, 3]


def test_residents_carry_their_township_and_townships_take_turns() -> None:
    found = told(peopled(), warning(coded("360827"))).residents
    assert found.id.tolist() == [1, 4, 2, 3]
    assert [found.townships[number] for number in found.township.tolist()] == [ROWS[0], ROWS[1], ROWS[0], ROWS[0]]
    assert told(peopled(), warning(coded(village(1, 0)))).residents.townships == (ROWS[1],)


def test_one_phone_is_one_message_and_the_officer_has_it_before_the_resident() -> None:
    shared = peopled(phones=[5, 5, 77, 6])
    assert told(shared, warning(coded("360827"))).residents.id.tolist() == [1, 4]
    assert told(shared, warning(coded(village(0, 1)))).residents.id.tolist() == [3]
    assert reason(shared, warning(coded("360827")), "resident-2").startswith("未另发")
    assert reason(shared, warning(coded("360827")), "resident-3").startswith("未另发")
    assert told(peopled(phones=[0, 0, 0, 0]), warning(coded("360827"))).residents.id.size == 4


# ── narrowing and scope ─────────────────────────────────────────────────────────────────────────────────────────────


def _role(*roles: Role) -> int:
    return sum(1 << ROLES.index(role) for role in roles)


def test_narrowing_by_role_keeps_those_who_hold_one_and_every_duty_room_and_counts_the_rest() -> None:
    city = register(
        officers=(
            officer(1, FAR_AWAY, roles=_role(Role.DISASTER_INFO, Role.FOREST_RANGER)),
            officer(2, FAR_AWAY, roles=_role(Role.DISASTER_INFO)),
            officer(3, FAR_AWAY, roles=_role(Role.DUTY_ROOM)),
        ),
        posts=(held(village(0, 0), Post.B, 1), held(village(0, 0), Post.A, 2), held(ROWS[0], Post.DUTY, 3)),
        residents=homes([(point(0, 0), 4)]),
    )
    message = warning(coded(SOUTH), narrowing=Narrowing(roles=(Role.FOREST_RANGER,), reason="林区"))
    found = told(city, message)
    assert set(whys(found)) == {"officer-JA00001", "officer-JA00003"}
    assert {member.order for member in found.members} == {0}
    assert found.left_out == 1
    assert found.residents.id.tolist() == [1]
    assert reason(city, message, "officer-JA00002") == "未通知：本次只通知护林员，此人没有这些职责"


def test_narrowing_by_group_or_risk_keeps_residents_with_any_of_them_and_all_officers() -> None:
    tagged = peopled(groups=[1, 0, 2, 0], tags=[0, 4, 0, 0])
    message = warning(coded("360827"), narrowing=Narrowing(groups=("独居老人",), risk_tags=("水库下游",)))
    found = told(tagged, message)
    assert found.residents.id.tolist() == [1, 2]
    assert found.left_out == 2
    assert len(found.members) == 1
    assert reason(tagged, message, "resident-3") == "未通知：本次只通知独居老人、水库下游，此户不在其列"


@pytest.mark.parametrize("scope", [Scope.RESTRICTED, Scope.PRIVATE])
def test_a_warning_that_is_not_public_reaches_officers_and_offices_alone(scope: Scope) -> None:
    people = peopled()
    city = replace(equipped(), residents=people.residents, officers=people.officers, posts=people.posts)
    found = told(city, warning(coded(SOUTH), scope=scope))
    assert {member.channel for member in found.members} == {Channel.SMS}
    assert found.residents.id.size == 0
    assert {one.why for one in found.unreachable} == {"村内无人可通知：请派人上门告知"}
    for target in ("resident-1", "gateway-GW360827100", "endpoint-P360827"):
        assert reason(city, warning(coded(SOUTH), scope=scope), target).startswith("未通知：本预警限定范围发布")


# ── gateways and endpoints ──────────────────────────────────────────────────────────────────────────────────────────


def equipped(*offline: str) -> Register:
    """A gateway for each township, county and the city, a party endpoint for 遂川; `offline` are lost."""
    every = tuple(sorted(village(row, column) for row in range(3) for column in range(4)))
    places = [
        ("360800", ""),
        ("360826", "GW360800"),
        ("360827", "GW360800"),
        *((code, f"GW{code[:6]}") for code in ROWS),
    ]
    return register(
        machines=(
            *(
                gateway(
                    f"GW{code}",
                    code,
                    parent,
                    every if code == "360800" else tuple(one for one in every if one.startswith(code)),
                    online=f"GW{code}" not in offline,
                )
                for code, parent in places
            ),
            Endpoint(id="P360827", area_code="360827", name="", url="", branches=(village(0, 1), village(1, 1))),
        )
    )


def broadcasts(audience: Audience) -> dict[str, Member]:
    return {member.target.id: member for member in audience.members if member.channel is Channel.BROADCAST}


def test_the_lowest_gateway_speaks_for_its_villages_and_no_village_is_played_to_twice() -> None:
    found = broadcasts(told(equipped(), warning(coded("360827"))))
    assert set(found) == {"GW360827100", "GW360827101"}
    assert found["GW360827100"].areas == tuple(village(0, column) for column in range(4))
    assert {member.why for member in found.values()} == {Why.GATEWAY_COVERS}


def test_a_gateway_is_told_only_the_villages_in_the_area() -> None:
    found = broadcasts(told(equipped(), warning(coded(village(0, 1), village(0, 2)))))
    assert found["GW360827100"].areas == (village(0, 1), village(0, 2))


@pytest.mark.parametrize(
    ("lost", "stand_in"),
    [
        (("GW360827100",), "GW360827"),
        (("GW360827100", "GW360827"), "GW360800"),
    ],
)
def test_where_a_gateway_is_lost_the_next_one_above_stands_in_for_just_its_villages(
    lost: tuple[str, ...], stand_in: str
) -> None:
    found = broadcasts(told(equipped(*lost), warning(coded("360827"))))
    assert set(found) == {"GW360827101", stand_in}
    assert found[stand_in].areas == tuple(village(0, column) for column in range(4))
    assert found[stand_in].why is Why.GATEWAY_STANDS_IN
    assert found["GW360827101"].why is Why.GATEWAY_COVERS


def test_a_parent_stands_in_even_where_its_own_list_of_villages_is_empty() -> None:
    city = register(
        machines=(
            gateway("LOW", ROWS[0], "HIGH", (village(0, 0),), online=False),
            gateway("HIGH", "360827", "", ()),
        )
    )
    assert broadcasts(told(city, warning(coded(SOUTH))))["HIGH"].areas == (village(0, 0),)


def test_gateways_that_are_each_others_parent_end_no_start() -> None:
    city = register(
        machines=(
            gateway("ONE", ROWS[0], "TWO", (village(0, 0),), online=False),
            gateway("TWO", ROWS[0], "ONE", (village(0, 0),)),
        )
    )
    assert set(broadcasts(told(city, warning(coded(SOUTH))))) == {"TWO"}


def test_villages_nobody_reaches_are_said_beforehand() -> None:
    lost = equipped("GW360827100", "GW360827", "GW360800")
    assert {one.why for one in told(lost, warning(coded(SOUTH))).unreachable} == {
        "村内无人可通知，也没有在线的播发网关：请派人上门告知"
    }
    manned = replace(lost, officers={"JA00001": officer(1, FAR_AWAY)}, posts=(held(village(0, 0), Post.A, 1),))
    found = {one.area: one.why for one in told(manned, warning(coded(SOUTH))).unreachable}
    assert found[village(0, 0)] == "播发网关及其上级均失联，喇叭不响：只通知到人"
    heard = {one.why for one in told(equipped(), warning(coded(SOUTH))).unreachable}
    assert heard == {"村内无人可通知，只有喇叭：请派人核实"}
    silent = replace(manned, gateways={})
    assert told(silent, warning(coded(village(0, 0)))).unreachable[0].why == "没有播发网关，喇叭不响：只通知到人"


def test_a_party_endpoint_is_told_with_the_villages_that_have_a_branch() -> None:
    (member,) = (one for one in told(equipped(), warning(coded(SOUTH))).members if one.channel is Channel.PARTY)
    assert (member.areas, member.why, member.township) == ((village(0, 1),), Why.BRANCHES_INSIDE, "360827")
    elsewhere = warning(coded("360826"))
    assert not any(one.channel is Channel.PARTY for one in told(equipped(), elsewhere).members)
    assert reason(equipped(), elsewhere, "endpoint-P360827") == "未通知：在预警区域内没有党支部"


def test_a_gateway_that_is_not_told_says_why() -> None:
    message = warning(coded(SOUTH))
    assert reason(equipped(), message, "gateway-GW360826100") == "未通知：在预警区域内没有终端"
    assert reason(equipped(), message, "gateway-GW360827") == "未通知：其终端所在的村已由别的网关播发，不重复播出"
    assert reason(equipped("GW360827100"), message, "gateway-GW360827100") == "未通知：网关失联"
    assert reason(equipped(), message, "gateway-GW360827100") == "已列入名单：播发网关覆盖预警区域内的村"
    assert reason(equipped(), message, "gateway-NONE") == "登记册里没有这个对象：请核对编号"


# ── offices ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def subscribed(
    *areas: str,
    hazards: tuple[str, ...] = (),
    least: Level = Level.BLUE,
    channels: tuple[Channel, ...] = (Channel.SMS,),
) -> Register:
    return register(
        offices=(Office(id="O1", area_code=ROWS[0], name="泉江镇应急办", phone_index=900),),
        subscriptions=(
            Subscription(
                id="S1", office_id="O1", area_codes=areas, hazards=hazards, least_level=least, channels=channels
            ),
        ),
        officers=(officer(1, FAR_AWAY, phone=900),),
    )


def test_an_office_hears_what_it_subscribed_to() -> None:
    (member,) = told(subscribed(ROWS[0]), warning(coded(SOUTH))).members
    assert member == Member(
        target=Target(kind=TargetKind.OFFICE, id="O1"),
        channel=Channel.SMS,
        why=Why.SUBSCRIPTION,
        township=ROWS[0],
        order=0,
    )
    matching = subscribed(ROWS[1], village(0, 3), hazards=("暴雨",), least=Level.RED)
    assert len(told(matching, warning(coded(SOUTH))).members) == 1


@pytest.mark.parametrize(
    ("city", "because"),
    [
        (subscribed(), "未通知：所订阅的区域都不在预警区域内"),
        (subscribed(ROWS[1], "360826", "360899", "36082710"), "未通知：所订阅的区域都不在预警区域内"),
        (subscribed(ROWS[0], hazards=("大风",)), "未通知：未订阅该灾种"),
        (subscribed(ROWS[0], least=Level.RED), "未通知：低于所订阅的最低级别"),
        (subscribed(ROWS[0], channels=(Channel.PARTY,)), "未通知：订阅未选短信"),
        (replace(subscribed(), subscriptions=()), "未通知：没有订阅任何区域"),
    ],
)
def test_an_office_does_not_hear_what_it_did_not_subscribe_to(city: Register, because: str) -> None:
    message = warning(coded(SOUTH), level=Level.ORANGE)
    assert told(city, message).members == ()
    assert reason(city, message, "office-O1") == because


def test_a_warning_without_level_or_hazard_matches_no_subscription_that_asks_for_one() -> None:
    city = subscribed(ROWS[0], hazards=("暴雨",))
    assert told(city, replace(warning(coded(SOUTH)), hazard=None)).members == ()
    assert told(city, replace(warning(coded(SOUTH)), level=None)).members == ()
    other = Hazard(scheme="", code="", name="大风")
    assert len(told(subscribed(ROWS[0]), replace(warning(coded(SOUTH)), hazard=other)).members) == 1


def test_an_office_that_asked_about_another_township_hears_of_that_one() -> None:
    (member,) = told(subscribed(ROWS[1]), warning(coded(ROWS[1]))).members
    assert member.township == ROWS[1]


def test_an_office_is_told_once_also_beside_one_that_asked_about_nothing() -> None:
    city = subscribed(ROWS[0], ROWS[1])
    silent = replace(city.offices["O1"], id="O2", phone_index=7)
    nothing = replace(city.subscriptions[0], id="S2", office_id="O2", area_codes=())
    city = replace(city, offices=city.offices | {"O2": silent}, subscriptions=(nothing, *city.subscriptions))
    assert whys(told(city, warning(coded(ROWS[0], ROWS[1])))) == {"office-O1": Why.SUBSCRIPTION}
    assert len(told(city, warning(coded(ROWS[0], ROWS[1]))).members) == 1


def test_an_officer_with_the_offices_phone_has_the_message_instead() -> None:
    city = replace(subscribed(ROWS[0]), posts=(held(ROWS[0], Post.DUTY, 1),))
    assert set(whys(told(city, warning(coded(SOUTH))))) == {"officer-JA00001"}
    assert reason(city, warning(coded(SOUTH)), "office-O1") == "未另发：值班电话已在名单上，合并为一条"


# ── who is not told ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_nearest_outside_are_named_with_distance_and_reason() -> None:
    city = register(
        officers=(
            officer(1, point(0, 0), home_code=village(0, 0)),
            officer(2, point(0.4, 0), home_code=village(0, 0)),
            officer(3, point(1, 0), home_code=village(1, 0)),
            officer(4, point(2, 3), home_code=village(2, 3)),
        ),
        posts=(held(village(0, 0), Post.A, 1), held(village(1, 0), Post.A, 3), held(village(2, 3), Post.A, 4)),
    )
    area = drawn(box(-0.1, -0.1, 0.6, 0.1), box(-0.1, 0.9, 0.1, 1.1))
    found = nearest_outside(city, _resolved(city, area), area, 5)
    assert [one.officer_id for one in found] == ["JA00003", "JA00004"]
    assert found[0].distance_km == pytest.approx(0.445, abs=0.005)
    assert found[0].area_name == "雩田镇桃源村委会"
    assert found[0].reason == (
        "未通知：住处在预警区域外约0.4公里；所负责的雩田镇桃源村委会只与区域边缘相接，区内没有已登记的住户"
    )
    assert "所负责的澄江镇江口村委会不在预警区域内" in found[1].reason
    assert reason(city, warning(area), "officer-JA00003") == found[0].reason
    assert len(nearest_outside(city, _resolved(city, area), area, 1)) == 1


def test_an_officer_above_the_area_hears_why_not() -> None:
    city = posted(("360800", Post.DUTY), ("360827", Post.CHIEF), ("360826", Post.DUTY))
    assert "市级岗位只在各县全部受影响时通知" in reason(city, warning(coded(SOUTH)), "officer-JA00001")
    assert "县级只通知值班室和A、B角" in reason(city, warning(coded(SOUTH)), "officer-JA00002")
    assert "所负责的泰和县不在预警区域内" in reason(city, warning(coded(SOUTH)), "officer-JA00003")


def test_a_resident_who_is_not_told_hears_why() -> None:
    message = warning(drawn(box(-0.1, -0.1, 0.1, 0.1)))
    assert reason(peopled(), message, "resident-1") == "已列入名单：住户位置在预警区域内"
    assert reason(peopled(), message, "resident-2") == "未通知：住处在预警区域外约0.2公里"
    assert reason(peopled(), message, "resident-99") == "未通知：不在可通知的名册里，未登记或已退订"
    assert reason(peopled(), message, "resident-x") == "登记册里没有这个对象：请核对编号"
    assert reason(peopled(), message, "officer-JA09999") == "登记册里没有这个对象：请核对编号"


# ── calling off ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cancel_reaches_exactly_those_it_went_out_to_each_once() -> None:
    city = posted((village(0, 0), Post.A), (village(0, 0), Post.B))
    first, second = (Target(kind=TargetKind.OFFICER, id=f"JA0000{number}") for number in (1, 2))
    gone = Target(kind=TargetKind.OFFICER, id="JA00099")
    speaker = Target(kind=TargetKind.GATEWAY, id="GW360827100")
    home = Target(kind=TargetKind.RESIDENT, id="4")
    found = reached_again(
        city,
        [
            (second, Channel.SMS, ROWS[0], ()),
            (gone, Channel.SMS, ROWS[1], ()),
            (first, Channel.SMS, ROWS[0], ()),
            (first, Channel.SMS, ROWS[0], ()),
            (speaker, Channel.BROADCAST, ROWS[0], (village(0, 1),)),
            (speaker, Channel.BROADCAST, ROWS[0], (village(0, 0), village(0, 1))),
            (home, Channel.SMS, ROWS[1], ()),
        ],
    )
    assert {member.why for member in found.members} == {Why.REACHED_BEFORE}
    assert [(str(member.target), member.order) for member in found.members] == [
        ("officer-JA00001", 0),
        ("gateway-GW360827100", 0),
        ("officer-JA00002", 1),
        ("officer-JA00099", 1),
    ]
    assert found.members[1].areas == (village(0, 0), village(0, 1))
    assert (found.residents.id.tolist(), found.residents.townships) == ([4], (ROWS[1],))
    assert reached_again(city, []).members == ()


# ── the ends of the scale ───────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_register_tells_nobody() -> None:
    empty = register(())
    for areas in (coded("360800"), drawn(box(-1, -1, 3, 4)), ()):
        found = told(empty, warning(areas))
        assert (found.members, found.residents.id.size, found.unreachable) == ((), 0, ())


def test_a_city_whose_villages_are_not_loaded_is_never_hit_as_a_whole() -> None:
    units = tuple(area for area in jian() if area.level in ("city", "county"))
    city = register(units, officers=(officer(1, FAR_AWAY),), posts=(held("360800", Post.DUTY, 1),))
    assert told(city, warning(coded("360800"))).members == ()


def test_posts_and_devices_on_places_nobody_knows_are_passed_over() -> None:
    city = register(
        officers=(officer(1, FAR_AWAY),),
        posts=(held("360899", Post.A, 1), held(village(0, 0), Post.A, 9)),
        machines=(gateway("G", "360899", "NONE", ("360899100200",)),),
    )
    assert told(city, warning(coded("360800"))).members == ()


def test_the_whole_city_of_three_thousand_is_listed_once_each() -> None:
    villages = [area for area in jian() if area.level == "village"]
    people = tuple(officer(number, area.point, home_code=area.code) for number, area in enumerate(villages, 1))
    posts = tuple(held(area.code, Post.A, number) for number, area in enumerate(villages, 1))
    found = told(register(jian(), officers=people, posts=posts), warning(coded("360800000000"))).members
    assert len(found) == len({member.target for member in found}) == len(villages) == 2967
    assert len({member.township for member in found[:252]}) == 252

"""The plan: chunks in order, texts once each, lanes; and a hash that changes with anything one approves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from dispatcher.model import (
    ROLES,
    Audience,
    Channel,
    Kind,
    Lane,
    Level,
    Member,
    ResidentHits,
    Role,
    Status,
    Target,
    TargetKind,
    WarningMessage,
    Why,
)
from dispatcher.planning import CHUNK, FIRST_CHUNK, Frame, Plan, header_of, lane_of, make_plan
from dispatcher.store.packing import FrozenRow, digest, header_hash, plan_hash, unpack
from tests.city import NOW, VILLAGES, both, frame, gateways, people, red


def rows(plan: Plan, channel: Channel = Channel.SMS) -> list[FrozenRow]:
    return [row for chunk in plan.chunks if chunk.channel == channel for row in unpack(chunk.packed)]


def targets(plan: Plan, channel: Channel = Channel.SMS) -> list[str]:
    return [row.target for row in rows(plan, channel)]


def residents(count: int, townships: Sequence[str] = ("360827102",)) -> Audience:
    number = np.arange(count, dtype=np.int64)
    where = (number % len(townships)).astype(np.int32)
    return Audience(members=(), residents=ResidentHits(id=number, township=where, townships=tuple(townships)))


# ── chunks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (1, [1]),
        (FIRST_CHUNK, [256]),
        (FIRST_CHUNK + 1, [256, 1]),
        (FIRST_CHUNK + CHUNK, [256, 1000]),
        (3200, [256, 1000, 1000, 944]),
    ],
)
def test_the_first_chunk_is_small_so_that_the_first_message_leaves_at_once(count: int, sizes: list[int]) -> None:
    plan = make_plan(red(), people(count), frame())
    assert [chunk.size for chunk in plan.chunks] == sizes
    assert [chunk.seq for chunk in plan.chunks] == list(range(len(sizes)))
    assert plan.rows == count


@settings(max_examples=25)
@given(st.permutations(range(600)))
def test_everybody_stands_in_the_plan_once_and_in_the_order_of_the_list(order: list[int]) -> None:
    listed = people(600)
    mixed = replace(listed, members=tuple(listed.members[number] for number in order))
    assert targets(make_plan(red(), mixed, frame())) == [str(member.target) for member in mixed.members]


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 1), st.none() | st.integers(0, 120)), min_size=1, max_size=40))
def test_whoever_has_least_time_left_is_told_first_and_the_first_answerers_before_the_others(
    given_: list[tuple[int, int | None]],
) -> None:
    listed = people(len(given_)).members
    members = [
        structs.replace(one, order=order, minutes_left=left) for one, (order, left) in zip(listed, given_, strict=True)
    ]
    audience = replace(people(0), members=tuple(members))
    told = [
        next(m for m in members if str(m.target) == target) for target in targets(make_plan(red(), audience, frame()))
    ]
    pressing = [(one.order, 10**6 if one.minutes_left is None else one.minutes_left) for one in told]
    if any(left is not None for _, left in given_):
        assert pressing == sorted(pressing)
    alike = [(one.order, one.minutes_left, one.target.id) for one in told]
    for order, left in set(given_):
        same = [name for o, m, name in alike if (o, m) == (order, left)]
        assert same == sorted(same), "among equals the list's own order stands"


def test_every_chunk_says_truly_what_is_in_it() -> None:
    plan = make_plan(red(), both(people(1500), gateways(300)), frame())
    for chunk in plan.chunks:
        assert chunk.size == len(unpack(chunk.packed))
        assert chunk.hash == digest(chunk.packed)
    assert plan.channels == {"sms": 1500, "broadcast": 300}
    assert sum(plan.channels.values()) == plan.rows == sum(plan.reasons.values())


def test_residents_come_after_everybody_who_has_to_act() -> None:
    crowd = replace(people(300), residents=residents(700).residents)
    told = targets(make_plan(red(), crowd, frame()))
    assert told[:300] == [str(member.target) for member in crowd.members]
    assert told[300:] == [f"resident-{number}" for number in range(700)]


def test_nobody_to_tell_is_an_empty_plan_and_no_failure() -> None:
    plan = make_plan(red(), people(0), frame())
    assert (plan.rows, plan.chunks, plan.texts) == (0, (), ())


# ── texts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_text_is_worded_once_for_all_who_get_the_same() -> None:
    plan = make_plan(red(), both(people(500, "360827102"), people(500, "360827")), frame())
    assert [text.body.count("碧洲镇") for text in plan.texts] == [1, 0]
    assert {row.text_no for row in rows(plan)} == {0, 1}


def test_every_row_points_to_a_text_of_its_own_channel_and_township() -> None:
    crowd = both(both(people(3), gateways(2)), people(2, "360827"))
    plan = make_plan(red(), replace(crowd, residents=residents(4, ("360827102", "360827")).residents), frame())
    texts = {text.no: text for text in plan.texts}
    places = {"360827102": "遂川县碧洲镇", "360827": "遂川县"}
    for channel in (Channel.SMS, Channel.BROADCAST):
        for row in rows(plan, channel):
            assert texts[row.text_no].channel == channel
            assert f"：{places[row.township]}。" in texts[row.text_no].body or channel is Channel.BROADCAST


def test_who_has_a_role_gets_its_line_and_a_machine_gets_none() -> None:
    every = sum(1 << number for number in range(len(ROLES)))
    chief = structs.replace(people(1).members[0], roles=1 << ROLES.index(Role.TOWN_CHIEF))
    gateway = structs.replace(gateways(1).members[0], roles=every)
    plan = make_plan(red(), replace(people(0), members=(chief, gateway)), frame())
    assert ["坐镇指挥" in text.body for text in plan.texts] == [True, False]


def test_a_township_without_a_name_is_called_by_its_county_and_never_left_blank() -> None:
    known, unknown = people(1, "360827999"), people(1, "369999999")
    bodies = [text.body for text in make_plan(red(), both(known, unknown), frame()).texts]
    assert "：遂川县。" in bodies[0]
    assert "：本辖区。" in bodies[1]


# ── what is not used ────────────────────────────────────────────────────────────────────────────────────────────────


def test_when_the_days_broadcast_numbers_are_used_up_everybody_else_is_still_told() -> None:
    plan = make_plan(red(), both(people(2), gateways(3)), replace(frame(), numbers_used_up=True))
    assert {row.suppressed for row in rows(plan, Channel.BROADCAST)} == {"ebmid_used_up"}
    assert {row.suppressed for row in rows(plan)} == {""}
    assert (plan.rows, plan.channels) == (5, {"sms": 2, "broadcast": 3})
    assert plan.silent == {"broadcast": "ebmid_used_up"}


def test_a_channel_that_the_level_does_not_use_is_named_and_not_used() -> None:
    ours = frame()
    only_sms = ours.policy.levels[Level.RED].model_copy(update={"channels": (Channel.SMS,)})
    policy = ours.policy.model_copy(update={"levels": {**ours.policy.levels, Level.RED: only_sms}})
    plan = make_plan(red(), both(people(2), gateways(3)), replace(ours, policy=policy))
    assert plan.suppressed == {"channel_not_in_policy": 3}


@pytest.mark.parametrize("kind", [Kind.ALERT, Kind.UPDATE, Kind.CANCEL])
def test_a_drill_is_planned_for_those_channels_alone_that_have_a_provider_for_drills(kind: Kind) -> None:
    drill, real, crowd = red(status=Status.EXERCISE, kind=kind), red(kind=kind), both(people(2), gateways(3))
    only_sms = replace(frame(), drill_channels=frozenset({Channel.SMS}))
    plan = make_plan(drill, crowd, only_sms)
    assert {row.suppressed for row in rows(plan)} == {""}
    assert {row.suppressed for row in rows(plan, Channel.BROADCAST)} == {"no_drill_provider"}
    assert plan.silent == {"broadcast": "no_drill_provider"}
    none = replace(frame(), drill_channels=frozenset())
    assert make_plan(drill, crowd, none).suppressed == {"no_drill_provider": 5}
    assert make_plan(real, crowd, none) == make_plan(real, crowd, frame()), "what is real does not ask for them"


# ── lanes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "lane"),
    [
        ({"kind": Kind.CANCEL, "level": Level.BLUE}, Lane.CORRECTION),
        ({"kind": Kind.CANCEL, "level": None}, Lane.CORRECTION),
        ({}, Lane.RED),
        ({"kind": Kind.UPDATE}, Lane.RED),
        ({"level": Level.ORANGE}, Lane.ORANGE),
        ({"level": Level.YELLOW}, Lane.YELLOW),
        ({"level": Level.BLUE}, Lane.BLUE),
        ({"status": Status.EXERCISE}, Lane.DRILL),
        ({"status": Status.EXERCISE, "kind": Kind.CANCEL}, Lane.DRILL),
        ({"status": Status.TEST}, Lane.DRILL),
    ],
)
def test_a_cancel_overtakes_everything_real_and_a_drill_overtakes_nothing(
    changes: dict[str, object], lane: Lane
) -> None:
    message = red(**changes)
    assert lane_of(message) is lane
    if message.level is not None or message.kind is Kind.CANCEL:
        assert {chunk.lane for chunk in make_plan(message, people(300), frame()).chunks} == {lane}


# ── what is approved ────────────────────────────────────────────────────────────────────────────────────────────────


def _first(audience: Audience, **changes: object) -> Audience:
    member = structs.replace(audience.members[0], **changes)  # type: ignore[arg-type]
    return replace(audience, members=(member, *audience.members[1:]))


CROWD = both(people(300), gateways(2))
OTHER_OFFICER = Target(kind=TargetKind.OFFICER, id="JA99999")
PLANS: dict[str, tuple[WarningMessage, Audience, Frame]] = {
    "text": (red(hazard=None, event="雷电"), CROWD, frame()),
    "sender": (red(sender_name="某台"), CROWD, frame()),
    "level": (red(level=Level.ORANGE), CROWD, frame()),
    "status": (red(status=Status.TEST), CROWD, frame()),
    "drill": (red(status=Status.EXERCISE), CROWD, frame()),
    "kind": (red(kind=Kind.UPDATE), CROWD, frame()),
    "expiry": (red(expires=NOW + timedelta(hours=6, seconds=1)), CROWD, frame()),
    "area": (red(), CROWD, replace(frame(), villages=VILLAGES[:1])),
    "broadcast id": (red(), CROWD, frame(broadcast_id="1" * 35)),
    "one recipient": (red(), _first(CROWD, target=OTHER_OFFICER), frame()),
    "one fewer": (red(), replace(CROWD, members=CROWD.members[1:]), frame()),
    "one more": (red(), both(CROWD, people(1, "360827")), frame()),
    "a reason": (red(), _first(CROWD, why=Why.CITY_DUTY), frame()),
    "a township": (red(), _first(CROWD, township="360827"), frame()),
    "a channel": (red(), _first(CROWD, channel=Channel.PARTY), frame()),
    "what a gateway plays to": (red(), both(people(300), replace(gateways(2), members=gateways(1).members)), frame()),
    "the order": (red(), replace(CROWD, members=CROWD.members[::-1]), frame()),
    "residents": (red(), replace(CROWD, residents=residents(1).residents), frame()),
}
APPROVED = make_plan(red(), CROWD, frame())


@pytest.fixture(scope="module")
def hashes() -> dict[str, str]:
    return {name: make_plan(*parts).hash for name, parts in PLANS.items()}


@pytest.mark.parametrize("what", PLANS)
def test_any_change_of_what_was_approved_changes_the_hash(what: str, hashes: dict[str, str]) -> None:
    assert hashes[what] != APPROVED.hash
    assert [name for name, found in hashes.items() if found == hashes[what]] == [what]


def test_the_same_warning_and_list_make_the_same_plan() -> None:
    assert make_plan(red(), CROWD, frame()) == APPROVED


def test_the_hash_is_made_of_the_header_and_of_every_chunk_so_that_the_sender_can_prove_it() -> None:
    header = header_of(red(), frame(), list(APPROVED.channels), APPROVED.texts)
    assert header_hash(header) == APPROVED.header_hash
    assert plan_hash(APPROVED.header_hash, [chunk.hash for chunk in APPROVED.chunks]) == APPROVED.hash


def test_an_expiry_is_the_same_instant_in_any_zone() -> None:
    beijing = red().expires
    assert beijing is not None
    elsewhere = red(expires=beijing.astimezone(UTC))
    assert make_plan(elsewhere, CROWD, frame()).header_hash == APPROVED.header_hash


def test_a_member_is_hashed_by_who_it_is_and_not_by_the_order_hint() -> None:
    assert isinstance(CROWD.members[0], Member)
    assert make_plan(red(), _first(CROWD, order=0), frame()).hash == APPROVED.hash

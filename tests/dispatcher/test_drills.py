"""A field drill tells whoever is listed, sounds where it was agreed, and nobody and nowhere else: decided by the service."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from dispatcher.drills import NO_CONSENT, NOT_IN_DRILL, Consent, Drills, Stage
from dispatcher.model import Channel, Member, Status, Target, TargetKind, Why
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.preview import preview
from dispatcher.planning import Plan, make_plan
from dispatcher.registry import sample
from dispatcher.registry.importing import put
from dispatcher.settings import BadConfiguration, load
from dispatcher.store import chunks, deliveries, ledger, warnings
from dispatcher.store.chunks import Holder
from dispatcher.store.packing import FrozenRow, unpack
from tests.city import NOW, Clock, both, cap, frame, gateways, named, people, red
from tests.dispatcher.test_accept import sent_in
from tests.jian import CONFIG

TOWN, COUNTY = "360827102", "360827"
TODAY = date(2026, 4, 3)
"""In Ji'an, where the clock of the tests stands at 02:39."""
DRILL = {"status": "Exercise", "headline": "【演练】吉安市气象台发布暴雨红色预警"}


@pytest.fixture
def jian(jian: Context) -> Context:
    """With providers for drills on every channel: what is kept back is kept back by a list."""
    jian.drill_channels = frozenset(Channel)
    return jian


def agreed(code: str, until: date = TODAY) -> Consent:
    return Consent(township=code, by="书面同意", until=until)


def listed(jian: Context, people: Iterable[str] = (), consents: Iterable[Consent] = ()) -> None:
    """What drills.yaml says."""
    jian.settings = replace(jian.settings, drills=Drills(participants=tuple(people), consents=tuple(consents)))


async def in_town(jian: Context) -> list[str]:
    """Officers of 碧洲镇 who would be told."""
    register = await jian.register()
    return sorted({post.officer_id for post in register.posts if post.area_code.startswith(TOWN)})


async def frozen(jian: Context, body: bytes, source: str = "drill") -> list[FrozenRow]:
    """Every row of the plan of an accepted message."""
    answer = await sent_in(jian, body, source=source)
    assert answer.warning_id, answer.reason
    async with jian.store.read() as tx:
        return [row for _, packed in await ledger.frozen(tx, answer.warning_id) for row in unpack(packed)]


def sent(rows: Iterable[FrozenRow]) -> set[str]:
    return {row.target for row in rows if not row.suppressed}


async def test_while_nobody_is_listed_a_drill_tells_nobody_and_says_why_of_each(jian: Context) -> None:
    rows = await frozen(jian, cap(**DRILL))
    assert len(rows) > 8
    assert sent(rows) == set()
    for row in rows:
        machine = row.target.startswith(("gateway-", "endpoint-"))
        assert row.suppressed == (NO_CONSENT if machine else NOT_IN_DRILL), row


async def test_only_the_listed_are_told_and_listing_somebody_elsewhere_brings_nobody_in(jian: Context) -> None:
    here = (await in_town(jian))[0]
    listed(jian, [here, "JA99999", "JA00001"])
    assert sent(await frozen(jian, cap(**DRILL))) == {f"officer-{here}"}


@pytest.mark.parametrize(
    ("consents", "sounding"),
    [
        ([agreed(TOWN)], {f"gateway-GW{TOWN}"}),
        ([agreed(TOWN, TODAY - timedelta(days=1))], set()),
        ([agreed(TOWN, TODAY - timedelta(days=1)), agreed(TOWN)], {f"gateway-GW{TOWN}"}),
        ([agreed("360827103")], set()),
        ([agreed(COUNTY)], {f"endpoint-PE{COUNTY}"}),
        ([agreed(COUNTY, TODAY - timedelta(days=1))], set()),
        ([agreed(TOWN), agreed(COUNTY)], {f"gateway-GW{TOWN}", f"endpoint-PE{COUNTY}"}),
    ],
    ids=["agreed", "lapsed", "renewed", "a neighbour's", "the county's platform", "its lapsed", "both"],
)
async def test_a_loudspeaker_sounds_and_a_platform_is_told_only_with_its_own_consent_that_holds_today(
    jian: Context, consents: list[Consent], sounding: set[str]
) -> None:
    listed(jian, (), consents)
    assert sent(await frozen(jian, cap(**DRILL))) == sounding


async def test_a_consent_holds_through_its_last_day_in_jian(jian: Context, clock: Clock) -> None:
    listed(jian, (), [agreed(TOWN)])
    clock.at = NOW.replace(hour=15, minute=59)  # 23:59 in Ji'an, on the second
    assert jian.settings.drills.on(clock()).consents
    clock.at += timedelta(days=1)
    assert jian.settings.drills.on(clock()).consents
    clock.at += timedelta(minutes=1)
    assert not jian.settings.drills.on(clock()).consents


async def test_what_is_real_is_limited_by_no_list(jian: Context) -> None:
    rows = await frozen(jian, cap(), source="city-weather")
    assert {row.suppressed for row in rows} == {""}


@pytest.mark.parametrize("stage", [Stage.DESK, Stage.TRAINING])
async def test_on_a_stage_where_nothing_leaves_the_machine_everybody_is_told(jian: Context, stage: Stage) -> None:
    jian.settings = replace(jian.settings, stage=stage)
    assert {row.suppressed for row in await frozen(jian, cap(**DRILL))} == {""}


def test_no_file_and_no_variable_can_say_that_a_service_stands_on_a_stage() -> None:
    assert load({"MINGLUO_STAGE": "desk", "MINGLUO_DRILLS__PARTICIPANTS": "[]"}).stage is Stage.FIELD
    with pytest.raises(BadConfiguration, match="stage"):
        load({"MINGLUO_SERVICE__STAGE": "desk"})


async def test_residents_and_offices_are_never_told_in_the_field(jian: Context) -> None:
    wish = sample.Wish(gateways_at="http://127.0.0.1:9/g", endpoints_at="http://127.0.0.1:9/p", residents=9_000)
    await put(jian.store, jian.seal, sample.make(CONFIG / "jian", wish))
    register = await jian.register()
    listed(jian, [*register.officers, *register.offices, "1", "2"])
    rows = await frozen(jian, cap(**DRILL))
    assert {row.target.partition("-")[0] for row in rows if row.suppressed == NOT_IN_DRILL} >= {"resident"}
    assert {name.partition("-")[0] for name in sent(rows)} == {"officer"}


async def test_a_call_off_goes_to_whoever_heard_the_drill_although_nothing_is_listed_any_more(jian: Context) -> None:
    """It only stops what sounds; and a drill that nobody ends is worse than one message more."""
    here = (await in_town(jian))[0]
    listed(jian, [here], [agreed(TOWN)])
    await sent_in(jian, cap(**DRILL), source="drill")
    for channel in ("sms", "broadcast"):
        async with jian.store.begin() as tx:
            holder = Holder(node="test", epoch=1)
            chunk = await chunks.take(tx, channel, holder, drill=True)
            assert chunk is not None
            rows = await deliveries.plan(tx, chunk, unpack(chunk.packed), 1, None)
        assert len(rows) == 1
        await deliveries.group_commit(jian.store, holder, {chunk.id: chunk.size}, [])
    listed(jian)
    off = cap(
        "off",
        NOW + timedelta(minutes=1),
        "Cancel",
        status="Exercise",
        references=named("36080041600000_20260403023900"),
    )
    assert sent(await frozen(jian, off)) == {f"officer-{here}", f"gateway-GW{TOWN}"}


def bared(plan: Plan) -> dict[str, str]:
    return {row.target: row.suppressed for chunk in plan.chunks for row in unpack(chunk.packed)}


def test_a_gateway_that_stands_in_for_others_needs_the_consent_of_every_township_it_would_sound_in() -> None:
    across = structs.replace(gateways(1).members[0], areas=("360827102200", "360827103200"), township=COUNTY)
    drill = red(status=Status.EXERCISE)
    for codes, why in (
        ((TOWN, "360827103"), ""),
        ((TOWN,), NO_CONSENT),
        ((COUNTY,), NO_CONSENT),
        ((), NO_CONSENT),
    ):
        limit = Drills(consents=tuple(map(agreed, codes))).on(NOW)
        plan = make_plan(drill, replace(people(0), members=(across,)), replace(frame(), limit=limit))
        assert list(bared(plan).values()) == [why], codes


def test_a_gateway_that_names_no_village_stays_silent() -> None:
    nowhere = Member(
        target=Target(kind=TargetKind.GATEWAY, id="GW1"),
        channel=Channel.BROADCAST,
        why=Why.GATEWAY_COVERS,
        township=TOWN,
    )
    assert Drills(consents=(agreed(TOWN),)).on(NOW).bars(nowhere) == NO_CONSENT


def test_another_list_is_another_plan_so_that_what_was_approved_can_be_proven() -> None:
    crowd, drill = both(people(3), gateways(1)), red(status=Status.EXERCISE)
    limits = [Drills(participants=names).on(NOW) for names in ((), ("JA00001",), ("JA00002",))]
    assert len({make_plan(drill, crowd, replace(frame(), limit=limit)).hash for limit in limits}) == 3


async def test_the_preview_counts_whom_a_drill_tells_and_whom_not_as_the_plan_does(jian: Context) -> None:
    wish = sample.Wish(gateways_at="http://127.0.0.1:9/g", endpoints_at="http://127.0.0.1:9/p", residents=9_000)
    await put(jian.store, jian.seal, sample.make(CONFIG / "jian", wish))
    here = (await in_town(jian))[:2]
    listed(jian, here, [agreed(COUNTY)])
    seen = await preview(jian, cap(**DRILL), "application/cap+xml", jian.settings.sources["drill"])
    answer = await sent_in(jian, cap(**DRILL), source="drill")
    async with jian.store.read() as tx:
        kept = await warnings.one(tx, answer.warning_id)
    assert kept is not None
    planned = kept.plan["channels"]
    assert seen.residents > 1
    assert seen.channels["sms"]["targets"] == 2
    assert seen.channels["sms"]["not_sent"] == {NOT_IN_DRILL: planned["sms"] - 2}
    assert seen.channels["broadcast"]["targets"] == 0
    assert seen.channels["broadcast"]["suppressed"] == NO_CONSENT
    assert seen.channels["party"] == {"targets": 1, "rate": 50.0, "eta_s": 0.0}
    assert kept.plan["suppressed"] == {NOT_IN_DRILL: planned["sms"] - 2, NO_CONSENT: planned["broadcast"]}


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ('consents: [{township: "36082710", by: 某人, until: 2026-06-30}]', "consents.0.township"),
        ('consents: [{township: "360827102", until: 2026-06-30}]', "consents.0.by"),
        ('consents: [{township: "360827102", by: 某人, until: 明年}]', "consents.0.until"),
        ("participant: [JA00001]", "participant"),
    ],
)
def test_a_fault_in_the_list_stops_the_start_with_file_and_line(tmp_path: Path, wrong: str, key: str) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    for path in CONFIG.glob("*.yaml"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "drills.yaml").write_text(f"# 名单\n{wrong}\n", encoding="utf-8")
    with pytest.raises(BadConfiguration, match=rf"drills\.yaml:2: {key}"):
        load({"MINGLUO_CONFIG": str(folder)})
    (folder / "drills.yaml").unlink()
    assert load({"MINGLUO_CONFIG": str(folder)}).drills == Drills()

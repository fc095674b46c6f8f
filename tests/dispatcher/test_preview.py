"""Who would be told, and why somebody would not: without writing a line."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dispatcher.drills import Stage
from dispatcher.model import Channel, Code, Target, Verdict, Why
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.explain import explain
from dispatcher.pipeline.preview import preview
from dispatcher.registry import sample
from dispatcher.registry.importing import put
from dispatcher.store import chunks, deliveries, warnings
from dispatcher.store.chunks import Holder
from dispatcher.store.packing import unpack
from tests.city import NOW, cap, named
from tests.dispatcher.test_accept import sent_in
from tests.jian import CONFIG

CN = Path(__file__).parent.parent / "cap"
EXPECTED = {alert["file"]: alert for alert in json.loads((CN / "expected.json").read_text(encoding="utf-8"))["alerts"]}


async def test_every_file_of_the_chinese_profile_previews_exactly_its_villages(jian: Context) -> None:
    for name, expected in EXPECTED.items():
        seen = await preview(jian, (CN / name).read_bytes(), "application/cap+xml", None)
        digest = hashlib.sha256(",".join(seen.villages).encode()).hexdigest()
        assert digest == expected["expected_villages_sha256"], name
        assert seen.officers > 0, name


async def test_a_preview_writes_nothing(jian: Context) -> None:
    seen = await preview(jian, cap(), "application/cap+xml", jian.settings.sources["city-weather"])
    assert (seen.verdict, seen.level, seen.hazard) == (Verdict.ACCEPT, "red", "暴雨")
    assert seen.channels["sms"]["targets"] == seen.officers + seen.offices + seen.residents
    assert any("碧洲镇" in text for text in seen.texts)
    async with jian.store.read() as tx:
        assert await warnings.latest(tx) == []


@pytest.mark.long
async def test_a_preview_counts_what_an_acceptance_plans(jian: Context) -> None:
    wish = sample.Wish(gateways_at="http://127.0.0.1:9/g", endpoints_at="http://127.0.0.1:9/p", residents=9_000)
    await put(jian.store, jian.seal, sample.make(CONFIG / "jian", wish))
    seen = await preview(jian, cap(), "application/cap+xml", jian.settings.sources["city-weather"])
    answer = await sent_in(jian, cap())
    async with jian.store.read() as tx:
        kept = await warnings.one(tx, answer.warning_id)
    assert kept is not None
    assert seen.residents > 1
    assert {name: one["targets"] for name, one in seen.channels.items()} == kept.plan["channels"]
    assert seen.reasons == {Why(int(why)).chinese: number for why, number in kept.plan["reasons"].items()}


async def test_a_drill_is_previewed_by_the_channels_that_have_a_provider_for_drills(jian: Context) -> None:
    source = jian.settings.sources["drill"]
    nowhere = await preview(jian, cap(status="Exercise"), "application/cap+xml", source)
    assert nowhere.drill
    assert {name: one["targets"] for name, one in nowhere.channels.items()} == dict.fromkeys(nowhere.channels, 0)
    assert {one["suppressed"] for one in nowhere.channels.values()} == {"no_drill_provider"}
    at_the_desk = replace(jian.settings, stage=Stage.DESK)
    by_sms = replace(jian, settings=at_the_desk, drill_channels=frozenset({Channel.SMS}))
    seen = await preview(by_sms, cap(status="Exercise"), "application/cap+xml", source)
    assert seen.channels["sms"]["targets"] == seen.officers + seen.offices + seen.residents
    assert seen.channels["sms"]["rate"] == jian.settings.channels[Channel.SMS]["aliyun_drill"]["rate"]
    assert seen.channels["broadcast"]["suppressed"] == "no_drill_provider"
    assert all(text.startswith("【演练】") and text.endswith("【演练】") for text in seen.texts)
    real = await preview(jian, cap(), "application/cap+xml", jian.settings.sources["city-weather"])
    assert not real.drill
    assert not any("suppressed" in one for one in real.channels.values())


async def test_a_drill_that_no_loudspeaker_hears_uses_up_no_number_of_theirs(jian: Context) -> None:
    for number, loud in enumerate((frozenset[Channel](), frozenset(Channel))):
        answer = await sent_in(replace(jian, drill_channels=loud), cap(f"D{number}", status="Exercise"), source="drill")
        async with jian.store.read() as tx:
            row = await warnings.one(tx, answer.warning_id)
        assert row is not None
        assert bool(row.broadcast_id) is bool(loud)


async def test_a_source_that_needs_a_person_is_shown_as_held(jian: Context) -> None:
    seen = await preview(jian, cap(), "application/cap+xml", jian.settings.sources["county-weather"])
    assert (seen.verdict, seen.code) == (Verdict.HOLD, Code.APPROVAL_MISSING)


async def test_bytes_nobody_can_read_are_a_verdict_too(jian: Context) -> None:
    seen = await preview(jian, b"<", "application/cap+xml", None)
    assert (seen.verdict, seen.code, seen.officers) == (Verdict.REJECT, Code.SCHEMA, 0)


async def test_whoever_is_told_can_be_told_why_and_whoever_is_not_why_not(jian: Context) -> None:
    answer = await sent_in(jian, cap())
    register = await jian.register()
    inside = next(post for post in register.posts if post.area_code.startswith("360827102") and post.post == "A")
    outside = next(post for post in register.posts if post.area_code.startswith("360881100"))
    told = await explain(jian, answer.warning_id, Target.parse(f"officer-{inside.officer_id}"))
    not_told = await explain(jian, answer.warning_id, Target.parse(f"officer-{outside.officer_id}"))
    assert not_told is not None
    assert told is not None
    assert told.told, told.reason
    assert "碧洲镇" in told.told[0].text
    assert (not_told.told, bool(not_told.reason)) == ((), True)


@pytest.mark.parametrize("warning_id", ["", "nothing"])
async def test_a_warning_nobody_knows_has_no_story(jian: Context, warning_id: str) -> None:
    assert await explain(jian, warning_id, Target.parse("officer-JA00001")) is None


async def test_a_yellow_by_night_is_shown_as_waiting_at_the_loudspeakers(jian: Context) -> None:
    body, night = cap(severity="Moderate", headline="吉安市气象台发布暴雨黄色预警"), NOW  # 02:39
    seen = await preview(jian, body, "application/cap+xml", None, night)
    assert seen.channels["broadcast"]["waits_until"] == "2026-04-03T06:00:00+08:00"
    assert "waits_until" not in seen.channels["sms"]
    by_day = await preview(jian, body, "application/cap+xml", None, NOW + timedelta(hours=4))
    assert "waits_until" not in by_day.channels["broadcast"]


async def test_a_cancel_is_previewed_to_whoever_may_have_heard(jian: Context) -> None:
    alert = await sent_in(jian, cap())
    async with jian.store.begin() as tx:
        holder = Holder(node="test", epoch=1)
        chunk = await chunks.take(tx, "broadcast", holder)
        assert chunk is not None
        rows = await deliveries.plan(tx, chunk, unpack(chunk.packed), 1, None)
    await deliveries.group_commit(jian.store, holder, {chunk.id: chunk.size}, [])
    cancel = cap("C1", NOW + timedelta(minutes=1), kind="Cancel", references=named("36080041600000_20260403023900"))
    seen = await preview(jian, cancel, "application/cap+xml", jian.settings.sources["city-weather"])
    assert seen.channels["broadcast"]["targets"] == seen.gateways == len(rows) > 0
    assert seen.officers == 0, "none of them was told"
    assert seen.villages
    assert alert.warning_id
    assert seen.texts
    assert all("吉安市气象台" in text and "36080041600000" not in text for text in seen.texts), (
        "a code tells nobody who speaks"
    )

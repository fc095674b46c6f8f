"""The pipeline's first verb, by its own door, with the sample Ji'an in a real database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from dispatcher.model import Code, Verdict
from dispatcher.pipeline.accept import Answer, Incoming, accept
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.withdraw import expire_due
from dispatcher.states import DeliveryState, WarningState
from dispatcher.store import chunks, events, ledger, rejects, warnings
from dispatcher.store.packing import plan_hash
from dispatcher.store.sealed import Seal
from tests.city import NOW, Clock, cap, named, settings

SEAL = Seal(bytes(32))


async def sent_in(jian: Context, body: bytes, source: str = "city-weather", door: str = "amqp") -> Answer:
    return await accept(jian, Incoming(door=door, source=source, content_type="application/cap+xml", body=body))


async def test_a_trusted_red_is_approved_with_its_plan_frozen_and_hashed(jian: Context) -> None:
    answer = await sent_in(jian, cap())
    assert (answer.verdict, answer.state) == (Verdict.ACCEPT, WarningState.APPROVED)
    async with jian.store.read() as tx:
        row = await warnings.one(tx, answer.warning_id)
        assert row is not None
        counted = await ledger.counts(tx, row.id)
        hashes = await chunks.hashes(tx, row.id)
        told = [event.kind for event in await events.of_warning(tx, row.id)]
    assert {count.state for count in counted} == {DeliveryState.PLANNED}
    assert sum(count.rows for count in counted) == row.rows_planned > 8
    assert {count.channel for count in counted} == {"sms", "broadcast", "party"}
    assert plan_hash(row.header_hash, hashes) == row.plan_hash
    assert told == ["warning.accepted", "warning.approved"]


async def test_the_same_message_through_two_doors_at_once_is_one_warning(jian: Context) -> None:
    answers = await asyncio.gather(
        *(sent_in(jian, cap(), door=door) for door in ("amqp", "http", "cli", "amqp", "http"))
    )
    assert len({answer.warning_id for answer in answers}) == 1
    assert [answer.repeated for answer in answers].count(False) == 1
    async with jian.store.read() as tx:
        assert len(await warnings.latest(tx)) == 1


async def test_a_source_bound_to_a_user_of_the_broker_speaks_by_no_other(jian: Context) -> None:
    jian.settings = settings(MINGLUO_AMQP_USER_COUNTY_WEATHER="county")
    given = Incoming(door="amqp", source="county-weather", content_type="application/cap+xml", body=cap())
    for user in ("", "guest", "County"):
        answer = await accept(jian, replace(given, user_id=user))
        assert (answer.verdict, answer.code) == (Verdict.REJECT, Code.SIGNATURE)
        assert "RabbitMQ 用户 county" in answer.reason
    assert (await accept(jian, replace(given, user_id="county"))).verdict is Verdict.HOLD
    assert (await accept(jian, replace(given, source="city-weather"))).verdict is Verdict.ACCEPT


async def test_the_same_identity_with_other_content_is_refused_and_put_on_record(jian: Context) -> None:
    first = await sent_in(jian, cap())
    second = await sent_in(jian, cap(area="360827103000"))
    assert (second.verdict, second.code, second.content_conflict) == (Verdict.REJECT, Code.DUPLICATE_CONFLICT, True)
    async with jian.store.read() as tx:
        kept = await rejects.latest(tx)
        row = await warnings.one(tx, first.warning_id)
    assert [reject.raw for reject in kept] == [cap(area="360827103000")]
    assert row is not None
    assert row.state == WarningState.APPROVED


async def test_a_source_not_trusted_waits_for_a_person(jian: Context) -> None:
    answer = await sent_in(jian, cap(), source="county-weather")
    assert (answer.verdict, answer.code, answer.state) == (Verdict.HOLD, Code.APPROVAL_MISSING, WarningState.HELD)
    async with jian.store.read() as tx:
        assert await ledger.counts(tx, answer.warning_id) == []


@pytest.mark.parametrize(
    ("source", "door"), [("nobody", "amqp"), ("city-weather", "gopher")], ids=["unknown source", "door not allowed"]
)
async def test_whoever_may_not_speak_is_refused(jian: Context, source: str, door: str) -> None:
    answer = await sent_in(jian, cap(), source=source, door=door)
    assert (answer.verdict, answer.code) == (Verdict.REJECT, Code.SIGNATURE)


async def test_what_has_no_area_is_held_and_never_becomes_everyone(jian: Context) -> None:
    answer = await sent_in(jian, cap(area="360827999000"))
    assert answer.verdict is not Verdict.ACCEPT
    assert answer.code in (Code.AREA_UNRESOLVED, Code.OUTSIDE_AUTHORITY)


async def test_an_update_supersedes_what_it_names(jian: Context) -> None:
    first = await sent_in(jian, cap())
    later = NOW + timedelta(minutes=2)
    second = await sent_in(jian, cap("U1", later, kind="Update", references=named("36080041600000_20260403023900")))
    assert second.state is WarningState.APPROVED
    async with jian.store.read() as tx:
        before = await warnings.one(tx, first.warning_id)
        after = await warnings.one(tx, second.warning_id)
    assert before is not None
    assert after is not None
    assert (before.state, before.ended_by, after.chain_id) == (WarningState.SUPERSEDED, after.id, before.id)


async def test_a_cancel_goes_only_to_whoever_may_have_heard(jian: Context) -> None:
    first = await sent_in(jian, cap())
    cancel = await sent_in(
        jian, cap("C1", NOW + timedelta(minutes=1), kind="Cancel", references=named("36080041600000_20260403023900"))
    )
    assert cancel.state is WarningState.APPROVED
    async with jian.store.read() as tx:
        before = await warnings.one(tx, first.warning_id)
        after = await warnings.one(tx, cancel.warning_id)
    assert before is not None
    assert after is not None
    assert before.state == WarningState.CANCELLED
    assert after.rows_planned == 0  # nothing had left yet


async def test_a_cancel_that_comes_first_keeps_its_alert_from_being_sent(jian: Context) -> None:
    tombstone = await sent_in(jian, cap("C1", NOW, kind="Cancel", references=named("36080041600000_20260403023900")))
    late = await sent_in(jian, cap())
    assert (tombstone.state, late.state) == (WarningState.RECEIVED, WarningState.CANCELLED)
    async with jian.store.read() as tx:
        assert await ledger.counts(tx, late.warning_id) == []


async def test_an_update_that_comes_first_is_issued_and_its_late_alert_is_superseded(jian: Context) -> None:
    update = await sent_in(
        jian, cap("U1", NOW + timedelta(minutes=1), kind="Update", references=named("36080041600000_20260403023900"))
    )
    late = await sent_in(jian, cap())
    assert (update.state, late.state) == (WarningState.APPROVED, WarningState.SUPERSEDED)


async def test_a_test_message_is_recorded_and_goes_no_further(jian: Context) -> None:
    answer = await sent_in(jian, cap(status="Test"))
    assert answer.state is WarningState.RECEIVED


async def test_a_warning_runs_out_and_its_unsent_rows_with_it(jian: Context, clock: Clock) -> None:
    answer = await sent_in(jian, cap())
    clock.pass_(hours=7)
    assert await expire_due(jian) == [answer.warning_id]
    assert await expire_due(jian) == []


async def test_hostile_bytes_are_refused_kept_and_leave_the_next_message_unharmed(jian: Context) -> None:
    for body in (b"", b"\x00" * 10, b"<a/>", b"{", cap()[:200], cap().replace(b"<alert", b"<!DOCTYPE x><alert")):
        answer = await sent_in(jian, body)
        assert answer.verdict is Verdict.REJECT
        assert answer.code is not None
        assert answer.reason
    assert (await sent_in(jian, cap())).verdict is Verdict.ACCEPT
    async with jian.store.read() as tx:
        assert len(await rejects.latest(tx)) == 6


async def test_a_signed_source_without_a_signature_is_refused(jian: Context) -> None:
    source = jian.settings.sources["city-weather"].model_copy(update={"signed": True, "secret": None})
    signed = replace(jian.settings, sources={**jian.settings.sources, "city-weather": source})
    answer = await sent_in(replace(jian, settings=signed), cap())
    assert (answer.verdict, answer.code) == (Verdict.REJECT, Code.SIGNATURE)


async def test_a_drill_never_touches_what_is_real(jian: Context) -> None:
    alert = await sent_in(jian, cap())
    about = named("36080041600000_20260403023900")
    for kind in ("Cancel", "Update"):
        body = cap(f"D-{kind}", kind=kind, references=about, status="Exercise", headline="【演练】暴雨红色预警【演练】")
        answer = await sent_in(jian, body, source="drill")
        assert (answer.verdict, answer.code) == (Verdict.REJECT, Code.DRILL_MIXED)
    async with jian.store.read() as tx:
        row = await warnings.one(tx, alert.warning_id)
    assert row is not None
    assert row.state == WarningState.APPROVED


@pytest.mark.parametrize(
    ("kind", "source", "status"),
    [
        ("Cancel", "county-weather", "Actual"),
        ("Update", "county-weather", "Actual"),
        ("Update", "city-weather", "Test"),
    ],
)
async def test_what_waits_for_a_person_or_only_tests_silences_no_later_alert(
    jian: Context, kind: str, source: str, status: str
) -> None:
    first = cap("X1", kind=kind, references=named("36080041600000_20260403023900"), status=status)
    assert (await sent_in(jian, first, source=source)).state is not WarningState.APPROVED
    assert (await sent_in(jian, cap())).state is WarningState.APPROVED


async def test_a_source_calls_off_nothing_outside_its_area(jian: Context) -> None:
    alert = await sent_in(jian, cap())
    narrow = jian.settings.sources["city-weather"].model_copy(update={"area_prefixes": ("360881",)})
    jian.settings = replace(jian.settings, sources={**jian.settings.sources, "narrow": narrow})
    body = cap("C1", kind="Cancel", references=named("36080041600000_20260403023900"))
    answer = await sent_in(jian, body, source="narrow")
    assert (answer.verdict, answer.code) == (Verdict.REJECT, Code.OUTSIDE_AUTHORITY)
    async with jian.store.read() as tx:
        row = await warnings.one(tx, alert.warning_id)
    assert row is not None
    assert row.state == WarningState.APPROVED


async def test_the_same_message_from_a_trusted_source_does_not_wait_behind_an_untrusted_copy(jian: Context) -> None:
    waiting = await sent_in(jian, cap(), source="county-weather")
    genuine = await sent_in(jian, cap())
    assert (genuine.verdict, genuine.state, genuine.repeated) == (Verdict.ACCEPT, WarningState.APPROVED, False)
    assert (await sent_in(jian, cap())).warning_id == genuine.warning_id
    assert (await sent_in(jian, cap(), source="county-weather")).warning_id == genuine.warning_id
    async with jian.store.read() as tx:
        row = await warnings.one(tx, waiting.warning_id)
        told = [event.kind for event in await events.of_warning(tx, waiting.warning_id)]
    assert row is not None
    assert row.state == WarningState.REJECTED
    assert told == ["warning.held", "warning.rejected"]


async def test_what_an_untrusted_source_sent_under_a_trusted_ones_identity_keeps_nobody_out(jian: Context) -> None:
    forged = await sent_in(jian, cap(area="360827103000"), source="county-weather")
    assert forged.state is WarningState.HELD
    assert (await sent_in(jian, cap())).state is WarningState.APPROVED
    late = await sent_in(jian, cap(area="360827103000"), source="county-weather")
    assert (late.verdict, late.code) == (Verdict.REJECT, Code.DUPLICATE_CONFLICT)


async def test_a_drill_does_not_take_the_place_of_what_is_real_and_waits(jian: Context) -> None:
    await sent_in(jian, cap(), source="county-weather")
    drill = await sent_in(jian, cap(status="Exercise"), source="drill")
    assert (drill.verdict, drill.code) == (Verdict.REJECT, Code.DUPLICATE_CONFLICT)


async def test_a_cancel_that_comes_after_its_own_expiry_still_reaches_everybody(jian: Context, clock: Clock) -> None:
    alert = await sent_in(jian, cap())
    body = cap("C1", NOW, references=named("36080041600000_20260403023900")).replace(b">Alert<", b">Cancel<")
    clock.pass_(hours=5, minutes=59)
    async with jian.store.begin() as tx:
        assert await warnings.move(tx, alert.warning_id, WarningState.DISPATCHING)
    clock.pass_(minutes=2)
    cancel = await sent_in(jian, body)
    assert cancel.state is WarningState.APPROVED
    assert cancel.warning_id not in await expire_due(jian)


@pytest.mark.parametrize("field", ["source", "content_type"])
async def test_a_byte_no_database_takes_refuses_its_message_and_leaves_the_next_unharmed(
    jian: Context, field: str
) -> None:
    bad = replace(
        Incoming(door="amqp", source="nobody", content_type="text/plain", body=b"junk"), **{field: "a\0b\ud800"}
    )
    answer = await accept(jian, bad)
    assert answer.verdict is Verdict.REJECT
    assert (await sent_in(jian, cap())).state is WarningState.APPROVED
    async with jian.store.read() as tx:
        assert [reject.raw for reject in await rejects.latest(tx)] == [b"junk"]

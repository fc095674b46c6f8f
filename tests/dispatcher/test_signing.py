"""What was approved is what is sent: whatever is changed behind the signature, nothing leaves, and it is said what it was."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from channels.contract import TryAgain
from dispatcher.model import Why
from dispatcher.pipeline.accept import Incoming, accept
from dispatcher.pipeline.approve import approve
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.persons import Hindrance, NotDone
from dispatcher.planning import make_plan
from dispatcher.signing import WORDINGS, Act, differences, facts_of, in_words, released, reworded, wordings_of
from dispatcher.states import DeliveryState, WarningState
from dispatcher.store import audit, chunks, deliveries, events, ledger, nodes, warnings
from dispatcher.store.audit import Entry
from dispatcher.store.chunks import Holder, NewChunk, Shape
from dispatcher.store.engine import Store
from dispatcher.store.events import Event
from dispatcher.store.packing import FrozenRow, digest, pack, unpack
from dispatcher.store.signatures import Signature
from dispatcher.store.tables import deliveries as deliveries_table
from dispatcher.store.warnings import WarningRow
from tests.city import NOW, Clock, Provider, both, frame, gateways, people, red, row_as_kept
from tests.city import released as released_plan
from tests.dispatcher.desk import leader, officer, row_of, submitted, written
from tests.dispatcher.test_sending_dispatch import all_in, counts, dispatching, until

ON_WARNINGS = {
    "kind": "kind = 'Update'",
    "status": "status = 'Exercise'",
    "scope": "scope = 'Restricted'",
    "drill": "drill = NOT drill",
    "trusted": "trusted = NOT trusted",
    "event": "event = '台风'",
    "level": "level = 'blue'",
    "headline": "headline = '别的标题'",
    "sender": "sender = '36010041600000'",
    "identifier": "identifier = 'X'",
    "broadcast_id": "broadcast_id = '33608000000000101010101202604030001'",
    "plan_hash": "plan_hash = header_hash",
    "header_hash": "header_hash = plan_hash",
}
IN_JSON = {
    "description": ("message", "description", "没有事"),
    "instruction": ("message", "instruction", "回家睡觉"),
    "sender_name": ("message", "sender_name", "某单位"),
    "hazard's code": ("message", "hazard", {"scheme": "NERP", "code": "11A01", "name": "暴雨"}),
    "by night": ("message", "sound_at_night", True),
    "villages": ("area", "villages", ["360827102200"]),
    "touched": ("area", "touched", []),
    "channels": ("plan", "channels", {"sms": 5}),
    "earlier": ("plan", "earlier", ["33608000000000101010101202604030009"]),
}
ELSEWHERE = {
    "a text": "UPDATE texts SET body = '大家回家睡觉' WHERE warning_id = :w AND no = 0",
    "a text's channel": "UPDATE texts SET channel = 'party' WHERE warning_id = :w AND no = 0",
    "a text's length": "UPDATE texts SET segments = segments + 1 WHERE warning_id = :w AND no = 0",
    "a text that is gone": "DELETE FROM texts WHERE warning_id = :w AND no = 0",
    "one text more": "INSERT INTO texts (warning_id, no, channel, body, segments) VALUES (:w, 99, 'sms', '多一条', 1)",
    "a chunk's hash": "UPDATE chunks SET hash = 'x' WHERE warning_id = :w AND channel = 'sms'",
    "a chunk's channel": "UPDATE chunks SET channel = 'party' WHERE warning_id = :w AND channel = 'sms'",
    "a chunk that is gone": "DELETE FROM chunks WHERE warning_id = :w AND channel = 'broadcast'",
}
REFUSED = {"warning.plan_changed", "warning.row_refused", "warning.unsigned", "warning.drill_mixed"}


async def kept(store: Store) -> WarningRow:
    return await released_plan(store, red(), both(people(5), gateways(2)))


async def run(store: Store, statement: str, **values: Any) -> None:
    async with store.begin() as tx:
        await tx.execute(text(statement), values)


async def refusals(store: Store) -> list[Entry]:
    async with store.read() as tx:
        return [one for one in await audit.newest(tx, 50) if one.action in REFUSED]


async def nothing_leaves(store: Store, warning_id: str) -> list[Entry]:
    """A sender with a provider for every channel finds it; returns what the log says."""
    sms, loud, party = Provider(), Provider(), Provider()
    async with dispatching(store, Clock(), sms=sms, broadcast=loud, party=party, drill_sms=sms, drill_broadcast=loud):
        await until(lambda: _ended(store, warning_id))
    assert (sms.got, loud.got, party.got) == ([], [], [])
    found = await refusals(store)
    assert found
    assert {one.subject for one in found} == {warning_id}
    return found


async def _ended(store: Store, warning_id: str) -> bool:
    async with store.read() as tx:
        unopened, unclosed = await chunks.unfinished(tx, warning_id)
    states = await counts(store, warning_id)
    return not unopened and not unclosed and DeliveryState.PLANNED not in states and DeliveryState.SENT not in states


def said(found: list[Entry]) -> list[dict[str, str]]:
    every: list[dict[str, str]] = json.loads(found[0].detail)["changed"]
    return every


# ── each field, by SQL ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("field", ON_WARNINGS)
async def test_a_column_changed_after_the_approval_lets_nothing_leave(store: Store, field: str) -> None:
    warning = await kept(store)
    await run(store, f"UPDATE warnings SET {ON_WARNINGS[field]} WHERE id = :w", w=warning.id)
    await nothing_leaves(store, warning.id)


@pytest.mark.parametrize("field", ["sent", "expires"])
async def test_a_time_changed_after_the_approval_lets_nothing_leave(store: Store, field: str) -> None:
    warning = await kept(store)
    other = NOW + timedelta(hours=12)
    value = other if store.dialect == "postgresql" else other.isoformat(sep=" ").replace("+00:00", ".000000")
    await run(store, f"UPDATE warnings SET {field} = :v WHERE id = :w", v=value, w=warning.id)
    words = said(await nothing_leaves(store, warning.id))
    assert [one["what"] for one in words] == [{"sent": "发布时间", "expires": "有效期"}[field]]


@pytest.mark.parametrize("name", IN_JSON)
async def test_what_stands_inside_a_column_changed_lets_nothing_leave(store: Store, name: str) -> None:
    column, key, value = IN_JSON[name]
    warning = await kept(store)
    whole = json.dumps({**getattr(warning, column), key: value}, ensure_ascii=False)
    cast = "CAST(:v AS json)" if store.dialect == "postgresql" else ":v"
    await run(store, f"UPDATE warnings SET {column} = {cast} WHERE id = :w", v=whole, w=warning.id)
    await nothing_leaves(store, warning.id)


@pytest.mark.parametrize("what", ELSEWHERE)
async def test_a_text_or_a_chunk_changed_lets_nothing_leave(store: Store, what: str) -> None:
    warning = await kept(store)
    await run(store, ELSEWHERE[what], w=warning.id)
    await nothing_leaves(store, warning.id)


async def test_another_list_of_people_under_the_same_hash_lets_nothing_of_it_leave(store: Store) -> None:
    warning = await released_plan(store, red(), people(3))
    blob = pack([FrozenRow("officer-JA99999", int(Why.VILLAGE_POST), 0, "360827102")] * 3)
    await run(store, "UPDATE chunks SET packed = :b WHERE warning_id = :w", b=blob, w=warning.id)
    sms = Provider()
    async with dispatching(store, Clock(), sms=sms):
        await until(lambda: _told(store))
    assert sms.got == []


async def _told(store: Store) -> bool:
    return bool(await refusals(store))


async def test_the_log_says_in_words_what_was_signed_and_what_stands_there_now(store: Store) -> None:
    warning = await kept(store)
    await run(store, "UPDATE warnings SET headline = '别的标题', level = 'blue' WHERE id = :w", w=warning.id)
    words = said(await nothing_leaves(store, warning.id))
    assert {"what": "标题", "was": warning.headline, "now": "别的标题"} in words
    assert {"what": "级别", "was": "red", "now": "blue"} in words


async def test_a_text_that_was_changed_stands_beside_what_the_message_says(store: Store) -> None:
    warning = await kept(store)
    await run(store, ELSEWHERE["a text"], w=warning.id)
    (only,) = said(await nothing_leaves(store, warning.id))
    assert only == {"what": "第 1 条文字", "was": warning.message["description"], "now": "大家回家睡觉"}


# ── a row that lies in the ledger until it is tried again ─────────────────────────────────────────────────────────────────────

IN_LEDGER = {
    "target": "target = 'officer-JA99999'",
    "text_no": "text_no = text_no + 1",
    "areas": "areas = '360827102'",
    "township": "township = '360827103'",
    "why": "why = why + 1",
    "round": "round = 1",
}


async def refused_row(store: Store, warning_id: str, sms: Provider) -> None:
    """Two of three reach the provider, the third is refused, and the log says so."""
    clock = Clock(NOW + timedelta(minutes=5))
    async with dispatching(store, clock, sms=sms):
        await until(all_in(store, warning_id, {DeliveryState.SENT: 2, DeliveryState.FAILED: 1}))
    (entry,) = await refusals(store)
    (only,) = json.loads(entry.detail)["changed"]
    assert (entry.action, only["what"]) == ("warning.row_refused", "台账中的一行")


@pytest.mark.parametrize("column", IN_LEDGER)
async def test_a_row_of_the_ledger_changed_before_it_is_tried_again_is_not_sent(store: Store, column: str) -> None:
    warning = await released_plan(store, red(), people(3))
    busy, sms = Provider(answer=lambda _: TryAgain(code="busy", reason="稍后")), Provider()
    async with dispatching(store, Clock(), sms=busy):
        await until(lambda: _waits(store, warning.id))
    await run(
        store, f"UPDATE deliveries SET {IN_LEDGER[column]} WHERE warning_id = :w AND target = :t", **first(warning)
    )
    await refused_row(store, warning.id, sms)
    assert len(sms.got) == 2


async def test_a_row_put_into_the_ledger_is_not_sent(store: Store) -> None:
    warning = await released_plan(store, red(), people(2))
    busy, sms = Provider(answer=lambda _: TryAgain(code="busy", reason="稍后")), Provider()
    async with dispatching(store, Clock(), sms=busy):
        await until(lambda: _waits(store, warning.id))
    others = ", ".join(one.name for one in deliveries_table.c if one.name != "target")
    await run(
        store,
        f"INSERT INTO deliveries (target, {others}) SELECT 'officer-JA99999', {others} FROM deliveries"
        " WHERE warning_id = :w AND target = :t",
        **first(warning),
    )
    await refused_row(store, warning.id, sms)
    assert {message.id.split(".")[1] for message in sms.got} == {"officer-JA00000", "officer-JA00001"}


@pytest.mark.parametrize("column", IN_LEDGER)
async def test_a_row_changed_while_the_service_lay_dead_is_not_sent(store: Store, column: str) -> None:
    warning = await released_plan(store, red(), people(3))
    async with store.begin() as tx:
        await nodes.enter(tx, "node-1", NOW)
        chunk = await chunks.take(tx, "sms", Holder(node="node-1", epoch=1))
        assert chunk is not None
        await deliveries.plan(tx, chunk, unpack(chunk.packed), 0, None)
        await warnings.move(tx, warning.id, WarningState.DISPATCHING)
    await run(
        store, f"UPDATE deliveries SET {IN_LEDGER[column]} WHERE warning_id = :w AND target = :t", **first(warning)
    )
    sms = Provider()
    await refused_row(store, warning.id, sms)
    assert len(sms.got) == 2


async def test_a_list_put_beside_those_that_were_signed_is_not_sent(store: Store) -> None:
    """Also one that looks like a chunk of retries, which no hash covers."""
    warning = await released_plan(store, red(), people(2))
    blob = pack([FrozenRow("officer-JA99999", int(Why.VILLAGE_POST), 0, "360827102")])
    forged = NewChunk(channel="sms", lane=0, seq=-1, size=1, packed=blob, hash=digest(blob))
    async with store.begin() as tx:
        await chunks.freeze(tx, warning.id, [forged])
        await chunks.release(tx, warning.id)
    sms = Provider()
    async with dispatching(store, Clock(), sms=sms):
        await until(lambda: _told(store))
        await until(all_in(store, warning.id, {DeliveryState.SENT: 2}))
    assert len(sms.got) == 2


def first(warning: WarningRow) -> dict[str, str]:
    return {"w": warning.id, "t": "officer-JA00001"}


async def _waits(store: Store, warning_id: str) -> bool:
    async with store.read() as tx:
        page = await ledger.page(tx, warning_id, None)
        return bool(page) and all(entry.due_at for entry in page)


# ── and what a state alone cannot do ────────────────────────────────────────────────────────────────────────────────────


async def test_what_sql_alone_called_approved_lets_nothing_leave(jian: Context) -> None:
    put = await submitted(jian, await officer(jian))
    await run(
        jian.store, "UPDATE warnings SET state = 'approved', released_at = received_at WHERE id = :w", w=put.warning_id
    )
    await run(jian.store, "UPDATE chunks SET state = 1 WHERE warning_id = :w", w=put.warning_id)
    found = await nothing_leaves(jian.store, put.warning_id)
    assert {one.action for one in found} == {"warning.unsigned"}


async def test_what_sql_alone_called_trusted_lets_nothing_leave(jian: Context) -> None:
    put = await submitted(jian, await officer(jian))
    await run(jian.store, "UPDATE warnings SET state = 'approved', trusted = TRUE WHERE id = :w", w=put.warning_id)
    await run(jian.store, "UPDATE chunks SET state = 1 WHERE warning_id = :w", w=put.warning_id)
    await nothing_leaves(jian.store, put.warning_id)


async def test_what_was_changed_before_it_was_signed_is_not_signed(jian: Context) -> None:
    other = await leader(jian)
    put = await submitted(jian, await officer(jian))
    await run(jian.store, "UPDATE warnings SET headline = '别的标题' WHERE id = :w", w=put.warning_id)
    with pytest.raises(NotDone) as stopped:
        await approve(jian, other, put.warning_id, plan_hash=put.plan_hash)
    assert stopped.value.hindrance is Hindrance.CHANGED
    assert "别的标题" in stopped.value.sentence


async def test_what_the_version_before_released_without_a_signature_still_leaves(store: Store) -> None:
    """In flight when the service was renewed: the record has that it was let go, by a source that may."""
    warning = await _unsigned(store)
    event = Event(
        kind="warning.approved", subject=warning.id, warning_id=warning.id, detail={"by": "直通：city-weather"}
    )
    async with store.begin() as tx:
        await events.record(tx, NOW, event, outward=True)
    sms = Provider()
    async with dispatching(store, Clock(), sms=sms):
        await until(all_in(store, warning.id, {DeliveryState.SENT: 3}))


async def test_without_a_signature_and_without_a_record_nothing_leaves(store: Store) -> None:
    warning = await _unsigned(store)
    found = await nothing_leaves(store, warning.id)
    assert {one.action for one in found} == {"warning.unsigned"}


async def _unsigned(store: Store) -> WarningRow:
    """As the version before left it."""
    message = red()
    plan = make_plan(message, people(3), frame())
    row = row_as_kept(message, plan)
    async with store.begin() as tx:
        await warnings.keep(tx, row, ())
        await warnings.keep_texts(tx, row.id, plan.texts)
        await chunks.freeze(tx, row.id, plan.chunks)
        await chunks.release(tx, row.id)
    return row


# ── the rule itself ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _signature(act: Act, account: str, plan_hash: str) -> Signature:
    return Signature(warning_id="w", at=NOW, account_id=account, act=act, plan_hash=plan_hash, detail={})


def test_a_signature_releases_its_own_plan_and_only_by_another_hand() -> None:
    row = replace(row_as_kept(red(), make_plan(red(), people(3), frame())), trusted=False)
    wrote = [_signature(Act.DRAFTED, "a", ""), _signature(Act.SUBMITTED, "b", row.plan_hash)]
    for act in (Act.APPROVED, Act.RELEASED, Act.TELEPHONE):
        assert released(row, [*wrote, _signature(act, "c", row.plan_hash)])
        assert not released(row, [*wrote, _signature(act, "a", row.plan_hash)])
        assert not released(row, [*wrote, _signature(act, "b", row.plan_hash)])
        assert not released(row, [*wrote, _signature(act, "", row.plan_hash)])
        assert not released(row, [*wrote, _signature(act, "c", "another")])
        assert not released(replace(row, plan_hash=""), [*wrote, _signature(act, "c", "")])
    assert not released(row, wrote)
    assert not released(row, [_signature(Act.TRUSTED, "", row.plan_hash)])
    assert not released(row, [_signature(Act.RETRACTED, "c", row.plan_hash)])
    assert released(replace(row, trusted=True), [_signature(Act.TRUSTED, "", row.plan_hash)])


def test_what_is_as_it_was_differs_in_nothing() -> None:
    plan = make_plan(red(), people(3), frame())
    row = row_as_kept(red(), plan)
    shapes = [Shape(one.channel, one.seq, one.size, one.hash) for one in plan.chunks]
    was = json.loads(json.dumps(facts_of(row, plan.texts, shapes)))
    assert differences(was, facts_of(row, plan.texts, shapes)) == []
    assert reworded({WORDINGS: wordings_of(plan.texts)}, plan.texts) == []
    assert in_words([]) != ""


# ── by AMQP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "changes",
    [{"level": "blue"}, {"description": "没有事。"}, {"headline": "别的暴雨黄色预警"}],
    ids=["level", "text", "headline"],
)
async def test_the_same_identity_with_other_words_by_amqp_changes_nothing_and_is_put_on_record(
    jian: Context, changes: dict[str, str]
) -> None:
    one, other = await officer(jian), await leader(jian)
    put = await submitted(jian, one)
    await approve(jian, other, put.warning_id, plan_hash=put.plan_hash)
    before = await row_of(jian, put.warning_id)
    body = written(**changes)
    for source in ("city-weather", "county-weather"):
        answer = await accept(jian, Incoming(door="amqp", source=source, content_type="application/json", body=body))
        assert answer.content_conflict
    assert await row_of(jian, put.warning_id) == before
    async with jian.store.read() as tx:
        refused = [one for one in await audit.newest(tx, 5) if one.action == "warning.rejected"]
    assert len(refused) == 2

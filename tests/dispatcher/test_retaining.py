"""What was kept long enough goes, in small steps, with a word in the log; what is in force or is evidence stays."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Table, event, func, insert, select, text, update

from dispatcher.pipeline import retain as retaining_step
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.retain import retain, retain_due
from dispatcher.settings import BadConfiguration
from dispatcher.store import retaining, uplinks
from dispatcher.store import tables as t
from dispatcher.store.engine import Store
from dispatcher.store.retaining import Kind, let_go
from dispatcher.store.sealed import Seal
from dispatcher.store.uplinks import Uplink
from tests.city import NOW, Clock, people, red, released, settings

SEAL = Seal(bytes(32))
DAYS = {
    Kind.REJECTED_BYTES: 180,
    Kind.UPLINKS: 180,
    Kind.TRACES: 90,
    Kind.FEED_ENTRIES: 90,
    Kind.OUTBOX: 30,
}


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def in_house(store: Store, clock: Clock | None = None) -> Context:
    return Context(settings=settings(), store=store, seal=SEAL, now=clock or Clock())


async def put(store: Store, table: Table, *rows: dict[str, Any]) -> None:
    async with store.begin() as tx:
        await tx.execute(insert(table), list(rows))


async def count(store: Store, table: Table, *where: Any) -> int:
    async with store.read() as tx:
        return int((await tx.execute(select(func.count()).select_from(table).where(*where))).scalar_one())


def attempt(warning_id: str, target: str, trace: str = "POST Messages.json") -> dict[str, Any]:
    return {
        "warning_id": warning_id, "target": target, "channel": "sms", "round": 0, "no": 1, "provider": "twilio",
        "started_at": NOW, "ended_at": NOW, "outcome": "refused", "code": "30003", "reason": "空号", "provider_ref": "",
        "possible_duplicate": False, "trace": trace,
    }  # fmt: skip


def question(warning_id: str, target: str) -> dict[str, Any]:
    return {
        "warning_id": warning_id, "channel": "broadcast", "target": target, "round": 0, "started_at": NOW,
        "ended_at": NOW, "code": "", "reason": "", "trace": "<EBD/>",
    }  # fmt: skip


def reject(number: int, days: float) -> dict[str, Any]:
    return {
        "id": f"{number:032x}", "at": ago(days), "source": "city-weather", "door": "http", "content_type": "text/plain",
        "raw": b"<alert>", "digest": "d", "code": 220, "reason": "220 读不懂", "findings": [],
    }  # fmt: skip


def entry(key: str, days: float, due: bool = False) -> dict[str, Any]:
    return {
        "source": "up", "key": key, "entry_id": key, "version": "1", "updated": ago(days), "href": "", "body": None,
        "outcome": "accept", "reason": "", "warning_id": "", "tries": 0, "seen_at": ago(days),
        "due_at": ago(days) if due else None, "fetched_at": None,
    }  # fmt: skip


def told(days: float, relayed: bool = True) -> dict[str, Any]:
    at = ago(days)
    return {"at": at, "kind": "warning.accepted", "subject": "w", "data": {}, "relayed_at": at if relayed else None}


async def heard(store: Store, *days: float) -> None:
    said = [
        Uplink(at=ago(one), channel="sms", provider="aliyun", number=f"{at}-{one}", phone="+8615400000001", text="收到",
               sent_at=None, dest_code="")
        for at, one in enumerate(days)
    ]  # fmt: skip
    async with store.begin() as tx:
        await uplinks.keep(tx, SEAL, said)


async def ended(store: Store, number: int, days: float) -> str:
    """A warning that ended so long ago, with traces."""
    row = await released(store, red(), people(2), number)
    async with store.begin() as tx:
        await tx.execute(
            update(t.warnings).where(t.warnings.c.id == row.id).values(state="expired", ended_at=ago(days))
        )
    await put(store, t.attempts, *(attempt(row.id, f"officer-JA0000{one}") for one in range(3)))
    await put(store, t.questions, question(row.id, "gateway-GW1"))
    return row.id


@pytest.mark.long
async def test_each_kind_goes_when_its_days_are_over_and_not_before(store: Store) -> None:
    await heard(store, 181, 179)
    await put(store, t.rejects, reject(1, 181), reject(2, 179))
    refused = {"content_type": "text/plain", "headers": {}, "body": b"<alert>"}
    await put(store, t.rejected, {**refused, "at": ago(181)}, {**refused, "at": ago(179)})
    await put(store, t.feed_entries, entry("old", 91), entry("young", 89), entry("waits", 91, due=True))
    await put(store, t.outbox, told(31), told(29))
    old, young = await ended(store, 1, 91), await ended(store, 2, 89)
    gone = await retain(in_house(store))
    assert gone == {Kind.REJECTED_BYTES: 2, Kind.UPLINKS: 1, Kind.TRACES: 4, Kind.FEED_ENTRIES: 1, Kind.OUTBOX: 1}
    assert await count(store, t.uplinks) == await count(store, t.outbox) == await count(store, t.rejected) == 1
    assert await count(store, t.feed_entries) == 2
    assert await count(store, t.rejects) == 2, "when, from whom and why it was refused stays"
    assert await count(store, t.rejects, func.length(t.rejects.c.raw) > 0) == 1
    for table, kept in ((t.attempts, 3), (t.questions, 1)):
        assert await count(store, table, table.c.trace != "", table.c.warning_id == old) == 0
        assert await count(store, table, table.c.trace != "", table.c.warning_id == young) == kept
    assert await count(store, t.attempts) == 6, "the tries themselves are evidence"
    assert await retain(in_house(store)) == {}


@pytest.mark.long
async def test_a_warning_in_force_keeps_everything_however_old(store: Store) -> None:
    row = await released(store, red(), people(2))
    await put(store, t.attempts, {**attempt(row.id, "officer-JA00000"), "started_at": ago(900), "ended_at": ago(900)})
    assert await retain(in_house(store)) == {}
    assert await count(store, t.attempts, t.attempts.c.trace != "") == 1


async def test_the_log_says_how_many_of_what_and_nothing_of_whom(store: Store) -> None:
    await heard(store, 181, 182)
    await retain(in_house(store))
    async with store.read() as tx:
        (said,) = (await tx.execute(select(t.audit))).mappings().all()
    assert (said["actor"], said["action"], said["subject"]) == ("system", "retention.let_go", "retention:uplinks")
    assert json.loads(said["detail"]) == {"rows": 2, "before": ago(180).isoformat()}


async def test_what_was_not_relayed_yet_is_never_let_go(store: Store) -> None:
    await put(store, t.outbox, told(400, relayed=False), told(400))
    await retain(in_house(store))
    assert await count(store, t.outbox, t.outbox.c.relayed_at.is_(None)) == 1


async def test_it_looks_once_an_hour(store: Store) -> None:
    clock = Clock()
    await heard(store, 181)
    assert await retain_due(in_house(store, clock)) == {Kind.UPLINKS: 1}
    await heard(store, 182)
    clock.pass_(seconds=3599)
    assert await retain_due(in_house(store, clock)) == {}
    clock.pass_(seconds=1)
    assert await retain_due(in_house(store, clock)) == {Kind.UPLINKS: 1}


async def test_while_a_warning_is_being_sent_it_waits_up_to_a_day(store: Store) -> None:
    clock = Clock()
    assert await retain_due(in_house(store, clock)) == {}
    await released(store, red(), people(2))
    await heard(store, 185)
    clock.pass_(hours=23)
    assert await retain_due(in_house(store, clock)) == {}
    clock.pass_(hours=1)
    assert await retain_due(in_house(store, clock)) == {Kind.UPLINKS: 1}


async def test_a_turn_is_bounded_and_the_next_one_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retaining_step, "BATCH", 2)
    monkeypatch.setattr(retaining_step, "MOST_BATCHES", 2)
    await heard(store, *[181.0] * 5, 1.0)
    assert await retain(in_house(store)) == {Kind.UPLINKS: 4}
    assert await retain(in_house(store)) == {Kind.UPLINKS: 1}
    assert await count(store, t.uplinks) == 1


class Stopped(Exception):
    """The process ends here."""


async def stopped_in(store: Store) -> None:
    async with store.begin() as tx:
        await let_go(tx, Kind.TRACES, ago(90), 2)
        raise Stopped


async def test_a_stop_in_the_middle_loses_nothing_and_counts_nothing_twice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two batches, and inside one: what is committed is in the log, what is not is still there."""
    monkeypatch.setattr(retaining_step, "BATCH", 2)
    await ended(store, 1, 91)
    await ended(store, 2, 92)
    async with store.begin() as tx:
        assert (await let_go(tx, Kind.TRACES, ago(90), 2)).rows == 3
    with pytest.raises(Stopped):
        await stopped_in(store)
    assert await count(store, t.attempts, t.attempts.c.trace != "") == 4
    assert await retain(in_house(store)) == {Kind.TRACES: 5}
    assert await count(store, t.attempts, t.attempts.c.trace != "") == 0
    assert await count(store, t.facts, t.facts.c.name == "uplinks_leave") == 0


async def test_the_door_of_the_uplinks_is_shut_behind_whoever_was_stopped_in_it(store: Store) -> None:
    await heard(store, 1)
    with pytest.raises(Stopped):
        async with store.begin() as tx, retaining.uplinks_may_leave(tx):
            raise Stopped
    assert await count(store, t.facts, t.facts.c.name == "uplinks_leave") == 0


@pytest.mark.long
async def test_no_batch_walks_through_the_ledger(store: Store) -> None:
    """Thirty thousand tries of sixty warnings: what is looked at is one warning, by an index."""
    async with store.begin() as tx:
        many = [attempt(f"{n % 60:032x}", f"officer-JB{n:05d}") for n in range(30_000)]
        for start in range(0, len(many), 5_000):
            await tx.execute(insert(t.attempts), many[start : start + 5_000])
    old = await ended(store, 1, 91)
    async with store.begin() as tx:
        await tx.execute(text("ANALYZE"))
    said: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if "attempts" in statement and statement.startswith("UPDATE"):
            said.append((statement, values))

    writing = store._one_writer._engine if store._one_writer else store.engine
    event.listen(writing.sync_engine, "before_cursor_execute", note)
    async with store.begin() as tx:
        assert (await let_go(tx, Kind.TRACES, ago(90), 500)).rows == 501, "a batch, and the one question"
    event.remove(writing.sync_engine, "before_cursor_execute", note)
    assert old == f"{1:032x}"
    (asked,) = said
    async with store.read() as tx:
        explain = "EXPLAIN QUERY PLAN" if store.dialect == "sqlite" else "EXPLAIN"
        plan = "\n".join(str(row) for row in await tx.exec_driver_sql(f"{explain} {asked[0]}", asked[1]))
    assert "SCAN attempts" not in plan, plan
    assert "Seq Scan on attempts" not in plan, plan


@pytest.mark.parametrize("kind", Kind)
def test_the_days_are_in_the_policy_and_an_absurd_one_stops_the_start(kind: Kind) -> None:
    assert settings().policy.retention.model_dump()[f"{kind}_days"] == DAYS[kind]
    with pytest.raises(BadConfiguration, match=f"{kind}_days"):
        settings(**{f"MINGLUO_POLICY__RETENTION__{kind.upper()}_DAYS": "0"})

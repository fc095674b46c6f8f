"""At a million rows the hot statements still go by their indexes: whoever walks the table stops the city."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, text

from dispatcher.states import DeliveryState
from dispatcher.store import chunks, deliveries
from dispatcher.store.chunks import Holder
from dispatcher.store.deliveries import Attempt, Report, Row, Settled
from dispatcher.store.engine import Store, open_store
from dispatcher.store.packing import unpack
from dispatcher.store.tries import tries_of
from tests.city import NOW, people, red, released

OLD = 1_000_000
A_CHUNK = 1_000
A_STEP = 50_000
ME = Holder(node="me", epoch=1)


@pytest.fixture
async def full(postgres_store: Store) -> Store:
    """A million rows of earlier warnings, settled, and their chunks, closed; one warning that is being sent."""
    async with postgres_store.begin() as tx:
        await tx.execute(
            text(
                "INSERT INTO chunks (warning_id, channel, lane, seq, size, packed, hash, state, epoch, opened_to) "
                f"SELECT lpad((g / 100)::text, 32, 'f'), 'sms', 1, g % 100, {A_CHUNK}, ''::bytea, '', 4, 1, {A_CHUNK} "
                f"FROM generate_series(1, {OLD // A_CHUNK}) g"
            )
        )
    for start in range(0, OLD, A_STEP):
        async with postgres_store.begin() as tx:
            await tx.execute(
                text(
                    "INSERT INTO deliveries (warning_id, channel, target, round, why, text_no, township, areas, state, "
                    "state_code, chunk_id, pos, serial, calls, tries, provider, provider_ref, possible_duplicate) "
                    "SELECT lpad((g / 100000)::text, 32, 'f'), 'sms', 'officer-X' || g, 0, 1, 0, '360827102', '', 2, '', "
                    f"g / {A_CHUNK} + 1, g % {A_CHUNK}, 0, 1, 1, 'x', '', false "
                    f"FROM generate_series({start + 1}, {start + A_STEP}) g"
                )
            )
    async with postgres_store.begin() as tx:
        await tx.execute(text("ANALYZE deliveries, chunks"))
    await released(postgres_store, red(), people(2500))
    return postgres_store


class Plans:
    """Every statement of a connection is explained before it runs, with its own values."""

    def __init__(self, store: Store) -> None:
        self.found: list[tuple[str, str]] = []
        self._engine = store.engine.sync_engine

    def __enter__(self) -> Plans:
        event.listen(self._engine, "before_cursor_execute", self._explain)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._explain)

    def _explain(self, connection: Any, _cursor: object, statement: str, values: object, *_: object) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "WITH")):
            explaining = connection.connection.cursor()
            explaining.execute(f"EXPLAIN {statement}", values)
            self.found.append((statement, "\n".join(row[0] for row in explaining.fetchall())))
            explaining.close()

    def walks(self) -> list[str]:
        """Statements that walk the whole of a big table."""
        return [
            f"{statement}\n{plan}"
            for statement, plan in self.found
            if "Seq Scan on deliveries" in plan or "Seq Scan on chunks" in plan
        ]


def outcomes(chunk_id: int, rows: list[Row], state: DeliveryState) -> list[Settled]:
    outcome = "accepted" if state is DeliveryState.SENT else "try_again"
    attempt = Attempt(no=1, provider="x", started_at=NOW, ended_at=NOW, outcome=outcome, provider_ref="1")
    due = NOW if state is DeliveryState.PLANNED else None
    return [Settled(chunk_id=chunk_id, row=row, state=state, at=NOW, due_at=due, attempt=attempt) for row in rows]


@pytest.mark.timeout(180)
async def test_claiming_settling_retrying_reporting_and_withdrawing_go_by_their_indexes(full: Store) -> None:
    with Plans(full) as plans:
        async with full.read() as tx:
            ready = await chunks.look(tx, "sms")
            assert ready is not None
            await chunks.waits_unsent(tx, [("sms", False)])
            await chunks.waits_orphaned(tx, ME, ["sms"])
        assert not await full.in_one_go(partial(deliveries.laid_out("postgresql", ready, []).write, ME))
        async with full.begin() as tx:
            chunk = await chunks.take(tx, "sms", ME)
            assert chunk is not None
            await chunks.take(tx, "sms", ME, above_lane=9)
            await chunks.reclaim(tx, ME, ["sms"])
        async with full.begin() as tx:
            assert await deliveries.in_chunk(tx, chunk.id, 0) == []
    number, rows = await _planned(full)
    with Plans(full) as again:
        await deliveries.group_commit(full, ME, {number: 64}, outcomes(number, rows[:32], DeliveryState.SENT))
        again_due = outcomes(number, rows[32:64], DeliveryState.PLANNED)
        await deliveries.group_commit(full, ME, {number: 64}, again_due, [number])
        async with full.begin() as tx:
            now = NOW + timedelta(seconds=1)
            under = await deliveries.due_warnings(tx, now, ["sms"])
            (group,) = await deliveries.due(tx, now, ["sms"], under)
            await deliveries.next_due(tx, ["sms"])
            await deliveries.overdue(tx, now)
            await chunks.renew(tx, ME)
            await chunks.orphaned(tx, timedelta(seconds=2))
            assert len(group.targets) == 32
            await chunks.hold(tx, group.warning_id)
            await chunks.end(tx, group.warning_id)
            await deliveries.withdraw(tx, group.warning_id, DeliveryState.WITHDRAWN, NOW)
        async with full.read() as tx:
            await deliveries.taken(tx, [(row.target, "1") for row in rows[:64]], NOW - timedelta(days=1))
            assert len(await tries_of(tx, group.warning_id, [row.target for row in rows[:64]])) == 64
        said = [Report(key=row.key, state=DeliveryState.DELIVERED, code="", detail="") for row in rows[:32]]
        await deliveries.enter_receipts(full, said, NOW)
    assert plans.walks() + again.walks() == []
    (entering,) = [plan for statement, plan in again.found if "INSERT INTO receipts" in statement]
    assert "(target)::text = (given.target)::text" in entering, entering  # and not all of the warning
    assert len(plans.found) + len(again.found) > 12, "it looked at nothing"


@pytest.mark.parametrize("way", ["force_custom_plan", "force_generic_plan"])
async def test_results_find_their_rows_by_place_before_anything_was_counted(postgres_store: Store, way: str) -> None:
    """PostgreSQL plans a statement anew five times, and then, where that seems no dearer, for all times: neither plan may go
    through the chunk."""
    await released(postgres_store, red(), people(400))
    number, rows = await _planned(postgres_store)
    plans: list[str] = []

    async def tell_plans(connection: Any) -> None:
        for setting in ("auto_explain.log_min_duration = 0", "client_min_messages = log", f"plan_cache_mode = {way}"):
            await connection.execute(f"SET {setting}")
        connection.add_log_listener(lambda _, said: plans.append(str(said.as_dict()["message"])))

    def connected(connection: Any, _record: object) -> None:
        connection.run_async(lambda one: one.execute("LOAD 'auto_explain'"))
        connection.run_async(tell_plans)

    store = open_store(postgres_store.engine.url.render_as_string(hide_password=False))
    event.listen(store.engine.sync_engine, "connect", connected)
    try:
        for start in range(0, 128, 64):
            results = outcomes(number, rows[start : start + 64], DeliveryState.SENT)
            await deliveries.group_commit(store, ME, {number: 0}, results)
    finally:
        await store.close()
    settling = [plan for plan in plans if "Update on deliveries" in plan]
    assert len(settling) == 2
    for plan in settling:
        assert re.search(r"Index Cond: \(\(chunk_id = \w+\.k_chunk\) AND \(pos = \w+\.k_pos\)\)", plan), plan


async def _planned(store: Store) -> tuple[int, list[Row]]:
    async with store.begin() as tx:
        chunk = await chunks.take(tx, "sms", ME)
        assert chunk is not None
        return chunk.id, await deliveries.plan(tx, chunk, unpack(chunk.packed), 0, None)


async def test_on_sqlite_what_is_due_is_found_by_its_index(sqlite_store: Store) -> None:
    """Once a second: told nothing of NULL, it walked the whole ledger past its partial index."""
    said: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: object, statement: str, values: Any, *_: object) -> None:
        said.append((statement, values))

    event.listen(sqlite_store.engine.sync_engine, "before_cursor_execute", note)
    async with sqlite_store.read() as tx:
        await deliveries.due_warnings(tx, NOW, ["sms"])
        await deliveries.overdue(tx, NOW)
        await deliveries.next_due(tx, ["sms"])
    event.remove(sqlite_store.engine.sync_engine, "before_cursor_execute", note)
    asked = [(statement, values) for statement, values in said if "FROM deliveries" in statement]
    assert len(asked) == 3
    async with sqlite_store.read() as tx:
        for statement, values in asked:
            plan = (await tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)).all()
            assert "ix_deliveries_due" in plan[0].detail, statement

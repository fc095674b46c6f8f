"""Many rows in one statement: the same rows on both databases, whatever is alike in them; and never a walk through all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import BigInteger, String, delete, select, update
from sqlalchemy.exc import DBAPIError

from dispatcher.rehearsal.bench.ledgers import chunk_of
from dispatcher.states import DeliveryState
from dispatcher.store import chunks, deliveries
from dispatcher.store.chunks import Holder
from dispatcher.store.deliveries import Attempt, Settled
from dispatcher.store.deliveries.results import _STATEMENTS
from dispatcher.store.engine import Store
from dispatcher.store.many import Inserted, Many, Source, as_array, unnested
from dispatcher.store.packing import FrozenRow, unpack
from dispatcher.store.tables import attempts, receipts, sequences
from dispatcher.store.tables import deliveries as ledger
from tests.city import NOW, people, red, released

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
ROWS = st.lists(st.tuples(NAMES, st.integers(-(2**62), 2**62)), unique_by=lambda row: row[0], max_size=30)
PUT = Inserted(sequences, ("name", "value"))
PUT_ONCE = Inserted(sequences, ("name", "value"), ignoring=True)


def raised(given_: Source) -> Any:
    return (
        update(sequences).where(sequences.c.name == given_("k_name")).values(value=sequences.c.value + given_("v_by"))
    )


RAISE = Many({"k_name": sequences.c.name.type, "v_by": sequences.c.value.type}, raised)


async def held(store: Store) -> dict[str, int]:
    async with store.read() as tx:
        return {row.name: row.value for row in await tx.execute(select(sequences))}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
async def test_what_is_put_in_is_there_and_is_changed_row_by_row(store: Store, rows: list[tuple[str, int]]) -> None:
    async with store.begin() as tx:
        await tx.execute(delete(sequences))
        await PUT.run(tx, rows)
        await RAISE.run(tx, [(name, number % 7) for number, (name, _) in enumerate(rows)])
        await PUT_ONCE.run(tx, [(name, 0) for name, _ in rows])
    assert await held(store) == {name: value + number % 7 for number, (name, value) in enumerate(rows)}


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1, max_size=20),
    numbers=st.lists(
        st.none() | st.integers(-(2**62), 2**62) | st.sampled_from(DeliveryState), min_size=1, max_size=20
    ),
)
async def test_a_column_written_out_is_read_as_it_was(
    postgres_store: Store, words: list[str | None], numbers: list[int | None]
) -> None:
    for kind, given_ in ((String(32), words), (BigInteger(), numbers)):
        rows = select(unnested({"one": kind}).c.one)
        async with postgres_store.read() as tx:
            found = await tx.execute(rows, {"one": as_array(kind, given_)})
        assert found.scalars().all() == given_


async def test_rows_alike_in_everything_are_as_many_as_they_are(store: Store) -> None:
    row = (NOW, "w", "sms", "officer-1", 0, "sent", "", "")
    names = ("at", "warning_id", "channel", "target", "round", "state", "code", "detail")
    async with store.begin() as tx:
        await Inserted(receipts, names).run(tx, [row, row, row])
        assert len((await tx.execute(select(receipts.c.target))).all()) == 3


@pytest.mark.parametrize("values", [[1, 1, 1], [1, 2, 3], [5]])
async def test_what_is_alike_in_all_rows_is_still_in_each(store: Store, values: list[int]) -> None:
    rows = [(f"n{number}", value) for number, value in enumerate(values)]
    async with store.begin() as tx:
        await PUT.run(tx, rows)
    assert await held(store) == dict(rows)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, alike=st.integers(-(2**62), 2**62))
async def test_columns_put_in_are_the_rows_put_in(store: Store, rows: list[tuple[str, int]], alike: int) -> None:
    async with store.begin() as tx:
        await tx.execute(delete(sequences))
        await PUT.fill(tx, {}, {"name": [name for name, _ in rows], "value": [value for _, value in rows]})
    assert await held(store) == dict(rows)
    async with store.begin() as tx:
        await tx.execute(delete(sequences))
        await PUT.fill(tx, {"value": alike}, {"name": [name for name, _ in rows]})
    assert await held(store) == dict.fromkeys(dict(rows), alike)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    frozen=st.lists(
        st.builds(
            FrozenRow, NAMES, st.integers(1, 13), st.integers(0, 9), st.sampled_from(["360802001", "360827102"]),
            st.sampled_from(["", "360802001001"]), st.sampled_from(["", "", "told_elsewhere"]),
        ),
        unique_by=lambda row: row.target,
        max_size=20,
    ),
    first_serial=st.sampled_from([0, 7000]),
    ended=st.sampled_from([None, (DeliveryState.WITHDRAWN, "called_off")]),
)  # fmt: skip
async def test_what_is_planned_in_memory_is_what_stands_in_the_ledger(
    store: Store, frozen: list[FrozenRow], first_serial: int, ended: tuple[DeliveryState, str] | None
) -> None:
    async with store.begin() as tx:
        await tx.execute(delete(ledger))
        rows = await deliveries.plan(tx, chunk_of("w", 5), frozen, first_serial, ended)
        found = (await tx.execute(select(ledger).order_by(ledger.c.pos))).all()
        assert rows == await deliveries.in_chunk(tx, 5, 0)
    born, code = ended or (DeliveryState.PLANNED, "")
    for pos, (one, row) in enumerate(zip(frozen, found, strict=True)):
        told = FrozenRow(row.target, row.why, row.text_no, row.township, row.areas, one.suppressed)
        assert (told, row.pos, row.serial) == (one, pos, first_serial and first_serial + pos)
        ends = (DeliveryState.SUPPRESSED, one.suppressed) if one.suppressed else (born, code)
        assert (row.state, row.state_code) == ends
        assert row.chunk_id == (5 if ends == (DeliveryState.PLANNED, "") else None)
    assert [row.pos for row in rows] == [row.pos for row in found if row.chunk_id]


async def test_a_text_longer_than_its_column_is_refused_and_not_cut(postgres_store: Store) -> None:
    with pytest.raises(DBAPIError):
        async with postgres_store.begin() as tx:
            await PUT.run(tx, [("x" * 65, 1), ("y", 2)])


async def test_a_group_of_results_is_found_by_its_chunk_and_not_by_walking_the_warning(postgres_store: Store) -> None:
    await released(postgres_store, red(), people(3000))
    holder = Holder(node="n", epoch=1)
    async with postgres_store.begin() as tx:
        while (chunk := await chunks.take(tx, "sms", holder)) is not None:
            rows = await deliveries.plan(tx, chunk, unpack(chunk.packed), 0, None)
            last = chunk.id
        results = [Settled(chunk_id=last, row=row, state=DeliveryState.SENT, at=NOW) for row in rows[:64]]
        plan = await _explained(tx, results)
    assert "ix_deliveries_chunk" in plan, plan
    assert "Seq Scan" not in plan, plan


async def test_on_sqlite_too_a_result_is_found_by_its_chunk(sqlite_store: Store) -> None:
    """What is due again leaves that index: whoever no longer fits it walks through the ledger."""
    await released(sqlite_store, red(), people(300))
    async with sqlite_store.begin() as tx:
        chunk = await chunks.take(tx, "sms", Holder(node="n", epoch=1))
        assert chunk is not None
        rows = await deliveries.plan(tx, chunk, unpack(chunk.packed), 0, None)
        results = [Settled(chunk_id=chunk.id, row=row, state=DeliveryState.SENT, at=NOW) for row in rows[:64]]
        ((sql, values),) = _STATEMENTS[DeliveryState.SENT].listed(
            [deliveries.results.settled_values(one) for one in results]
        )
        plan = [row[3] for row in await tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert "SEARCH deliveries USING INDEX ix_deliveries_chunk (chunk_id=? AND pos=?)" in plan, plan


async def _explained(tx: Any, results: list[Settled]) -> str:
    sql, values = _STATEMENTS[DeliveryState.SENT].unnested([deliveries.results.settled_values(one) for one in results])
    found = await tx.exec_driver_sql(f"EXPLAIN {sql}", values)
    return "\n".join(row[0] for row in found)


async def test_a_result_written_again_leaves_its_attempt_once(store: Store) -> None:
    await released(store, red(), people(1))
    holder = Holder(node="n", epoch=1)
    async with store.begin() as tx:
        chunk = await chunks.take(tx, "sms", holder)
        assert chunk is not None
        (row,) = await deliveries.plan(tx, chunk, unpack(chunk.packed), 0, None)
        attempt = Attempt(no=1, provider="x", started_at=NOW, ended_at=NOW, outcome="refused")
        one = Settled(chunk_id=chunk.id, row=row, state=DeliveryState.FAILED, at=NOW, attempt=attempt)
        await deliveries.settle(tx, [one])
        await deliveries.settle(tx, [replace(one, at=datetime.now(UTC))])
        kept = (await tx.execute(select(attempts.c.no))).all()
    assert [row.no for row in kept] == [1]

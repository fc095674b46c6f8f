"""A group commit: who still owns what, what came of the calls, and how far the next ones may go; all of it or nothing.

On PostgreSQL it is one statement, a transaction of its own. As five it was five times through an event loop that is busy
sending: ten milliseconds, in which the window ran empty. On SQLite the statements stay apart, and run in one go in a thread.

It must survive a zombie (what it no longer owns is passed over), and being written again after a commit whose answer was lost.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

from sqlalchemy import ColumnElement, Select, SmallInteger, and_, bindparam, case, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from dispatcher.states import DeliveryState
from dispatcher.store import chunks as chunk_store
from dispatcher.store.chunks import ChunkState, Holder
from dispatcher.store.deliveries import results as settling
from dispatcher.store.deliveries.rows import Settled
from dispatcher.store.engine import Store, Tx
from dispatcher.store.many import as_array, sources, unnested, varied_in
from dispatcher.store.tables import attempts, chunks, deliveries


async def group_commit(
    store: Store, holder: Holder, marks: Mapping[int, int], results: Sequence[Settled], closed: Sequence[int] = ()
) -> dict[int, bool]:
    """`marks`: chunk → how far it is to be opened, 0 where that is not asked for; every chunk of `results` and of `closed`,
    those that end with them, is among them.
    Returns the chunks still ours; False for one whose mark could not be moved, because its warning was called off."""
    if not marks:
        return {}
    if store.dialect == "sqlite":
        # written out here and not in the thread: beside a busy loop it would have to ask for the interpreter again and again
        written = [one for many, rows in settling.grouped(results) for one in many.listed(rows)]
        return await store.whole(partial(_in_thread, holder, marks, (results, closed, written)))
    sql, values = _filled(holder, marks, results)
    if closed:  # what ends a chunk looks at what the statement has written: that takes a transaction
        async with store.begin() as tx:
            found = await _written(tx, sql, values)
            await chunk_store.close(tx, [number for number in closed if number in found])
    else:
        async with store.at_once() as tx:
            found = await _written(tx, sql, values)
    return {number: is_open and opened_to >= marks[number] for number, (is_open, opened_to) in found.items()}


async def _written(tx: Tx, sql: str, values: tuple[object, ...]) -> dict[int, tuple[bool, int]]:
    """What is still ours → whether it is open, and how far."""
    found = await tx.exec_driver_sql(sql, values)
    return {row.id: (row.state == ChunkState.OPEN, row.opened_to) for row in found}


def _in_thread(
    holder: Holder,
    marks: Mapping[int, int],
    of: tuple[Sequence[Settled], Sequence[int], Sequence[tuple[str, tuple[object, ...]]]],
    connection: sqlite3.Connection,
) -> dict[int, bool]:
    """The same on SQLite: the fence of each chunk, then the statements of `settle` and `close`."""
    results, closed, written = of
    ours = {}
    for chunk_id, position in sorted(marks.items()):
        given = {"b_id": chunk_id, "b_position": position, "b_owner": holder.node, "b_epoch": holder.epoch}
        row = connection.execute(*_on_sqlite("fence", given)).fetchone()
        if row is not None:
            ours[chunk_id] = row[0] == ChunkState.OPEN and row[1] >= position
    if len(ours) < len(marks):
        still = [result for result in results if result.chunk_id in ours]
        written = [one for many, rows in settling.grouped(still) for one in many.listed(rows)]
    for sql, values in written:
        connection.execute(sql, values)
    for chunk_id in closed:
        if chunk_id in ours:
            connection.execute(*_on_sqlite("close", {"b_id": chunk_id}))
    return ours


def _on_sqlite(name: str, given: Mapping[str, object]) -> tuple[str, list[object]]:
    sql, names, constants = _plain(name)
    return sql, [given[one] if one in given else constants[one] for one in names]


@cache
def _plain(name: str) -> tuple[str, list[str], dict[str, Any]]:
    compiled = {"fence": chunk_store.FENCE, "close": chunk_store.CLOSE}[name].compile(
        dialect=sqlite.dialect(paramstyle="qmark")
    )
    assert isinstance(compiled, SQLCompiler)
    return str(compiled), list(compiled.positiontup or ()), dict(compiled.construct_params(_check=False))


_MARKS: dict[str, TypeEngine[Any]] = {"m_id": chunks.c.id.type, "m_position": chunks.c.opened_to.type}
_DONE: dict[str, TypeEngine[Any]] = settling.SETTLED | {"v_state": SmallInteger()}
_TRIED: dict[str, TypeEngine[Any]] = {"t_chunk": chunks.c.id.type} | {
    f"t_{name}": attempts.c[name].type for name in settling.ATTEMPT
}


_PLACE = frozenset({"k_chunk", "k_pos"})
"""In the ledger's index. Told the chunk alone, PostgreSQL walks through all of it once for each result, before it has counted
its rows: at a thousand that was seven times the whole rest."""


def _filled(holder: Holder, marks: Mapping[int, int], results: Sequence[Settled]) -> tuple[str, tuple[object, ...]]:
    """The statement for these very rows, and its values."""
    far = {"m_id": sorted(marks), "m_position": [marks[one] for one in sorted(marks)]}
    given: dict[str, object] = {name: as_array(_MARKS[name], column) for name, column in far.items()}
    given |= {"b_owner": holder.node, "b_epoch": holder.epoch}
    done = [(*settling.settled_values(one), int(one.state)) for one in results]
    tried = [
        (one.chunk_id, *settling.attempt_values(one.row, one.attempt))
        for one in results
        if one.attempt and not settling.stands_in_row(one.row, one.attempt)
    ]
    varied = _given(_DONE, done, given), _given(_TRIED, tried, given)
    sql, names, constants = _statement(*varied)
    return sql, tuple([given[one] if one in given else constants[one] for one in names])


def _given(
    columns: Mapping[str, TypeEngine[Any]], rows: Sequence[tuple[object, ...]], given: dict[str, object]
) -> tuple[str, ...] | None:
    """Adds the rows' values to `given`, by column; which columns vary, None where there are no rows."""
    if not rows:
        return None
    by_name = dict(zip(columns, zip(*rows, strict=True), strict=True))
    varied = varied_in(by_name, _PLACE)
    for name, column in by_name.items():
        given[name] = as_array(columns[name], column) if name in varied else column[0]
    return varied


@cache
def _statement(done: tuple[str, ...] | None, tried: tuple[str, ...] | None) -> tuple[str, list[str], dict[str, Any]]:
    """SQL, the names of its values in order, and those that stand in it. Given: which columns of the results vary, and of the
    tries that have rows of their own; None where there are none."""
    marks = unnested(_MARKS, "marks").c
    further = and_(chunks.c.opened_to < marks.m_position, chunks.c.state == ChunkState.OPEN, chunk_store.IN_FORCE)
    fenced = (
        update(chunks)
        .where(
            chunks.c.id == marks.m_id,
            chunks.c.owner == bindparam("b_owner"),
            chunks.c.epoch == bindparam("b_epoch"),
        )
        .values(opened_to=case((further, marks.m_position), else_=chunks.c.opened_to))
        .returning(chunks.c.id, chunks.c.state, chunks.c.opened_to)
        .cte("fenced")
    )
    ours = select(fenced.c.id)
    whole: Select[Any] = select(fenced)
    if done is not None:
        whole = whole.add_cte(_settling(done, ours).cte("settled"))
    if tried is not None:
        whole = whole.add_cte(_recording(tried, ours).cte("recorded"))
    compiled = whole.compile(dialect=asyncpg.dialect())  # type: ignore[no-untyped-call]
    assert isinstance(compiled, SQLCompiler)
    return str(compiled), list(compiled.positiontup or ()), compiled.params


def _settling(varied: tuple[str, ...], ours: Select[Any]) -> Any:
    given = sources(_DONE, varied, "made")
    state = given["v_state"]
    allowed: ColumnElement[bool] = or_(*[and_(state == int(one), settling.may_be(one)) for one in DeliveryState])
    again = settling.waiting(given.__getitem__, allowed)
    left = {
        name: case((state == DeliveryState.PLANNED, value), else_=deliveries.c[name]) for name, value in again.items()
    }
    return (
        update(deliveries)
        .where(
            deliveries.c.chunk_id == given["k_chunk"],
            deliveries.c.pos == given["k_pos"],
            deliveries.c.target == given["k_target"],
            settling.is_news(given.__getitem__),
            given["k_chunk"].in_(ours),
        )
        .values(settling.settled(given.__getitem__, state, allowed) | left)
    )


def _recording(varied: tuple[str, ...], ours: Select[Any]) -> Any:
    given = sources(_TRIED, varied, "tried")
    rows = select(*[given[f"t_{name}"] for name in settling.ATTEMPT]).where(given["t_chunk"].in_(ours))
    return postgresql.insert(attempts).from_select(list(settling.ATTEMPT), rows).on_conflict_do_nothing()

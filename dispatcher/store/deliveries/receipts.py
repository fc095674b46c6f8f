"""Receipts on record: a group of them is one transaction, which writes each down as it came and moves its row forward.

On PostgreSQL it is one statement, on SQLite one trip to a thread: a group is committed every 25 ms, and what it costs is
taken from the sending. It must survive receipts that come twice in a group, out of order, and for a key nobody planned.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, Executable, Update, and_, func, insert, or_, select, update

from dispatcher.states import TERMINAL, DeliveryState, may_become
from dispatcher.store.deliveries.rows import Report
from dispatcher.store.engine import Store
from dispatcher.store.many import Inserted, Many, Source
from dispatcher.store.tables import deliveries, receipts

_C, _R = deliveries.c, receipts.c
_KEY = ("warning_id", "channel", "target", "round")
_NOTED = (*_KEY, "state", "code", "detail", "at")
_COLUMNS = {name: _R[name].type for name in _NOTED} | {"v_state": _C.state.type, "v_ended": _C.ended_at.type}

Rows = Sequence[tuple[object, ...]]


async def enter_receipts(store: Store, reports: Sequence[Report], now: datetime) -> None:
    """Writes receipts down (append-only) and moves states, only forward. Returns after the commit."""
    if not reports:
        return
    rows = [_values(report, now) for report in reports]
    parts = _once_each(rows)
    if store.dialect == "sqlite":
        noted = _RECORDED.listed([row[: len(_NOTED)] for row in rows])
        moved = [one for part in parts for one in _ENTERED.listed(part)]
        await store.whole(partial(_in_thread, [*noted, *moved]))
        return
    if len(parts) == 1:
        async with store.at_once() as tx:
            await _ENTERED.run(tx, rows)
        return
    async with store.begin() as tx:
        for part in parts:
            await _ENTERED.run(tx, part)


def _in_thread(statements: Sequence[tuple[str, tuple[object, ...]]], connection: sqlite3.Connection) -> None:
    for sql, values in statements:
        connection.execute(sql, values)


def _once_each(rows: Rows) -> list[Rows]:
    """One statement moves a row once, so the second receipt of a delivery goes into the next."""
    if len({row[: len(_KEY)] for row in rows}) == len(rows):
        return [rows]
    parts: list[dict[object, tuple[object, ...]]] = []
    for row in rows:
        key = row[: len(_KEY)]
        free = next((part for part in parts if key not in part), None)
        if free is None:
            parts.append({key: row})
        else:
            free[key] = row
    return [list(part.values()) for part in parts]


def _moved(given: Source) -> Update:
    """Guarded by `states.py`: a late "sent" never overwrites "delivered"."""
    state = given("v_state")
    return (
        update(deliveries)
        .where(
            *[_C[name] == given(name) for name in _KEY],
            or_(*[and_(state == int(one), _stands_in(may_become(one))) for one in DeliveryState if may_become(one)]),
        )
        .values(
            state=state,
            state_code=given("code"),
            due_at=None,
            ended_at=given("v_ended"),
            sent_at=func.coalesce(_C.sent_at, given("at")),
        )
    )


def _stands_in(states: Sequence[DeliveryState]) -> ColumnElement[bool]:
    return or_(*[_C.state == int(one) for one in states])


class _Entered(Many):
    """The rows moved; on PostgreSQL the same statement writes the receipts down."""

    def _make_unnested(self, sources: Mapping[str, ColumnElement[object]]) -> Executable:
        noted = insert(receipts).from_select(list(_NOTED), select(*[sources[name] for name in _NOTED]))
        return _moved(sources.__getitem__).add_cte(noted.cte("noted"))


_ENTERED = _Entered(_COLUMNS, _moved, always=_KEY)
_RECORDED = Inserted(receipts, _NOTED)


def _values(report: Report, now: datetime) -> tuple[object, ...]:
    """In the order of `_COLUMNS`."""
    key = report.key
    return (
        key.warning_id,
        key.channel,
        str(key.target),
        key.round,
        report.state.label,
        report.code,
        report.detail,
        now,
        int(report.state),
        now if report.state in TERMINAL else None,
    )

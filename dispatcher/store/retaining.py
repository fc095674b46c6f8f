"""What was kept long enough goes: a batch at a time, oldest first, each in the caller's own short transaction.

It must survive a stop anywhere (the next turn goes on where the last commit was) and a ledger of any size: no batch looks at
more rows than it may let go, but for the traces, which are found by their warning. A warning in force keeps everything.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, assert_never

from sqlalchemy import Column, ColumnElement, Select, Table, delete, func, literal, select, tuple_, update

from dispatcher.states import ENDED
from dispatcher.store import nodes
from dispatcher.store.engine import Tx, upsert
from dispatcher.store.tables import (
    attempts,
    facts,
    feed_entries,
    outbox,
    questions,
    rejected,
    rejects,
    uplinks,
    warnings,
)


class Kind(StrEnum):
    """What is let go, named as in `policy.yaml`. The log of what was done and the deliveries are none of these."""

    REJECTED_BYTES = "rejected_bytes"
    UPLINKS = "uplinks"
    TRACES = "traces"
    FEED_ENTRIES = "feed_entries"
    OUTBOX = "outbox"


@dataclass(frozen=True, slots=True)
class Gone:
    """How many rows went or were emptied; `more`: whether another batch is worth its while."""

    rows: int
    more: bool


_LEAVE: Final = "uplinks_leave"
_REJECTS_DONE: Final = "retained_rejects"
_TRACES_DONE: Final = "retained_traces"


async def let_go(tx: Tx, kind: Kind, before: datetime, limit: int) -> Gone:
    """One batch of what is older than `before`."""
    match kind:
        case Kind.REJECTED_BYTES:
            return await _rejected(tx, before, limit)
        case Kind.UPLINKS:
            async with uplinks_may_leave(tx):
                return await _oldest_of(tx, uplinks, uplinks.c.at, before, limit)
        case Kind.TRACES:
            return await _traces(tx, before, limit)
        case Kind.FEED_ENTRIES:
            return await _entries(tx, before, limit)
        case Kind.OUTBOX:
            return await _oldest_of(tx, outbox, outbox.c.relayed_at, before, limit)
        case _:
            assert_never(kind)


@asynccontextmanager
async def uplinks_may_leave(tx: Tx) -> AsyncIterator[None]:
    """The door in the trigger: within this transaction, and for nobody who did not mean it."""
    await tx.execute(upsert(tx, facts).values(name=_LEAVE, value="").on_conflict_do_nothing())
    yield
    await tx.execute(delete(facts).where(facts.c.name == _LEAVE))


def oldest(table: Table, when: Column[Any], before: datetime, limit: int) -> Select[Any]:
    """Of the first rows those that are old: ids go up with time, so nothing behind them is looked at."""
    front = select(table.c.id, when.label("moment")).order_by(table.c.id).limit(limit).subquery()
    return select(front.c.id).where(front.c.moment < before)


async def _oldest_of(tx: Tx, table: Table, when: Column[Any], before: datetime, limit: int) -> Gone:
    gone = await tx.execute(delete(table).where(table.c.id.in_(oldest(table, when, before, limit))))
    return Gone(gone.rowcount, gone.rowcount == limit)


async def _rejected(tx: Tx, before: datetime, limit: int) -> Gone:
    """The bytes go; when, from whom and why it was refused stays: that is a record of security."""
    queue = await _oldest_of(tx, rejected, rejected.c.at, before, limit)
    c, done = rejects.c, await nodes.fact(tx, _REJECTS_DONE)
    old = select(c.id).where(c.at < before, func.length(c.raw) > 0).order_by(c.at).limit(limit)
    if done is not None:
        old = old.where(c.at >= datetime.fromisoformat(done))
    ids = list((await tx.execute(old)).scalars())
    if ids:
        await tx.execute(update(rejects).where(c.id.in_(ids)).values(raw=b""))
    if len(ids) < limit:
        await nodes.set_fact(tx, _REJECTS_DONE, before.isoformat())
    return Gone(queue.rows + len(ids), queue.more or len(ids) == limit)


async def _entries(tx: Tx, before: datetime, limit: int) -> Gone:
    """What waits stays. One that its feed lists all the same is new again, fetched once more, and known by its identity."""
    c = feed_entries.c
    old = select(c.source, c.key).where(c.seen_at < before, c.due_at.is_(None)).limit(limit)
    gone = await tx.execute(delete(feed_entries).where(tuple_(c.source, c.key).in_(old)))
    return Gone(gone.rowcount, gone.rowcount == limit)


async def _traces(tx: Tx, before: datetime, limit: int) -> Gone:
    """Of the next warning that ended long ago; when it has none left, it is ticked off."""
    warning = await _next_ended(tx, before)
    if warning is None:
        return Gone(0, False)
    rows = 0
    for table in (attempts, questions):
        rows += (await tx.execute(emptied(table, table.c.warning_id == warning.id, limit))).rowcount
    if rows == 0:
        await nodes.set_fact(tx, _TRACES_DONE, json.dumps([warning.ended_at.isoformat(), warning.id]))
    return Gone(rows, True)


def emptied(table: Table, which: ColumnElement[bool], limit: int) -> Any:
    """Empties the traces of up to `limit` rows of `attempts` or `questions`."""
    key = list(table.primary_key.columns)
    some = select(*key).where(which, table.c.trace != "").limit(limit)
    # said twice: PostgreSQL joins the whole ledger with a batch where it is not told which part of it
    return update(table).where(which, tuple_(*key).in_(some)).values(trace="")


async def _next_ended(tx: Tx, before: datetime) -> Any:
    c = warnings.c
    found = select(c.id, c.ended_at).where(c.state.in_([state.value for state in ENDED]), c.ended_at < before)
    done = await nodes.fact(tx, _TRACES_DONE)
    if done is not None:
        at, last = json.loads(done)
        behind = tuple_(literal(datetime.fromisoformat(at), c.ended_at.type), literal(last, c.id.type))
        found = found.where(tuple_(c.ended_at, c.id) > behind)
    return (await tx.execute(found.order_by(c.ended_at, c.id).limit(1))).one_or_none()

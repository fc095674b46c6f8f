"""The log of what was done, which nobody changes quietly: each entry carries the hash of the one before it.

An entry is committed with what it records. It must survive many who write at once (the chain never forks: one writes at a
time), and the service's own account, which may add to the table and do nothing else (a trigger, and on PostgreSQL its rights).
Whoever owns the database can still cut the end off or write the whole anew: that is what anchors are for
(`dispatcher/auditing.py`). Nothing personal stands here: codes, numbers, and the names of warnings, sources and accounts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import insert, select, text

from dispatcher.store.engine import Tx, last
from dispatcher.store.tables import audit

START: Final = "0" * 64
"""What stands before the first entry."""
PAGE: Final = 1000
_ADVISORY_LOCK: Final = 36_08_01


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """`actor` did `action` to `subject`: `source:city-weather`, `command`, `system` …; `detail` is what JSON can say."""

    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """As it is kept. `no` counts from 1 without a gap; `detail` is the very text that was hashed."""

    no: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: str
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry's number and hash."""

    no: int
    hash: str


def link(no: int, at: datetime, act: tuple[str, str, str, str], previous: str) -> str:
    """The hash of an entry: SHA-256 over the one before it and every field, each with its place. `act`: actor, action,
    subject, detail."""
    told = json.dumps([no, at.astimezone(UTC).isoformat(timespec="microseconds"), *act], ensure_ascii=True)
    return hashlib.sha256(bytes.fromhex(previous) + told.encode()).hexdigest()


def append(tx: Tx, now: datetime, act: Act) -> None:
    """Adds an entry to this transaction. It is written as the last thing before the commit, so that those who write wait for
    one another for a commit alone, and never while holding what the other wants."""
    last(tx, _write, (now, act))


async def _write(tx: Tx, acts: Sequence[tuple[datetime, Act]]) -> None:
    if tx.dialect.name == "postgresql":  # SQLite has one writer
        await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    before = await head(tx)
    rows, no, previous = [], before.no, before.hash
    for now, act in acts:
        no += 1
        said = json.dumps(dict(act.detail), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        told = (act.actor, act.action, act.subject, said)
        digest = link(no, now, told, previous)
        rows.append(
            dict(zip(("actor", "action", "subject", "detail"), told, strict=True))
            | {"no": no, "at": now, "previous": previous, "hash": digest}
        )
        previous = digest
    await tx.execute(insert(audit), rows)


async def head(tx: Tx) -> Head:
    row = (await tx.execute(select(audit.c.no, audit.c.hash).order_by(audit.c.no.desc()).limit(1))).one_or_none()
    return Head(row.no, row.hash) if row else Head(0, START)


async def entries(tx: Tx, after: int = 0) -> AsyncIterator[Entry]:
    """All of them by number, a page at a time."""
    while True:
        page = await tx.execute(select(audit).where(audit.c.no > after).order_by(audit.c.no).limit(PAGE))
        rows = page.mappings().all()
        for row in rows:
            yield Entry(**row)
        if len(rows) < PAGE:
            return
        after = rows[-1]["no"]


async def newest(tx: Tx, limit: int, before: int = 0) -> list[Entry]:
    """Newest first; `before`: only those behind this one, 0 for all."""
    wanted = select(audit).order_by(audit.c.no.desc()).limit(limit)
    rows = await tx.execute(wanted.where(audit.c.no < before) if before else wanted)
    return [Entry(**row) for row in rows.mappings()]


async def since(tx: Tx, at: datetime, actions: Collection[str], most: int) -> list[Entry]:
    """Of these actions, newest first, not before `at`; at most so many. The log stands in the order of time, so that it is read
    from its end, and no further back than asked."""
    found: list[Entry] = []
    before = 0
    while len(found) < most:
        page = await newest(tx, PAGE, before)
        found += [one for one in page if one.at >= at and one.action in actions]
        if len(page) < PAGE or page[-1].at < at:
            break
        before = page[-1].no
    return found[:most]

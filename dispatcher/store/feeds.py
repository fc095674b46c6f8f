"""Upstream feeds: when each is due, what we have of it, and what became of every entry it listed.

It must survive two processes that poll at once for a moment, an address that was changed, and an entry that is published
again while its former version is on its way: what is said of that one is said of no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, and_, func, select, update

from dispatcher.store.engine import Tx, storable, upsert
from dispatcher.store.tables import feed_entries, feeds


class Outcome(StrEnum):
    """What became of an entry. `WAITING` is the only one that is not an end."""

    WAITING = "waiting"
    ACCEPTED = "accept"
    HELD = "hold"
    REJECTED = "reject"
    REPEATED = "repeated"
    OVER = "over"
    ELSEWHERE = "elsewhere"
    NO_CAP = "no_cap"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRow:
    """`asked`: a digest of how it is to be read, and `began_at` since when. `last_error` is empty after a success."""

    source: str
    url: str
    asked: str
    etag: str
    last_modified: str
    failures: int
    next_at: datetime
    began_at: datetime
    last_ok_at: datetime | None
    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An entry as the feed lists it. `outcome` says already now if nothing is to be done with it."""

    key: str
    entry_id: str
    version: str
    updated: datetime | None
    href: str
    body: bytes
    outcome: Outcome = Outcome.WAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """An entry that waits. `body`: the CAP itself, where the feed brought it."""

    source: str
    key: str
    entry_id: str
    version: str
    href: str
    body: bytes | None
    tries: int
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfetched:
    """What could not be fetched so far, of one feed: how many, and why one of them."""

    count: int
    reason: str


async def enter(tx: Tx, source: str, url: str, asked: str, now: datetime) -> None:
    """A feed that is new, or is to be read otherwise than before: whole, and at once. Its entries are remembered."""
    fresh = {
        "url": storable(url), "asked": asked, "etag": "", "last_modified": "", "failures": 0, "next_at": now,
        "began_at": now, "last_ok_at": None, "last_error": "",
    }  # fmt: skip
    statement = upsert(tx, feeds).values(source=source, **fresh)
    await tx.execute(statement.on_conflict_do_update(index_elements=[feeds.c.source], set_=fresh))


async def one(tx: Tx, source: str) -> FeedRow | None:
    row = (await tx.execute(select(feeds).where(feeds.c.source == source))).mappings().one_or_none()
    return FeedRow(**row) if row else None


async def every(tx: Tx) -> dict[str, FeedRow]:
    return {row["source"]: FeedRow(**row) for row in (await tx.execute(select(feeds))).mappings()}


async def was_read(tx: Tx, source: str, marks: tuple[str, str], now: datetime, next_at: datetime) -> None:
    """`marks`: ETag and Last-Modified of what we have now."""
    values = {"etag": marks[0], "last_modified": marks[1], "failures": 0, "last_error": "", "last_ok_at": now}
    await tx.execute(update(feeds).where(feeds.c.source == source).values(next_at=next_at, **values))


async def was_not_read(tx: Tx, source: str, failures: int, reason: str, next_at: datetime) -> None:
    values = {"failures": failures, "last_error": storable(reason), "next_at": next_at}
    await tx.execute(update(feeds).where(feeds.c.source == source).values(**values))


async def note(tx: Tx, source: str, seen: Sequence[Seen], now: datetime) -> int:
    """Writes down what is new or was published again, to be worked off; returns how many that were.

    So too what was passed over as elsewhere, and is not elsewhere any more.
    """
    c = feed_entries.c
    asked = select(c.key, c.version, c.outcome).where(c.source == source, c.key.in_([one.key for one in seen]))
    known = {row.key: (row.version, row.outcome) for row in await tx.execute(asked)}
    news = {one.key: one for one in seen if _is_news(known.get(one.key), one)}
    if news:
        statement = upsert(tx, feed_entries)
        changed = {name: statement.excluded[name] for name in _NEWS}
        statement = statement.on_conflict_do_update(index_elements=[c.source, c.key], set_=changed)
        await tx.execute(statement, [_values(source, one, now) for one in news.values()])
    return len(news)


def _is_news(known: tuple[str, str] | None, one: Seen) -> bool:
    if known is None or known[0] != storable(one.version):
        return True
    return known[1] == Outcome.ELSEWHERE.value and one.outcome is Outcome.WAITING


_NEWS: Final = ("version", "updated", "href", "body", "outcome", "reason", "tries", "seen_at", "due_at")
"""What a new version of an entry changes; what became of the former is kept until this one has an end too."""


def _values(source: str, one: Seen, now: datetime) -> dict[str, object]:
    waits = one.outcome is Outcome.WAITING
    return {
        "source": source,
        "key": one.key,
        "entry_id": storable(one.entry_id),
        "version": storable(one.version),
        "updated": one.updated or now,
        "href": storable(one.href),
        "body": one.body or None if waits else None,
        "outcome": one.outcome.value,
        "reason": "",
        "warning_id": "",
        "tries": 0,
        "seen_at": now,
        "due_at": now if waits else None,
        "fetched_at": None,
    }


async def due(tx: Tx, source: str, now: datetime, limit: int) -> list[EntryRow]:
    """What waits and may be tried, the oldest first; what failed before does not keep the others waiting."""
    c = feed_entries.c
    names = [c.source, c.key, c.entry_id, c.version, c.href, c.body, c.tries, c.seen_at]
    found = select(*names).where(c.source == source, c.due_at <= now)
    found = found.order_by(c.tries, c.updated, c.seen_at, c.key).limit(limit)
    return [EntryRow(**row) for row in (await tx.execute(found)).mappings()]


async def ended(tx: Tx, row: EntryRow, outcome: Outcome, said: tuple[str, str], now: datetime) -> None:
    """`said`: why, and as which warning it was kept ('' where as none)."""
    reason, warning_id = storable(said[0]), said[1]
    fetched = None if outcome is Outcome.GIVEN_UP else now
    end = {"outcome": outcome.value, "reason": reason, "warning_id": warning_id, "fetched_at": fetched}
    await tx.execute(update(feed_entries).where(_this(row)).values(due_at=None, body=None, **end))


async def postponed(tx: Tx, row: EntryRow, reason: str, due_at: datetime) -> None:
    values = {"tries": row.tries + 1, "reason": storable(reason), "due_at": due_at}
    await tx.execute(update(feed_entries).where(_this(row)).values(**values))


async def unfetched(tx: Tx) -> Mapping[str, Unfetched]:
    """By source: what was tried in vain and still waits."""
    c = feed_entries.c
    found = select(c.source, func.count(), func.max(c.reason)).where(c.due_at.is_not(None), c.tries > 0)
    rows = await tx.execute(found.group_by(c.source))
    return {source: Unfetched(count=count, reason=reason) for source, count, reason in rows}


def _this(row: EntryRow) -> ColumnElement[bool]:
    """This version of it, and no later one."""
    c = feed_entries.c
    return and_(c.source == row.source, c.key == row.key, c.version == row.version)

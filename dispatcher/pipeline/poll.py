"""An upstream feed is read when it is due, and each alert it lists is fetched once and handed to `accept`.

What is to be done stands in tables: how far a feed was read, and every entry that waits. An entry is ticked off only after
`accept` has committed it, so a crash between the two fetches it again, and `accept` finds that it has it. It must survive
feeds that are away, garbage, or list the same thing over and over; one entry that cannot be had never stops the others.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, assert_never

import structlog

from dispatcher.intake import hardened
from dispatcher.intake.decode import MOST_XML
from dispatcher.intake.findings import Unreadable
from dispatcher.model import Verdict
from dispatcher.pipeline.accept import Answer, Incoming
from dispatcher.pipeline.context import Context
from dispatcher.polling import choosing, reading
from dispatcher.polling.fetching import AT_ONCE, Ask, Document, Failed, Fetcher, Unchanged
from dispatcher.polling.reading import Entry, NotAFeed
from dispatcher.settings import Feed
from dispatcher.store import feeds
from dispatcher.store.engine import database_is_away
from dispatcher.store.feeds import EntryRow, FeedRow, Outcome, Seen
from dispatcher.telemetry import FEED_ENTRIES, FEED_READS, mask

MOST_FEED: Final = 16 * 1024 * 1024
MOST_ELEMENTS: Final = 200_000
FIRST_PAUSE_S: Final = 5.0
"""After the first failure to fetch an entry."""
GIVEN_UP_AFTER: Final = timedelta(hours=24)
CAP_TYPE: Final = "application/cap+xml"

log = structlog.get_logger()


def ask_for(feed: Feed, url: str = "") -> Ask:
    """The feed itself, whole; or what it lists at `url`."""
    tls, most = feed.scheme == "https", MOST_XML if url else MOST_FEED
    return Ask(url=url or feed.url, hosts=feed.pinned, tls=tls, timeout_s=feed.timeout_s, most=most)


def entries_of(document: Document) -> list[Entry]:
    """What it lists. Raises NotAFeed with the sentence for a person, whatever the bytes."""
    try:
        root = hardened.parse(document.body, elements=MOST_ELEMENTS)
    except Unreadable as error:
        raise NotAFeed(str(error)) from error
    return reading.read(root, document.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """Nothing where the feed has not changed. `marks`: its ETag and Last-Modified."""

    entries: Sequence[Entry]
    marks: tuple[str, str]


@dataclass(slots=True, kw_only=True)
class Poller:
    """One feed's. `look` is called every second by whoever leads; `accept` is the service's one way in."""

    context: Context
    source: str
    feed: Feed
    fetcher: Fetcher
    accept: Callable[[Incoming], Awaitable[Answer]]
    chance: Callable[[], float]
    _quiet_until: datetime | None = None
    """The peer asked to be left alone: no document is fetched before."""

    async def look(self) -> None:
        """Reads the feed whenever it is due, and works off what it listed."""
        while True:
            row = await self._row()
            if row.next_at <= self.context.now():
                await self._read(row)
            if not await self._work_off():
                return

    # ── the feed ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _row(self) -> FeedRow:
        store, asked = self.context.store, _digest(self.feed)
        async with store.read() as tx:
            row = await feeds.one(tx, self.source)
        if row is None or row.asked != asked:
            async with store.begin() as tx:
                await feeds.enter(tx, self.source, self.feed.url, asked, self.context.now())
                row = await feeds.one(tx, self.source)
        assert row is not None
        return row

    async def _read(self, row: FeedRow) -> None:
        try:
            found = await self._listed(row)
        except Exception as error:
            log.exception("读上游目录时出错", source=self.source)
            found = _our_fault(error)
        if isinstance(found, Failed):
            await self._not_read(row, found)
        else:
            await self._was_read(row, found)

    async def _listed(self, row: FeedRow) -> _Listed | Failed:
        ask = replace(ask_for(self.feed), etag=row.etag, last_modified=row.last_modified)
        match await self.fetcher.get(ask, self.context.now()):
            case Document() as document:
                try:
                    entries = await asyncio.to_thread(entries_of, document)
                except NotAFeed as error:
                    return Failed(reason=str(error))
                return _Listed(entries=entries, marks=(document.etag, document.last_modified))
            case Unchanged():
                return _Listed(entries=(), marks=(row.etag, row.last_modified))
            case Failed() as failed:
                return failed
            case other:
                assert_never(other)

    async def _was_read(self, row: FeedRow, listed: _Listed) -> None:
        """In one transaction with what is to be done: what was listed is not lost with the process that read it."""
        now, entries = self.context.now(), listed.entries
        elsewhere = {entry.key for entry in entries if choosing.is_elsewhere(entry, self.feed.only)}
        ours = [entry for entry in entries if entry.key not in elsewhere]
        wanted = choosing.newest(ours, self.feed.max_entries)
        if len(wanted) < len(ours):
            log.warning("上游目录条数过多，只看最新的：请调大 max_entries", source=self.source, entries=len(ours))
        seen = [_seen(entry, Outcome.ELSEWHERE) for entry in entries if entry.key in elsewhere]
        seen += [_seen(entry, self._outcome(row, entry, now)) for entry in wanted]
        async with self.context.store.begin() as tx:
            new = await feeds.note(tx, self.source, seen, now)
            await feeds.was_read(tx, self.source, listed.marks, now, now + timedelta(seconds=self.feed.every_s))
        FEED_READS.labels(self.source, "read").inc()
        if new or row.failures:
            log.info("读到上游目录", source=self.source, entries=len(entries), new=new)

    def _outcome(self, row: FeedRow, entry: Entry, now: datetime) -> Outcome:
        if not (entry.href or entry.body):
            return Outcome.NO_CAP
        first = row.last_ok_at is None
        return Outcome.OVER if first and choosing.is_over(entry, now) else Outcome.WAITING

    async def _not_read(self, row: FeedRow, failed: Failed) -> None:
        failures = row.failures + 1
        pause = choosing.pause_s(failures, self.feed.every_s, failed.after_s, self.chance())
        next_at = self.context.now() + timedelta(seconds=pause)
        async with self.context.store.begin() as tx:
            await feeds.was_not_read(tx, self.source, failures, failed.reason, next_at)
        FEED_READS.labels(self.source, "failed").inc()
        log.warning("没有读到上游目录，稍后再试", source=self.source, failures=failures, why=failed.reason)

    # ── what it lists ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _work_off(self) -> bool:
        """A few that are due, fetched side by side and handed over one after the other; False where none was left."""
        now = self.context.now()
        if self._quiet_until is not None and now < self._quiet_until:
            return False
        async with self.context.store.read() as tx:
            rows = await feeds.due(tx, self.source, now, AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            fetching = [tasks.create_task(self._fetch(row)) for row in rows]
        for row, fetched in zip(rows, fetching, strict=True):
            await self._take(row, fetched.result())
        return bool(rows)

    async def _fetch(self, row: EntryRow) -> Document | Failed:
        if row.body is not None:
            return Document(body=row.body, content_type=CAP_TYPE, url=self.feed.url, etag="", last_modified="")
        try:
            found = await self.fetcher.get(ask_for(self.feed, row.href), self.context.now())
        except Exception as error:
            log.exception("读上游预警时出错", source=self.source, entry=row.entry_id)
            return _our_fault(error)
        if isinstance(found, Unchanged):
            return Failed(reason="对方答“没有变化”（304），我们却还没有这一份，请告诉对方")
        return found

    async def _take(self, row: EntryRow, fetched: Document | Failed) -> None:
        if isinstance(fetched, Failed):
            await self._postpone(row, fetched)
            return
        incoming = Incoming(
            door="feed", source=self.source, content_type=fetched.content_type or CAP_TYPE, body=fetched.body
        )
        try:
            answer = await self.accept(incoming)
        except Exception as error:
            if database_is_away(error):
                raise
            log.exception("收上游预警时出错", source=self.source, entry=row.entry_id)
            await self._postpone(row, _our_fault(error))
            return
        await self._end(row, _outcome_of(answer), (answer.reason, answer.warning_id))

    async def _postpone(self, row: EntryRow, failed: Failed) -> None:
        """The others go on; this one comes again later, until it is a day old."""
        now = self.context.now()
        if now - row.seen_at > GIVEN_UP_AFTER:
            log.error("上游预警一天都没有取到，不再尝试", source=self.source, entry=row.entry_id, why=failed.reason)
            await self._end(row, Outcome.GIVEN_UP, (failed.reason, ""))
            return
        pause = choosing.pause_s(row.tries + 1, FIRST_PAUSE_S, failed.after_s, self.chance())
        until = now + timedelta(seconds=pause)
        if failed.busy:
            self._quiet_until = until
        async with self.context.store.begin() as tx:
            await feeds.postponed(tx, row, failed.reason, until)
        log.warning("没有取到上游预警，稍后再试", source=self.source, entry=row.entry_id, why=failed.reason)

    async def _end(self, row: EntryRow, outcome: Outcome, said: tuple[str, str]) -> None:
        async with self.context.store.begin() as tx:
            await feeds.ended(tx, row, outcome, (mask(said[0]), said[1]), self.context.now())
        FEED_ENTRIES.labels(self.source, outcome).inc()


def _digest(feed: Feed) -> str:
    """Where one of these changes, what was passed over may be wanted: the feed is read whole again."""
    return hashlib.sha256(repr((feed.url, feed.hosts, feed.only, feed.max_entries)).encode()).hexdigest()


def _our_fault(error: Exception) -> Failed:
    """Something nobody thought of: it stops this entry, and neither the others nor the ticking."""
    return Failed(reason=f"本机处理出错（{type(error).__name__}），请把日志交给维护人员")


def _seen(entry: Entry, outcome: Outcome) -> Seen:
    return Seen(
        key=entry.key,
        entry_id=entry.id,
        version=entry.version,
        updated=entry.updated,
        href=entry.href,
        body=entry.body,
        outcome=outcome,
    )


def _outcome_of(answer: Answer) -> Outcome:
    if answer.repeated:
        return Outcome.REPEATED
    match answer.verdict:
        case Verdict.ACCEPT:
            return Outcome.ACCEPTED
        case Verdict.HOLD:
            return Outcome.HELD
        case Verdict.REJECT:
            return Outcome.REJECTED
        case other:
            assert_never(other)

"""What an upstream lists is kept once, whatever becomes of the feed, of one entry, or of us; on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import select

from channels.addresses import Guard
from dispatcher.model import Reference
from dispatcher.pipeline.accept import Answer, Incoming, accept
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.poll import Poller
from dispatcher.polling.fetching import Fetcher
from dispatcher.settings import Feed, Source
from dispatcher.store import feeds, warnings
from dispatcher.store.engine import Store
from dispatcher.store.feeds import FeedRow
from dispatcher.store.tables import feed_entries, rejects
from dispatcher.store.tables import warnings as kept_warnings
from tests.city import NOW, Clock, cap, named, settings
from tests.dispatcher.conftest import SEAL
from tests.dispatcher.upstream import Upstream, atom, entry, item, rss, upstream

pytestmark = pytest.mark.long

SOURCE = "province"
EVERY_S = 60


@dataclass(slots=True, kw_only=True)
class Reader:
    """We, who read `up`. `chance` is what back-off draws."""

    context: Context
    clock: Clock
    up: Upstream
    fetcher: Fetcher
    feed: Feed
    handed: list[Incoming] = field(default_factory=list)
    poller: Poller | None = None

    def configured(self, *, trusted: bool = False, **feed: Any) -> None:
        """From now on, as after a restart."""
        self.feed = self.feed.model_copy(update=feed)
        source = Source(
            name="省预警发布中心", doors=("feed",), area_prefixes=("360800",), trusted=trusted, feed=self.feed
        )
        self.context.settings = replace(self.context.settings, sources={SOURCE: source})
        self.poller = Poller(
            context=self.context, source=SOURCE, feed=self.feed, fetcher=self.fetcher, accept=self.accept,
            chance=lambda: 0.0,
        )  # fmt: skip

    async def accept(self, incoming: Incoming) -> Answer:
        self.handed.append(incoming)
        return await accept(self.context, incoming)

    async def look(self, **later: float) -> list[str]:
        """A tick, so much later; what was asked for."""
        self.clock.pass_(**later)
        assert self.poller is not None
        await self.poller.look()
        return self.up.paths()

    async def row(self) -> FeedRow:
        async with self.context.store.read() as tx:
            row = await feeds.one(tx, SOURCE)
        assert row is not None
        return row

    async def outcomes(self) -> dict[str, str]:
        """Entry → what became of it."""
        async with self.context.store.read() as tx:
            rows = await tx.execute(select(feed_entries.c.entry_id, feed_entries.c.outcome))
            return {row.entry_id: row.outcome for row in rows}

    async def kept(self) -> dict[str, str]:
        """Identifier → state, of every warning that is kept."""
        async with self.context.store.read() as tx:
            rows = await tx.execute(select(kept_warnings.c.identifier, kept_warnings.c.state))
            return {row.identifier: row.state for row in rows}

    async def refused(self) -> list[tuple[str, int]]:
        async with self.context.store.read() as tx:
            return [(row.door, row.code) for row in await tx.execute(select(rejects.c.door, rejects.c.code))]


@asynccontextmanager
async def reading(context: Context, clock: Clock) -> AsyncIterator[Reader]:
    fetcher = Fetcher(Guard(loopback=True, stranger=True))
    async with upstream() as up:
        feed = Feed(url=f"{up.url}/cap.atom", every_s=EVERY_S, timeout_s=5)
        opened = Reader(context=context, clock=clock, up=up, fetcher=fetcher, feed=feed)
        opened.configured()
        yield opened
        await fetcher.close()


@pytest.fixture
async def reader(store: Store, clock: Clock) -> AsyncIterator[Reader]:
    """Where nobody lives: whatever is not refused is held."""
    async with reading(Context(settings=settings(), store=store, seal=SEAL, now=clock), clock) as opened:
        yield opened


@pytest.fixture
async def jian_reader(jian: Context, clock: Clock) -> AsyncIterator[Reader]:
    async with reading(jian, clock) as opened:
        yield opened


# ── once ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("trusted", "state"), [(False, "held"), (True, "approved")])
async def test_what_is_listed_is_kept_as_its_source_is_believed(jian_reader: Reader, trusted: bool, state: str) -> None:
    jian_reader.configured(trusted=trusted)
    jian_reader.up.serve("/a.xml", cap("a"), **{"Content-Type": "application/cap+xml"})
    jian_reader.up.serve("/cap.atom", atom(entry("urn:a", "a.xml")))
    assert await jian_reader.look() == ["/cap.atom", "/a.xml"]
    assert (await jian_reader.kept(), await jian_reader.outcomes()) == (
        {"a": state},
        {"urn:a": "accept" if trusted else "hold"},
    )
    async with jian_reader.context.store.read() as tx:
        row = await warnings.by_identity(tx, Reference(sender="36080041600000", identifier="a", sent=NOW))
    assert row is not None
    assert (row.door, row.source, row.content_type, row.raw) == ("feed", SOURCE, "application/cap+xml", cap("a"))


async def test_nothing_is_asked_before_it_is_due_and_what_did_not_change_is_not_fetched_again(reader: Reader) -> None:
    reader.up.serve("/a.xml", cap("a"))
    reader.up.serve("/cap.atom", atom(entry("urn:a", "a.xml")), ETag='"1"')
    assert await reader.look() == ["/cap.atom", "/a.xml"]
    assert await reader.look(seconds=EVERY_S - 1) == []
    await reader.look(seconds=1)
    assert await reader.look() == []
    reader.up.serve("/cap.atom", atom(entry("urn:a", "a.xml"), entry("urn:b", "b.xml")), ETag='"2"')
    reader.up.serve("/b.xml", cap("b"))
    assert await reader.look(seconds=EVERY_S) == ["/cap.atom", "/b.xml"]
    assert len(reader.handed) == 2


async def test_the_marks_of_what_we_have_are_sent_back(reader: Reader) -> None:
    stamp = "Thu, 02 Apr 2026 18:39:00 GMT"
    reader.up.serve("/cap.atom", atom(), ETag='"1"', **{"Last-Modified": stamp})
    await reader.look()
    reader.clock.pass_(seconds=EVERY_S)
    reader.configured()
    assert reader.poller is not None
    await reader.poller.look()
    ((_, headers),) = reader.up.asked
    assert (headers["If-None-Match"], headers["If-Modified-Since"]) == ('"1"', stamp)
    assert (await reader.row()).last_ok_at == reader.clock()


async def test_an_entry_published_again_is_fetched_again_and_its_warning_kept_once(reader: Reader) -> None:
    reader.up.serve("/a.xml", cap("a"))
    reader.up.serve("/cap.atom", atom(entry("urn:a", "a.xml")))
    await reader.look()
    reader.up.serve("/cap.atom", atom(entry("urn:a", "a.xml", updated="2026-04-02T18:40:00Z")))
    assert await reader.look(seconds=EVERY_S) == ["/cap.atom", "/a.xml"]
    assert (await reader.kept(), await reader.outcomes()) == ({"a": "held"}, {"urn:a": "repeated"})


async def test_an_alert_that_says_something_else_under_its_identity_is_refused_on_record(reader: Reader) -> None:
    reader.up.serve("/a.xml", cap("a"))
    reader.up.serve("/cap.atom", atom(entry("urn:a", "a.xml")))
    await reader.look()
    reader.up.serve("/a.xml", cap("a", headline="吉安市气象台更正暴雨红色预警"))
    reader.up.serve("/cap.atom", atom(entry("urn:a", "a.xml", updated="2026-04-02T18:40:00Z")))
    await reader.look(seconds=EVERY_S)
    assert await reader.refused() == [("feed", 201)]
    assert await reader.outcomes() == {"urn:a": "reject"}


async def test_the_same_alert_from_two_upstreams_is_kept_once(reader: Reader) -> None:
    body = cap("a").decode().partition("?>")[2]
    reader.up.serve("/a.xml", cap("a"))
    reader.up.serve("/cap.atom", atom(entry("urn:a", "a.xml"), entry("urn:again", inside=body)))
    await reader.look()
    assert await reader.kept() == {"a": "held"}
    assert sorted((await reader.outcomes()).values()) == ["hold", "repeated"]


async def test_rss_with_the_cap_in_it_is_read_like_any_other(reader: Reader) -> None:
    reader.up.serve("/cap.atom", rss(item(guid="1", description=cap("a").decode()), item(guid="2", link="/b.xml")))
    reader.up.serve("/b.xml", cap("b"))
    await reader.look()
    assert set(await reader.kept()) == {"a", "b"}
    async with reader.context.store.read() as tx:
        bodies = (await tx.execute(select(feed_entries.c.body))).scalars().all()
    assert bodies == [None, None], "what was handed over is not kept twice"


# ── in order ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_oldest_comes_first_so_that_what_changes_it_joins_it(jian_reader: Reader) -> None:
    jian_reader.configured(trusted=True)
    later = NOW + timedelta(minutes=1)
    jian_reader.up.serve("/a.xml", cap("a"))
    jian_reader.up.serve("/b.xml", cap("b", sent=later, kind="Update", references=named("a")))
    jian_reader.up.serve("/c.xml", cap("c", sent=later, kind="Cancel", references=named("b", later)))
    listed = [
        entry("c", "c.xml", "2026-04-02T18:41:00Z"),
        entry("b", "b.xml", "2026-04-02T18:40:00Z"),
        entry("a", "a.xml"),
    ]
    jian_reader.up.serve("/cap.atom", atom(*listed))
    await jian_reader.look(minutes=3)
    assert [_identifier(one.body) for one in jian_reader.handed] == ["a", "b", "c"]
    assert await jian_reader.kept() == {"a": "superseded", "b": "cancelled", "c": "approved"}


async def test_of_a_long_feed_the_newest_are_looked_at(reader: Reader) -> None:
    reader.configured(max_entries=2)
    for name in "abc":
        reader.up.serve(f"/{name}.xml", cap(name))
    listed = [entry(name, f"{name}.xml", f"2026-04-02T18:3{no}:00Z") for no, name in enumerate("abc")]
    reader.up.serve("/cap.atom", atom(*listed))
    await reader.look()
    assert set(await reader.kept()) == {"b", "c"}


# ── what is not fetched ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_of_a_new_feed_what_is_old_and_over_is_seen_and_not_fetched(reader: Reader) -> None:
    over = "<cap:expires>2026-04-01T12:00:00Z</cap:expires>"
    old = "2026-04-01T10:00:00Z"
    listed = [entry("over", "over.xml", old, over), entry("unknown", "unknown.xml", old)]
    reader.up.serve("/cap.atom", atom(*listed))
    assert await reader.look() == ["/cap.atom", "/unknown.xml"]
    assert (await reader.outcomes())["over"] == "over"
    reader.up.serve("/cap.atom", atom(*listed, entry("late", "late.xml", old, over)))
    assert "/late.xml" in await reader.look(seconds=EVERY_S), (
        "what comes late into a known feed is judged, not passed over"
    )


async def test_what_is_plainly_elsewhere_is_not_fetched_until_it_is_asked_for(reader: Reader) -> None:
    reader.configured(only=("3608",))
    ganzhou = "<cap:geocode><valueName>CPEAS Geographic Code</valueName><value>360700000000</value></cap:geocode>"
    reader.up.serve("/cap.atom", atom(entry("a", "a.xml", inside=ganzhou), entry("b", "b.xml")), ETag='"1"')
    reader.up.serve("/a.xml", cap("a", area="360700000000"))
    reader.up.serve("/b.xml", cap("b"))
    assert await reader.look() == ["/cap.atom", "/b.xml"]
    assert await reader.outcomes() == {"a": "elsewhere", "b": "hold"}
    reader.configured(only=("36",))
    assert await reader.look() == ["/cap.atom", "/a.xml"], "the feed is read whole, though it did not change"
    assert set(await reader.kept()) == {"a", "b"}


async def test_an_entry_without_cap_is_put_on_record_as_such(reader: Reader) -> None:
    reader.up.serve("/cap.atom", atom(entry("about", inside='<link type="text/html" href="/about.html"/>')))
    assert await reader.look() == ["/cap.atom"]
    assert await reader.outcomes() == {"about": "no_cap"}


# ── when the feed fails ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_feed_that_fails_is_asked_less_and_less_and_then_as_before(reader: Reader) -> None:
    reader.up.serve("/cap.atom", b"", status=500)
    for failures, pause in enumerate([60, 120, 240, 480, 900, 900], 1):
        assert await reader.look() == ["/cap.atom"]
        row = await reader.row()
        assert (row.failures, row.next_at - reader.clock()) == (failures, timedelta(seconds=pause))
        assert "500" in row.last_error
        assert await reader.look(seconds=pause - 1) == []
        reader.clock.pass_(seconds=1)
    reader.up.serve("/cap.atom", atom())
    await reader.look()
    row = await reader.row()
    assert (row.failures, row.last_error, row.next_at - reader.clock()) == (0, "", timedelta(seconds=EVERY_S))


@pytest.mark.parametrize("status", [429, 503])
async def test_a_feed_that_asks_for_time_gets_it(reader: Reader, status: int) -> None:
    reader.up.serve("/cap.atom", b"", status=status, **{"Retry-After": "300"})
    await reader.look()
    assert await reader.look(seconds=299) == []
    assert await reader.look(seconds=1) == ["/cap.atom"]


async def _hang(_request: web.BaseRequest) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_feed_that_hangs_costs_its_time_limit(reader: Reader) -> None:
    reader.configured(timeout_s=0.1)
    reader.up.play("/cap.atom", _hang)
    await reader.look()
    assert "0.1 秒" in (await reader.row()).last_error


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<feed", "XML"),
        (b"", "XML"),
        (cap(), "不是 Atom 或 RSS"),
        (b'<!DOCTYPE feed [<!ENTITY a "b">]><feed xmlns="http://www.w3.org/2005/Atom"/>', "DOCTYPE"),
        (b"<a>" * 100 + b"</a>" * 100, "过深"),
        (atom(*(entry(str(number), "a.xml") for number in range(3000))), "元素过多"),
        (atom().ljust(17 * 1024 * 1024), "没有读完"),
    ],
)
async def test_a_feed_that_is_garbage_counts_as_not_read(reader: Reader, body: bytes, said: str) -> None:
    reader.up.serve("/cap.atom", body, ETag='"1"')
    await reader.look()
    row = await reader.row()
    assert said in row.last_error
    assert (row.failures, row.etag, row.last_ok_at) == (1, "", None)


async def test_a_feed_that_was_moved_to_another_host_is_not_followed(reader: Reader) -> None:
    async with upstream() as other:
        other.serve("/cap.atom", atom())
        port = other.url.rpartition(":")[2]
        reader.up.serve("/cap.atom", b"", status=301, Location=f"http://localhost:{port}/cap.atom")
        await reader.look()
        assert other.paths() == []
    assert (await reader.row()).failures == 1


# ── when an entry fails ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_bad_entry_stops_no_other_and_is_tried_again(reader: Reader) -> None:
    listed = [entry("gone", "gone.xml"), entry("page", "page.html"), entry("a", "a.xml", "2026-04-02T18:40:00Z")]
    reader.up.serve("/cap.atom", atom(*listed), ETag='"1"')
    reader.up.serve("/page.html", b"<html/>")
    reader.up.serve("/a.xml", cap("a"))
    assert sorted(await reader.look()) == ["/a.xml", "/cap.atom", "/gone.xml", "/page.html"]
    assert (await reader.kept(), (await reader.outcomes())["gone"]) == ({"a": "held"}, "waiting")
    async with reader.context.store.read() as tx:
        assert (await feeds.unfetched(tx))[SOURCE].count == 1
    assert await reader.look(seconds=4) == []
    reader.up.serve("/gone.xml", cap("gone"))
    assert await reader.look(seconds=1) == ["/gone.xml"]
    assert set(await reader.kept()) == {"a", "gone"}


async def test_what_is_no_cap_after_all_is_refused_on_record(reader: Reader) -> None:
    reader.up.serve("/cap.atom", atom(entry("page", "page.xml"), entry("bomb", "bomb.xml")))
    reader.up.serve("/page.xml", b"<html/>")
    reader.up.serve("/bomb.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    await reader.look()
    assert sorted(await reader.refused()) == [("feed", 220), ("feed", 260)]
    assert set((await reader.outcomes()).values()) == {"reject"}


async def test_entries_go_on_while_the_feed_itself_is_away(reader: Reader) -> None:
    reader.up.serve("/cap.atom", atom(entry("a", "a.xml")))
    await reader.look()
    reader.up.serve("/cap.atom", b"", status=500)
    reader.up.serve("/a.xml", cap("a"))
    assert "/a.xml" in await reader.look(seconds=EVERY_S)
    assert set(await reader.kept()) == {"a"}


async def test_a_document_server_that_asks_for_time_gets_it_for_all_its_documents(reader: Reader) -> None:
    listed = [entry(str(number), f"{number}.xml", f"2026-04-02T18:3{number}:00Z") for number in range(9)]
    reader.up.serve("/cap.atom", atom(*listed))
    for number in range(9):
        reader.up.serve(f"/{number}.xml", b"", status=429, **{"Retry-After": "30"})
    assert len(await reader.look()) == 1 + 4, "those that were on their way"
    assert await reader.look(seconds=29) == []
    for number in range(9):
        reader.up.serve(f"/{number}.xml", cap(str(number)))
    await reader.look(seconds=1)
    assert len(await reader.kept()) == 9


async def test_an_entry_on_another_host_is_not_fetched_until_that_host_is_named(reader: Reader) -> None:
    port = reader.up.url.rpartition(":")[2]
    reader.up.serve("/b.xml", cap("b"))
    reader.up.serve("/cap.atom", atom(entry("a", f"http://localhost:{port}/a.xml"), entry("b", "b.xml")))
    assert "/a.xml" not in await reader.look()
    async with reader.context.store.read() as tx:
        assert "feed.hosts" in (await feeds.unfetched(tx))[SOURCE].reason
    assert set(await reader.kept()) == {"b"}


async def test_an_entry_that_cannot_be_had_for_a_day_is_given_up_and_said_so(reader: Reader) -> None:
    reader.up.serve("/cap.atom", atom(entry("gone", "gone.xml")))
    await reader.look()
    await reader.look(hours=23)
    assert await reader.outcomes() == {"gone": "waiting"}
    assert "/gone.xml" in await reader.look(hours=2)
    assert await reader.outcomes() == {"gone": "given_up"}
    assert "/gone.xml" not in await reader.look(hours=2)


async def test_a_fault_of_ours_over_one_alert_stops_no_other(reader: Reader) -> None:
    """Something nobody thought of, in whoever judges."""
    judge = reader.accept

    async def stumbling(incoming: Incoming) -> Answer:
        if _identifier(incoming.body) == "a":
            raise ZeroDivisionError
        return await judge(incoming)

    assert reader.poller is not None
    reader.poller.accept = stumbling
    reader.up.serve("/cap.atom", atom(entry("a", "a.xml"), entry("b", "b.xml")))
    for name in "ab":
        reader.up.serve(f"/{name}.xml", cap(name))
    await reader.look()
    assert (await reader.outcomes(), await reader.kept()) == ({"a": "waiting", "b": "hold"}, {"b": "held"})
    reader.poller.accept = judge
    await reader.look(seconds=5)
    assert set(await reader.kept()) == {"a", "b"}


async def test_who_stops_in_the_middle_fetches_again_and_keeps_once(reader: Reader) -> None:
    """Cut off right after the commit, before the entry is ticked off."""
    judge = reader.accept

    async def cut_off(incoming: Incoming) -> Answer:
        await judge(incoming)
        raise asyncio.CancelledError

    reader.up.serve("/cap.atom", atom(entry("a", "a.xml")), ETag='"1"')
    reader.up.serve("/a.xml", cap("a"))
    assert reader.poller is not None
    reader.poller.accept = cut_off
    with pytest.raises(asyncio.CancelledError):
        await reader.look()
    reader.up.paths()
    reader.configured()
    assert await reader.look() == ["/a.xml"]
    assert (await reader.kept(), await reader.outcomes()) == ({"a": "held"}, {"a": "repeated"})


def _identifier(body: bytes) -> str:
    return body.decode().partition("<identifier>")[2].partition("<")[0]

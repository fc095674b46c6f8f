"""The live stream: what happened (numbered, resumed by Last-Event-ID) and the counts of what is under way.

One look at the database serves every viewer, at most once a second, and less often where counting takes long. It must
survive a viewer that goes without a word, one that comes back after an hour, and a database that is away for a while.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from aiohttp import web
from aiohttp_sse import EventSourceResponse

from dispatcher.states import SENDING
from dispatcher.store import events, ledger, warnings
from dispatcher.store.engine import Store, Tx, database_is_away
from dispatcher.store.events import Recorded
from dispatcher.store.headlines import Wanted, headlines
from dispatcher.web import reach, shapes
from dispatcher.web.problems import Problem

LOOK_S = 1.0
SHARE = 10
"""Looking takes at most one part in so many of the time."""
REMEMBERED = 1000
MOST_VIEWERS = 1000
"""Three times a city's: after a cut line those of before are counted beside those who come back, until their absence shows."""
BEAT_S = 3.0
"""A script cannot hear a ping: by this it knows that what it shows is not out of date."""
ASK_MS = 1500
ASK_EACH_MS = 15
"""A hundred pages may ask for what moves every second and a half; more of them ask less often, so that all of them together
leave the sending alone, and an office of three hundred behind one address is not turned away."""
PING_S = 15.0
SEND_S = 20.0
RETRY_MS = 2000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one look saw. `counts`: JSON by warning, those under way and those just ended."""

    newest: int
    counts: dict[str, str]
    states: dict[str, str] = field(default_factory=dict)
    """The same without a number, for whoever may see only a part: his page asks for his own."""
    problem: str = ""


class Feed:
    """Shared by all viewers. `clock` is the loop's, for the pace alone."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._looking = asyncio.Lock()
        self._again_at = 0.0
        self._recent: deque[Recorded] = deque(maxlen=REMEMBERED)
        self._view = View(newest=-1, counts={})
        self._under_way: set[str] = set()
        self.viewers = 0

    @property
    def newest(self) -> int:
        """The number of the last event that viewers were told of; -1 while nobody looked."""
        return self._view.newest

    async def now(self) -> View:
        """What stands now, not older than a second or so."""
        async with self._looking:
            began = self._clock()
            if began >= self._again_at:
                await self._look()
                self._again_at = self._clock() + max(LOOK_S * 0.9, SHARE * (self._clock() - began))
            return self._view

    async def after(self, last: int) -> Sequence[Recorded]:
        """Events behind `last`, from memory where it reaches back far enough."""
        if self._recent and self._recent[0].id <= last + 1:
            return [event for event in self._recent if event.id > last]
        async with self._store.read() as tx:
            return await events.since(tx, last)

    async def _look(self) -> None:
        try:
            async with self._store.read() as tx:
                newest = await self._read_events(tx)
                counts = await self._count(tx)
                self._view = View(newest=newest, counts=counts, states=dict(map(_bare, counts.items())))
        except Exception as error:
            if not database_is_away(error):
                raise
            if not self._view.problem:
                log.warning("数据库暂时不可用，实时推送暂停", error=type(error).__name__)
            self._view = View(newest=self._view.newest, counts={}, problem="数据库暂时不可用，页面数字可能不是最新")

    async def _read_events(self, tx: Tx) -> int:
        if self._view.newest < 0:
            return await ledger.newest_event(tx)
        newest = self._view.newest
        while found := await events.since(tx, newest):
            self._recent.extend(found)
            newest = found[-1].id
        return newest

    async def _count(self, tx: Tx) -> dict[str, str]:
        rows = await headlines(tx, Wanted(states=[state.value for state in SENDING]))
        under_way = {row.id: row.state for row in rows}
        ended = await warnings.states_of(tx, sorted(self._under_way - under_way.keys()))
        self._under_way = set(under_way)
        return {number: await _counted(tx, number, state) for number, state in {**ended, **under_way}.items()}


def _bare(counted: tuple[str, str]) -> tuple[str, str]:
    whole = shapes.LiveCounts.model_validate_json(counted[1])
    nothing = {"channels": {}, "total": reach.Tally().out(), "first_sent": None, "last_sent": None}
    return counted[0], whole.model_copy(update=nothing).model_dump_json()


async def _counted(tx: Tx, warning_id: str, state: str) -> str:
    channels = reach.by_channel(await ledger.counts(tx, warning_id))
    times = await ledger.times(tx, warning_id)
    return shapes.LiveCounts(
        warning_id=warning_id,
        state=state,
        channels={channel: tally.out() for channel, tally in channels.items()},
        total=reach.summed(channels.values()).out(),
        first_sent=times.first_sent,
        last_sent=times.last_sent,
    ).model_dump_json()


Sees = Callable[[Sequence[str]], Awaitable[set[str]]]
"""Warnings → those of them that the viewer may see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """`sees`: None where it is everything; `still`: whether he still may look, asked at each look; `now`: what time it is."""

    sees: Sees | None
    still: Callable[[], Awaitable[bool]]
    now: Callable[[], datetime]

    async def may_see(self, warning_ids: Iterable[str | None]) -> set[str | None]:
        """Asked anew each time: a draft is drawn elsewhere. None stands for what is about no warning: that is for whoever sees
        everything."""
        asked = set(warning_ids)
        named = sorted(one for one in asked if one is not None)
        if self.sees is None:
            return asked
        return set(await self.sees(named)) if named else set()


async def stream(
    request: web.Request, feed: Feed, closing: asyncio.Event, viewer: Viewer, *, resumes: bool = True
) -> web.StreamResponse:
    """Until the viewer goes, may look no longer, or the site closes. `resumes`: the numbers of before still stand (a reset
    begins at one)."""
    last = _last_id(request) if resumes else None
    if feed.viewers >= MOST_VIEWERS:
        raise Problem(503, "too_many_viewers", "实时页面打开得太多，请稍后再试", headers={"Retry-After": "30"})
    response = EventSourceResponse(ping_interval=PING_S, send_timeout=SEND_S)
    feed.viewers += 1
    try:
        await response.prepare(request)
        async with response:
            await response.send("{}", event="hello", retry=RETRY_MS)
            await _tell(response, feed, (closing, viewer, request), last)
    except (ConnectionResetError, TimeoutError):
        log.debug("一个实时页面离开了")
    finally:
        feed.viewers -= 1
    return response


async def _tell(
    response: EventSourceResponse, feed: Feed, of: tuple[asyncio.Event, Viewer, web.Request], last: int | None
) -> None:
    """`last` None: from now on."""
    closing, viewer, request = of
    told: dict[str, str] = {}
    problem = ""
    beats = time.monotonic()
    while not closing.is_set() and response.is_connected() and request.transport is not None:
        view = await feed.now()
        if view.problem != problem:
            problem = view.problem
            await response.send(problem, event="trouble")
        if not problem and not await viewer.still():
            return
        if time.monotonic() >= beats:
            beat = shapes.LiveBeat(at=viewer.now(), ask_every_ms=max(ASK_MS, ASK_EACH_MS * feed.viewers))
            await response.send(beat.model_dump_json(), event="beat")
            beats = time.monotonic() + BEAT_S
        if last is None and view.newest >= 0:
            last = view.newest
        while last is not None and not problem and last < view.newest and (found := await feed.after(last)):
            last = await _tell_events(response, viewer, found)
        for warning_id in await viewer.may_see(view.counts):
            if warning_id is not None and told.get(warning_id) != view.counts[warning_id]:
                told[warning_id] = view.counts[warning_id]
                shown = view.counts if viewer.sees is None else view.states
                await response.send(shown[warning_id], event="counts")
        try:
            async with asyncio.timeout(LOOK_S):
                await closing.wait()
        except TimeoutError:
            continue


async def _tell_events(response: EventSourceResponse, viewer: Viewer, found: Sequence[Recorded]) -> int:
    """The number of the last one."""
    seen = await viewer.may_see(event.warning_id for event in found)
    for event in reach.events_of(found, partly=viewer.sees is not None):
        if event.warning_id in seen:
            await response.send(_event(event), id=str(event.id), event="event")
    return found[-1].id


def _event(event: Recorded) -> str:
    return shapes.LiveEvent(
        id=event.id,
        at=event.at,
        kind=event.kind,
        warning_id=event.warning_id,
        subject=event.subject,
        detail=dict(event.detail),
    ).model_dump_json()


def _last_id(request: web.Request) -> int | None:
    given = request.headers.get("Last-Event-ID") or request.query.get("last_event_id") or ""
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise Problem(400, "bad_query", "Last-Event-ID 应为上一次收到的编号")
    return int(given)

"""Feeds the outlets with chunks, gathers what is due again, takes back what a crash left: all through the writer.

One Dispatcher a process. It sleeps until it is woken (a release, a result that is due again) and looks by itself once a
second, so that work another process left behind is found within two.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from dispatcher.model import Channel, Lane
from dispatcher.sending.barring import Bar, Side
from dispatcher.sending.calling import Wire
from dispatcher.sending.in_hand import InHand
from dispatcher.sending.laying import Layout
from dispatcher.sending.lease import Lease
from dispatcher.sending.live import Desk, Live
from dispatcher.sending.opened import Lookup, OpenChunk
from dispatcher.sending.outcome import Jitter
from dispatcher.sending.outlet import Outlet
from dispatcher.sending.way import CLEAR_S, Way
from dispatcher.sending.writer import Writer, patiently
from dispatcher.states import DeliveryState
from dispatcher.store import chunks, deliveries, events, warnings
from dispatcher.store.chunks import Chunk, ChunkState, Holder, NewChunk
from dispatcher.store.deliveries import Due, Row
from dispatcher.store.engine import Store, Tx
from dispatcher.store.events import Event

RENEW_S = 2.0
LOOK_S = 1.0
WAY_LOOK_S = 0.1
RETRIES = 1000
TOGETHER_S = 0.1
"""What falls due within so short a time is taken up in one transaction: each stands between the results of those who are
being told, and a city's throttled loudspeakers took a seventh of the CPU beside them."""
LOOKED_BACK = timedelta(days=7)
"""Whoever is asked about a doubtful SMS looks back a day or two, and finds nothing of an older warning."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """This process: its node's name and the epoch it entered under."""

    node: str
    epoch: int


class Dispatcher:
    """Run it; `wake` it after a release; `end` a warning that was called off; `drain` it before it is cancelled."""

    def __init__(
        self,
        store: Store,
        identity: Identity,
        desk: Desk,
        now: Callable[[], datetime],
        jitter: Jitter,
    ) -> None:
        self._store = store
        self._identity = identity
        self._desk = desk
        self._now = now
        self._jitter = jitter
        self._writer = Writer(store, self._holder, now)
        self._outlets: dict[Side, Outlet] = {}
        self._bar = Bar(self._outlets.keys(), now)
        self._layout = Layout(store, self._writer, desk, self._bar, self._holder)
        alone = store.dialect == "sqlite"  # there one process holds the lock file, so nothing can be taken over
        self.lease = Lease(math.inf if alone else chunks.LEASE_S, time.monotonic)
        self._way = Way()
        self._wakes: list[tuple[str, asyncio.Event]] = []
        """By channel; the retries' stands under ''."""
        self._in_hand = InHand()
        self._draining = False

    def connect(self, wires: Mapping[tuple[Channel, bool], Sequence[Wire]], lookup: Lookup) -> None:
        """Gives each channel its providers, the first and its reserves, on either side; before `run`."""
        for (channel, drill), some in wires.items():
            if any(wire.drill is not drill for wire in some):
                raise ValueError(f"{channel}: a provider stands on the wrong side")
            self._outlets[channel, drill] = Outlet(
                some, self._writer, (lookup, self._taken), (self.lease, self._way), (self._now, self._jitter)
            )

    async def _taken(self, named: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        async with self._store.read() as tx:
            return await deliveries.taken(tx, named, self._now() - LOOKED_BACK)

    @property
    def unsettled(self) -> int:
        """Rows opened whose result is not durable yet, over all channels."""
        return sum(outlet.under_way for outlet in self._outlets.values()) + self._writer.unwritten

    @property
    def outlets(self) -> Mapping[Side, Outlet]:
        """By channel and side: what waits there, and how its providers do."""
        return self._outlets

    @property
    def mixed(self) -> int:
        """Rows and messages refused since the start, because a drill and the real thing would have met."""
        return self._bar.mixed + sum(outlet.mixed for outlet in self._outlets.values())

    @property
    def _live_channels(self) -> list[str]:
        return [channel for channel, drill in self._outlets if not drill]

    def wake(self, channels: Collection[str] | None = None) -> None:
        """Something was released to leave by these; None: or is due, nobody knows where. Whoever is woken in vain takes a
        transaction, and the first message waits behind it."""
        for channel, event in self._wakes:
            if channels is None or channel in channels:
                event.set()

    def make_way(self, lane: Lane, at_most_s: float = CLEAR_S) -> None:
        """Something of this lane is being judged: what is less urgent stands still until it leaves, or the time is over."""
        self._way.clear(lane, at_most_s)

    def end(self, warning_id: str, state: DeliveryState) -> None:
        """Nothing more of this warning leaves the house."""
        self._desk.end(warning_id, state)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._writer.run(), name="writer")
            await self._take_back()
            for side, outlet in self._outlets.items():
                tasks.create_task(outlet.run(), name=f"{side}: outlet")
                feed = self._repeat(partial(self._feed, side), self._woken_by(side[0], outlet.low))
                tasks.create_task(feed, name=f"{side}: planner")
            tasks.create_task(self._repeat(self._retry, self._woken_by("", asyncio.Event())), name="retries")
            # What is released does not wake these: their transactions would stand before its first message.
            tasks.create_task(self._repeat(self._lay_to_rest, asyncio.Event()), name="ended, unsent")
            tasks.create_task(self._repeat(self._take_back, asyncio.Event()), name="sweeper")
            if self._store.dialect != "sqlite":
                tasks.create_task(self._renew(), name="leases")

    async def drain(self, limit_s: float = 8.0) -> bool:
        """Opens nothing more and waits for what is under way; True where nothing is left in doubt."""
        self._draining = True
        for outlet in self._outlets.values():
            outlet.pause()
        try:
            async with asyncio.timeout(limit_s):
                while self.unsettled or not self._writer.idle:  # noqa: ASYNC110 - counters of several tasks, once a life
                    await asyncio.sleep(0.02)
        except TimeoutError:
            return False
        return True

    def _holder(self) -> Holder:
        return Holder(node=self._identity.node, epoch=self._identity.epoch)

    def _woken_by(self, channel: str, event: asyncio.Event) -> asyncio.Event:
        """Also set by `wake`."""
        self._wakes.append((channel, event))
        return event

    async def _repeat(self, step: Callable[[], Awaitable[float | None]], event: asyncio.Event) -> None:
        """Runs `step` whenever the event is set, and by itself after the seconds it names, once a LOOK_S at the least."""
        while True:
            again_s = await step()
            try:
                async with asyncio.timeout(LOOK_S if again_s is None else min(again_s, LOOK_S)):
                    await event.wait()
            except TimeoutError:
                pass
            event.clear()

    # ── new chunks ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _feed(self, side: Side) -> float | None:
        """Where the way is kept for something more urgent, it looks again soon."""
        while not self._draining:
            with self._in_hand.taking():
                opened = await self._layout.next(side, self._above(side))
                if opened is None:
                    return None if self._way.lane is None else WAY_LOOK_S
                await self._outlets[side].look_ahead(opened)
                self._hand_out(side[0], opened)
            await self._outlets[side].begun()
        return None

    def _hand_out(self, channel: str, opened: OpenChunk) -> None:
        """The one place where an outlet is chosen: by what the warning itself is, as it was approved."""
        if opened.rows:
            self._outlets[channel, opened.live.bulletin.drill].add(opened)
            self._in_hand.add(opened)
        else:
            self._writer.settle([], [opened.id])

    def _above(self, side: Side) -> int | None:
        """Only what is more urgent than this lane is planned now; None: whatever there is. A drill waits for all that is
        real: it has providers of its own, but the database and this machine are everybody's."""
        bounds = [self._outlets[side].full, None if self._way.lane is None else self._way.lane + 1]
        if side[1] and any(other.backlog for (_, drill), other in self._outlets.items() if not drill):
            bounds.append(Lane.DRILL)
        return min((lane for lane in bounds if lane is not None), default=None)

    async def _lay_to_rest(self) -> None:
        """Chunks of a channel that nobody here sends wait for whoever can, until their warning has ended. A drill's wait for
        nobody: where it has no provider it is suppressed and says so."""
        while not self._draining and await self._layout.rest(list(self._outlets)):
            pass

    # ── retries ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _retry(self) -> float | None:
        """Looks without the write lock; says when to look again."""
        while not self._draining:
            first = await patiently(self._first_due)
            if first is None:
                return None
            if first > self._now():
                return max((first - self._now()).total_seconds(), TOGETHER_S)
            with self._in_hand.taking():
                due, gathered = await self._writer.within(self._gather)
                for channel, opened in gathered:
                    self._hand_out(channel, opened)
            if due < RETRIES:
                return TOGETHER_S if due else None
        return None

    async def _first_due(self) -> datetime | None:
        async with self._store.read() as tx:
            return await deliveries.next_due(tx, self._live_channels)

    async def _gather(self, tx: Tx) -> tuple[int, list[tuple[str, OpenChunk]]]:
        """How many rows were due, and those of them that may be called."""
        found: list[tuple[str, OpenChunk]] = []
        under = await deliveries.due_warnings(tx, self._now(), self._live_channels)
        if not under:
            return 0, found
        await warnings.share(tx, under)
        groups = await deliveries.due(tx, self._now(), self._live_channels, under, RETRIES)
        for group in groups:
            live = await self._desk.load(tx, group.warning_id)
            barred = self._bar.of(live, group.channel)
            if live.ended is not None and not live.wrong:
                await deliveries.withdraw(tx, group.warning_id, live.ended[0], self._now())
                continue
            opened = await self._regroup(tx, group, live)
            if barred is None:
                found.append((group.channel, await self._as_approved(tx, group, opened)))
            else:
                await self._bar.end(tx, group, live, (opened.id, opened.rows, barred))
        return sum(len(group.targets) for group in groups), found

    async def _regroup(self, tx: Tx, group: Due, live: Live) -> OpenChunk:
        lane = _lane(live)
        new = NewChunk(channel=group.channel, lane=lane, seq=-1, size=len(group.targets), packed=b"", hash="")
        chunk_id = await chunks.gather(tx, new, group.warning_id, self._holder())
        rows = await deliveries.regroup(tx, group, chunk_id)
        return OpenChunk(id=chunk_id, live=live, lane=lane, rows=rows, retry=True)

    # ── after a crash ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _take_back(self) -> None:
        forgotten = set() if self._draining else await patiently(self._forgotten)
        for chunk_id in forgotten:
            for channel, opened in await self._writer.within(partial(self._regain, chunk_id)):
                self._hand_out(channel, opened)
        while not self._draining:
            waits = await patiently(self._orphaned)
            found = await self._writer.within(self._reclaim) if waits else None
            if found is None:
                return
            for channel, opened in found:
                self._hand_out(channel, opened)

    async def _forgotten(self) -> set[int]:
        async with self._store.read() as tx:
            held = await chunks.held_by(tx, self._holder())
        return self._in_hand.forgotten(held, self._writer.closing)

    async def _orphaned(self) -> bool:
        """Looked for without the write lock."""
        async with self._store.read() as tx:
            return await chunks.waits_orphaned(tx, self._holder(), self._live_channels)

    async def _regain(self, chunk_id: int, tx: Tx) -> list[tuple[str, OpenChunk]]:
        chunk = await chunks.regain(tx, self._holder(), chunk_id)
        return [] if chunk is None else await self._take_up(tx, chunk)

    async def _reclaim(self, tx: Tx) -> list[tuple[str, OpenChunk]] | None:
        """One orphaned chunk becomes ours; None where there is none."""
        chunk = await chunks.reclaim(tx, self._holder(), self._live_channels)
        return None if chunk is None else await self._take_up(tx, chunk)

    async def _take_up(self, tx: Tx, chunk: Chunk) -> list[tuple[str, OpenChunk]]:
        """A chunk's doubtful rows are flagged, and go into a chunk of their own: below this one's mark they would be in doubt
        once more at the next crash, without having been called. Whoever was surely never told comes before whoever may
        have been."""
        now = self._now()
        rows = await deliveries.in_chunk(tx, chunk.id, chunk.opened_to)
        doubtful = [row for row in rows if row.in_doubt]
        await deliveries.mark_doubt(tx, chunk, doubtful, now)
        if doubtful:
            await self._tell_doubt(tx, chunk, len(doubtful))
        if chunk.state == ChunkState.ENDED:
            await self._settle_ended(tx, chunk, doubtful, now)
            return []
        live = await self._desk.load(tx, chunk.warning_id)
        barred = self._bar.of(live, chunk.channel)
        if barred is not None:
            await self._bar.end(tx, chunk, live, (chunk.id, rows, barred))
            return []
        untouched = [row for row in rows if not row.in_doubt]
        opened = [OpenChunk(id=chunk.id, live=live, lane=chunk.lane, rows=untouched, retry=chunk.seq < 0)]
        if doubtful:
            targets = tuple([(row.target, row.round) for row in doubtful])
            again = Due(warning_id=chunk.warning_id, channel=chunk.channel, targets=targets)
            opened.append(await self._regroup(tx, again, live))
        return [(chunk.channel, await self._as_approved(tx, chunk, one)) for one in opened]

    async def _as_approved(self, tx: Tx, of: Chunk | Due, opened: OpenChunk) -> OpenChunk:
        """What was taken up from the ledger, without the rows that are not as they were signed: those are refused."""
        strangers = await self._desk.strangers(tx, opened.live, of.channel, opened.rows)
        if strangers:
            await self._bar.refuse(tx, of, opened.id, strangers)
            gone = {row.pos for row in strangers}
            opened.rows = [row for row in opened.rows if row.pos not in gone]
        return opened

    async def _tell_doubt(self, tx: Tx, chunk: Chunk, count: int) -> None:
        log.warning("上次中断时有正在发送的行，逐行标记后处理", chunk=chunk.id, rows=count)
        await events.record(
            tx,
            self._now(),
            Event(
                kind="chunk.in_doubt",
                subject=chunk.warning_id,
                warning_id=chunk.warning_id,
                detail={"chunk": chunk.id, "channel": chunk.channel, "rows": count},
            ),
        )

    async def _settle_ended(self, tx: Tx, chunk: Chunk, doubtful: list[Row], now: datetime) -> None:
        """Its warning was called off: the doubtful rows may have been sent, and are not sent again."""
        results = [
            deliveries.Settled(chunk_id=chunk.id, row=row, state=DeliveryState.UNKNOWN, code="in_doubt", at=now)
            for row in doubtful
        ]
        await deliveries.settle(tx, results)
        await chunks.close(tx, [chunk.id])

    async def _renew(self) -> None:
        while True:
            asked_at, asked = time.monotonic(), {name: outlet.chunks for name, outlet in self._outlets.items()}
            held = await self._writer.within(lambda tx: chunks.renew(tx, self._holder()))
            for name, outlet in self._outlets.items():
                outlet.keep(asked[name], held)
            self.lease.renewed(asked_at)
            await asyncio.sleep(RENEW_S)


def _lane(live: Live) -> int:
    """A retry keeps the lane its warning has."""
    if live.bulletin.drill or live.bulletin.test:
        return Lane.DRILL
    if live.bulletin.kind == "Cancel":
        return Lane.CORRECTION
    return {1: Lane.RED, 2: Lane.ORANGE, 3: Lane.YELLOW}.get(live.bulletin.rank, Lane.BLUE)

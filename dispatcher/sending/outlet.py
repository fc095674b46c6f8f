"""One channel of one side, a drill's or the live one, on its way out: a heap of open chunks, a bounded window, long-lived
sender loops.

Never more than W rows are opened and unsettled, so that a crash leaves at most W in doubt; nor more than the provider's rate
takes in a moment. A sender waits for its turn before it takes the most urgent message, so that a correction or a red
overtakes whatever is opened; lanes below red never fill the window. It must survive a provider that hangs (time limit),
raises (not known) or is slow, and a warning called off between opening and calling. Nobody is called twice at the same time,
so that no correction arrives before what it corrects. Where the first provider rests (down, throttling, refusing our
account) a reserve takes its place, until the first one's probe comes through.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from dispatcher.model import Lane
from dispatcher.sending.calling import Caller, Envelope, Standing, Taken, Wire
from dispatcher.sending.lease import Lease
from dispatcher.sending.live import Live
from dispatcher.sending.opened import Address, Batch, Lookup, OpenChunk, Opened, message_of
from dispatcher.sending.outcome import Jitter, not_sent, put_back, wait_until
from dispatcher.sending.watchdog import Watchdog
from dispatcher.sending.way import Way
from dispatcher.sending.writer import Writer, patiently
from dispatcher.states import DeliveryState
from dispatcher.store.deliveries import Row, Settled

BACKLOG = 2000
"""So many rows of a lane, and of what is more urgent, are in memory before only what overtakes them is planned."""
FRESH_S = 2.0
"""How long an address that was looked up ahead is good for."""
LOOK_AHEAD = 1000
"""Addresses looked up in one go, behind a chunk's first: a fast provider is through with them while they are fresh."""
LOOK_S = 0.5
"""How often what waits for a resting provider is looked over."""
RETRY_EVERY = 5
"""Where first tries and retries of one lane wait, every so many slices are opened for a retry: a provider that limps is
given a fifth more to do, not twice as much, and neither kind starves."""


class Outlet:
    """`add` chunks, `run` it; results go to the writer. `wires`: the first provider, then its reserves."""

    def __init__(
        self,
        wires: Sequence[Wire],
        writer: Writer,
        lookups: tuple[Lookup, Taken],
        hold: tuple[Lease, Way],
        by: tuple[Callable[[], datetime], Jitter],
    ) -> None:
        now, jitter = by
        self._wires = wires
        self._ahead = wires[0].ahead
        # Few rows at a time, because a commit carries the mark for all that is free by then; but a call's worth.
        self._worth = max(1, min(self._ahead // 2, max(self._ahead // 16, wires[0].way.max_batch)))
        self._writer = writer
        self._lookup = lookups[0]
        self._lease, self._way = hold
        self._now = now
        self._heap: list[tuple[int, int, OpenChunk]] = []
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._moving = asyncio.Event()
        self._under_way = 0
        self._slices = 0
        self._caller = Caller(wires, lookups[1], now, jitter)
        self._watchdog = Watchdog()
        self._paused = False
        self._opened = Opened()
        self._marking: deque[OpenChunk] = deque()
        """Of the slices whose marks are on their way, in order."""
        self._turns = asyncio.Lock()
        self.low = asyncio.Event()
        """Set when a chunk has been opened to its end and there is room for more of its lane: the next is to be planned."""

    @property
    def backlog(self) -> int:
        """Rows in memory not opened yet."""
        return sum(len(chunk.rows) - chunk.next for _, _, chunk in self._heap)

    @property
    def full(self) -> int | None:
        """The lane of which there is enough in memory, and of what is less urgent; None: there is room for all."""
        waiting = 0
        for lane, _, chunk in sorted(self._heap):
            waiting += len(chunk.rows) - chunk.next
            if waiting >= BACKLOG:
                return lane
        return None

    @property
    def standings(self) -> list[Standing]:
        """Its providers, the first one first."""
        return self._caller.standings

    @property
    def mixed(self) -> int:
        """Messages kept back at its providers' doors, because a drill and the real thing would have met."""
        return self._caller.mixed

    def take_tally(self) -> Counter[tuple[str, str]]:
        """(provider, outcome) → messages, since this was last asked."""
        taken, self._caller.tally = self._caller.tally, Counter()
        return taken

    @property
    def under_way(self) -> int:
        """Rows opened whose result has not been handed over."""
        return self._under_way

    @property
    def chunks(self) -> dict[int, OpenChunk]:
        """All that is in its hands, calls under way left out, by id."""
        held = [*(entry[-1] for entry in self._heap), *self._opened, *self._marking]
        return {chunk.id: chunk for chunk in held}

    def keep(self, asked: Mapping[int, OpenChunk], held: Mapping[int, bool]) -> None:
        """`held`: of the chunks asked about, what is still ours, and whether its warning still holds. Of the others nothing
        more leaves this house: another has taken them over."""
        for chunk in asked.values():
            self._hold_to(chunk, held)

    def _hold_to(self, chunk: OpenChunk, held: Mapping[int, bool]) -> None:
        if chunk.id not in held:
            chunk.lost = True
            self._drop(chunk)
        elif not held[chunk.id] and self._over(chunk.live, self._now()) is None:
            chunk.live.ended = (DeliveryState.WITHDRAWN, "")

    def add(self, chunk: OpenChunk) -> None:
        """What this process may still hold of that very chunk, from before another had it, is no longer good: its rows were
        looked through anew."""
        earlier = self.chunks.get(chunk.id)
        if earlier is not None:
            earlier.lost = True
            self._drop(earlier)
        chunk.left = len(chunk.rows)
        if not chunk.rows:
            self._writer.settle([], [chunk.id])
            return
        heapq.heappush(self._heap, (chunk.lane, chunk.id, chunk))
        self._news.set()
        self._room.set()  # it may be more urgent than what waited for room

    async def begun(self) -> None:
        """Returns when something is under way, or nothing waits: planning a thousand rows more must not come before the
        first message of what was planned."""
        while self._heap and not self._under_way and not self._paused:
            self._moving.clear()
            await self._moving.wait()

    def pause(self) -> None:
        """Opens nothing more, and hands back what was opened and not begun: it never left, and is due at once."""
        self._paused = True
        self._moving.set()
        self._hand_back()

    def _hand_back(self) -> None:
        at = self._now()
        for chunk, batch in self._opened.take_out(lambda *_: True):
            self._results(chunk, [put_back(chunk.id, item.row, at) for item in batch], len(batch))

    async def run(self) -> None:
        """Until cancelled."""
        name = self._wires[0].name
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._open_slices(), name=f"{name}: opens slices")
            tasks.create_task(self._watchdog.run(), name=f"{name}: watchdog")
            for number in range(self._wires[0].in_flight):
                tasks.create_task(self._send_batches(), name=f"{name}: sender {number}")

    # ── opening ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _open_slices(self) -> None:
        while True:
            while not self._heap or self._paused:
                self._news.clear()
                await self._news.wait()
            size = await self._space()
            if self._paused or not self._heap:
                continue
            chunk = self._choice()
            await self._open(chunk, chunk.rows[chunk.next : chunk.next + size])

    def _choice(self) -> OpenChunk:
        """Of the most urgent lane: the oldest first tries, or, when it is their turn, the oldest retries."""
        first = self._heap[0][2]
        others = [entry for entry in self._heap if entry[0] == first.lane and entry[2].retry != first.retry]
        if not others:
            return first
        self._slices += 1
        other = min(others)[2]
        return first if first.retry == (self._slices % RETRY_EVERY == 0) else other

    async def _space(self) -> int:
        """Waits until enough of the window is free, so that slices are worth their commit, and takes all that is free; what
        is less urgent than a red leaves the last quarter to what may come."""
        while not self._roomy():
            self._room.clear()
            await self._room.wait()
        free, call = self._most() - self._under_way, self._wires[0].way.max_batch
        return free if free < call else free - free % call  # a call's worth each, not two and a handful

    def _roomy(self) -> bool:
        return self._most() - self._under_way >= self._worth

    def _most(self) -> int:
        urgent = not self._heap or self._heap[0][0] <= Lane.RED
        return self._ahead if urgent or self._ahead < 4 else self._ahead - self._ahead // 4

    async def _open(self, chunk: OpenChunk, rows: list[Row]) -> None:
        over = self._over(chunk.live, self._now())
        if over is not None:
            self._drop(chunk)
            self._settle_unsent(chunk, chunk.rows[chunk.next :], *over)
            return
        quiet = chunk.live.quiet_until(chunk.rows[chunk.next :], self._now())
        if quiet is not None:
            self._drop(chunk)
            self._leave_alone(chunk, chunk.rows[chunk.next :], quiet)
            return
        addresses = await self._addresses(chunk, len(rows))
        # before `begun` lets the next be planned; and the next mark is asked for while this one is on its way, so that the
        # window does not run empty
        self._writer.open(chunk.id, rows[-1].pos + 1, partial(self._marked, chunk, rows, addresses))
        self._under_way += len(rows)
        self._moving.set()
        chunk.next += len(rows)
        if chunk.next >= len(chunk.rows):
            self._drop(chunk)
        self._marking.append(chunk)

    def _marked(self, chunk: OpenChunk, rows: list[Row], addresses: dict[str, Address], is_ours: bool) -> None:
        """The mark is durable: the slice may go; or it could not be moved."""
        self._marking.popleft()
        if is_ours:
            self._hand_over(chunk, rows, addresses)
            return
        self._under_way -= len(rows)
        self._room.set()
        self._lost(chunk, len(rows))

    async def look_ahead(self, chunk: OpenChunk) -> None:
        """Looks the addresses of a chunk up beside the sending, where more of its warning is still to be called: between two
        chunks the window would run empty meanwhile."""
        if chunk.rows and any(other.live is chunk.live for other in self.chunks.values()):
            await self._look_up(chunk, chunk.rows[:LOOK_AHEAD])

    async def _addresses(self, chunk: OpenChunk, count: int) -> dict[str, Address]:
        """Of the next rows; looked up many at a time, and anew where it was long ago: phones change."""
        stale = asyncio.get_running_loop().time() - chunk.looked_up_at > FRESH_S
        if stale or chunk.looked_up_to < chunk.next + count:
            most = max(count, LOOK_AHEAD if chunk.next else self._ahead)
            await self._look_up(chunk, chunk.rows[chunk.next : chunk.next + most])
        return chunk.addresses

    async def _look_up(self, chunk: OpenChunk, rows: list[Row]) -> None:
        """`rows`: of those not opened, the first."""
        chunk.addresses = await patiently(lambda: self._lookup(rows))
        chunk.looked_up_to, chunk.looked_up_at = chunk.next + len(rows), asyncio.get_running_loop().time()

    def _hand_over(self, chunk: OpenChunk, rows: list[Row], addresses: dict[str, Address]) -> None:
        homeless = [row for row in rows if row.target not in addresses]
        if homeless:
            at = self._now()
            results = [not_sent(chunk.id, row, DeliveryState.FAILED, at, "no_address") for row in homeless]
            self._results(chunk, results, len(homeless))
        envelopes = [
            Envelope(row=row, message=message_of(chunk.live, row, addresses[row.target]))
            for row in rows
            if row.target in addresses
        ]
        self._opened.push(chunk, envelopes, self._wires[0].way.max_batch)
        self._way.taken(chunk.lane)
        if self._paused:  # while the mark was being moved
            self._hand_back()

    def _drop(self, chunk: OpenChunk) -> None:
        self._heap = [entry for entry in self._heap if entry[2] is not chunk]
        heapq.heapify(self._heap)
        self._moving.set()
        full = self.full
        if full is None or full > chunk.lane:
            self.low.set()

    def _lost(self, chunk: OpenChunk, asked: int) -> None:
        """The mark could not be moved: the warning was called off (its rows are withdrawn), or another node has it."""
        self._drop(chunk)
        chunk.left -= asked + len(chunk.rows) - chunk.next
        del chunk.rows[chunk.next :]
        if chunk.left == 0:
            self._writer.settle([], [chunk.id])

    def _over(self, live: Live, at: datetime) -> tuple[DeliveryState, str] | None:
        if live.ended is not None:
            return live.ended
        if at >= live.expires:
            return DeliveryState.EXPIRED, ""
        return None

    def _settle_unsent(self, chunk: OpenChunk, rows: list[Row], state: DeliveryState, code: str) -> None:
        at = self._now()
        results = [not_sent(chunk.id, row, _unless_in_doubt(row, state), at, code) for row in rows]
        chunk.next = len(chunk.rows)
        self._results(chunk, results, 0)

    def _leave_alone(self, chunk: OpenChunk, rows: list[Row], until: datetime) -> None:
        at = self._now()
        chunk.next = len(chunk.rows)
        self._results(chunk, [wait_until(chunk.id, row, chunk.live, at, until) for row in rows], 0)

    # ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _send_batches(self) -> None:
        leash = self._watchdog.leash()
        while True:
            wire, chunk, batch = await self._next()
            if not self._lease.holds:
                await self._lease.wait()
            results = self._last_look(chunk, batch)
            if not results and not chunk.lost:
                results = await self._caller.call(wire, (chunk.id, chunk.live), batch, leash)
            self._results(chunk, results, len(batch))
            if self._opened.let_go(batch) and self._paused:
                self._hand_back()

    async def _next(self) -> tuple[Wire, OpenChunk, Batch]:
        """The most urgent batch that is opened, once its provider may be called: the turn comes before the choice."""
        while True:
            if not self._opened:
                await self._opened.some()
            if self._way.blocks(self._opened.lane):
                await self._way.passed()
                continue
            wire = self._caller.try_turn()
            if wire is None:
                async with self._turns:
                    wire = await self._await_turn()
            found = self._opened.pop(wire.way.max_batch) if wire else None
            if wire is not None and found is not None:
                return wire, *found

    async def _await_turn(self) -> Wire | None:
        """Also while the provider rests for a minute: what runs out or is called off meanwhile is settled. None where nothing
        is left to send."""
        while self._opened:
            wire = self._caller.choice()
            try:
                async with asyncio.timeout(LOOK_S):
                    await wire.way.turn()
            except TimeoutError:
                self._clear_out()
                continue
            return wire
        return None

    def _clear_out(self) -> None:
        for chunk, batch in self._opened.take_out(lambda chunk, batch: bool(self._last_look(chunk, batch))):
            self._results(chunk, self._last_look(chunk, batch), len(batch))

    def _last_look(self, chunk: OpenChunk, batch: Batch) -> list[Settled]:
        """Just before the call: what may not be sent any more, or not now."""
        at = self._now()
        over = self._over(chunk.live, at)
        if over is not None:
            return [not_sent(chunk.id, item.row, _unless_in_doubt(item.row, over[0]), at, over[1]) for item in batch]
        quiet = chunk.live.quiet_until([item.row for item in batch], at)
        return [wait_until(chunk.id, item.row, chunk.live, at, quiet) for item in batch] if quiet else []

    def _results(self, chunk: OpenChunk, results: list[Settled], opened: int) -> None:
        """Hands results over. Their places in the window are free at once: a mark asked for from now on is committed with
        them or after them, never before, so at no commit are more than W rows opened without a result."""
        chunk.left -= len(results)
        self._under_way -= opened
        if self._roomy():
            self._room.set()
        self._writer.settle(results, [chunk.id] if chunk.left == 0 else [])


def _unless_in_doubt(row: Row, state: DeliveryState) -> DeliveryState:
    """A row that may have been sent before a crash cannot be called withdrawn or expired."""
    return DeliveryState.UNKNOWN if row.possible_duplicate else state

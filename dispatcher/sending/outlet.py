"""One channel on its way out: a heap of open chunks, a bounded window, long-lived sender loops.

Never more than W rows are opened and unsettled, so that a crash leaves at most W in doubt. The heap is ordered by lane, so
that a correction or a red overtakes at once; what is opened already is at most one window. It must survive a provider that
hangs (time limit), raises (not known) or is slow, and a warning called off between opening and calling.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from channels.contract import Accepted, Blame, Message, NotKnown, Outcome, Provider, Refused
from dispatcher.sending.live import Live
from dispatcher.sending.outcome import Call, Jitter, not_sent, settle, wait_until
from dispatcher.sending.writer import Writer, patiently
from dispatcher.states import DeliveryState
from dispatcher.store.deliveries import Row, Settled

GRACE_S = 5.0
"""How much longer than the provider's own time limit a call may take before it is given up for it."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a target is reached now: looked up at sending, so that a changed phone does not void an approval."""

    to: str
    peer: str = ""
    secrets: tuple[str, ...] = ()
    told: frozenset[str] = frozenset()
    """EBMIDs of this chain that a gateway was handed before."""


Lookup = Callable[[Sequence[Row]], Awaitable[dict[str, Address]]]
"""Rows → address by target; a target without one is missing."""


@dataclass(slots=True, kw_only=True)
class OpenChunk:
    """A chunk in this process's hands. `next` is the first row not opened, `left` the rows without a durable result."""

    id: int
    live: Live
    lane: int
    rows: list[Row]
    next: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A provider under its name, and how far it may be pushed."""

    name: str
    provider: Provider
    in_flight: int
    window: int
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Envelope:
    row: Row
    message: Message


class Outlet:
    """`add` chunks, `run` it; results go to the writer."""

    def __init__(self, wire: Wire, writer: Writer, lookup: Lookup, now: Callable[[], datetime], jitter: Jitter) -> None:
        self._wire = wire
        self._writer = writer
        self._lookup = lookup
        self._now = now
        self._jitter = jitter
        self._heap: list[tuple[int, int, OpenChunk]] = []
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._unsettled = 0
        self._order = 0
        self.account_fault = ""
        """Why the provider refuses our account, while it does: somebody has to be woken."""
        self._paused = False
        self._queue: asyncio.PriorityQueue[tuple[int, int, OpenChunk, tuple[_Envelope, ...]]] = asyncio.PriorityQueue()

    @property
    def backlog(self) -> int:
        """Rows in memory not opened yet."""
        return sum(len(chunk.rows) - chunk.next for _, _, chunk in self._heap)

    @property
    def lane(self) -> int | None:
        """The most urgent lane that waits here."""
        return self._heap[0][0] if self._heap else None

    @property
    def unsettled(self) -> int:
        return self._unsettled

    def add(self, chunk: OpenChunk) -> None:
        chunk.left = len(chunk.rows)
        if not chunk.rows:
            self._writer.settle([], [chunk.id], _nothing)
            return
        heapq.heappush(self._heap, (chunk.lane, chunk.id, chunk))
        self._news.set()

    def pause(self) -> None:
        """Opens nothing more; what is opened is still sent."""
        self._paused = True

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._open_slices(), name=f"{self._wire.name}: opens slices")
            for number in range(self._wire.in_flight):
                tasks.create_task(self._send_batches(), name=f"{self._wire.name}: sender {number}")

    # ── opening ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _open_slices(self) -> None:
        while True:
            while not self._heap or self._paused:
                self._news.clear()
                await self._news.wait()
            size = await self._space()
            if self._paused:
                continue
            chunk = self._heap[0][2]
            await self._open(chunk, chunk.rows[chunk.next : chunk.next + size])

    async def _space(self) -> int:
        """Waits until a quarter of the window is free, so that slices stay worth their commit."""
        least = max(1, self._wire.window // 4)
        while self._wire.window - self._unsettled < least:
            self._room.clear()
            await self._room.wait()
        return least

    async def _open(self, chunk: OpenChunk, rows: list[Row]) -> None:
        over = self._over(chunk.live)
        if over is not None:
            self._drop(chunk)
            self._settle_unsent(chunk, chunk.rows[chunk.next :], *over)
            return
        quiet = chunk.live.quiet_until(rows[0].channel, self._now())
        if quiet is not None:
            self._drop(chunk)
            self._leave_alone(chunk, chunk.rows[chunk.next :], quiet)
            return
        self._unsettled += len(rows)
        addresses, opened = await asyncio.gather(
            patiently(lambda: self._lookup(rows)), self._writer.open(chunk.id, rows[-1].pos + 1)
        )
        if not opened:
            self._unsettled -= len(rows)
            self._room.set()
            self._lost(chunk)
            return
        chunk.next += len(rows)
        if chunk.next >= len(chunk.rows):
            self._drop(chunk)
        self._hand_over(chunk, rows, addresses)

    def _hand_over(self, chunk: OpenChunk, rows: list[Row], addresses: dict[str, Address]) -> None:
        homeless = [row for row in rows if row.target not in addresses]
        if homeless:
            at = self._now()
            results = [not_sent(chunk.id, row, DeliveryState.FAILED, at, "no_address") for row in homeless]
            self._results(chunk, results, len(homeless))
        envelopes = [
            _Envelope(row=row, message=message_of(chunk.live, row, addresses[row.target]))
            for row in rows
            if row.target in addresses
        ]
        for start in range(0, len(envelopes), self._wire.provider.max_batch):
            self._order += 1
            batch = tuple(envelopes[start : start + self._wire.provider.max_batch])
            self._queue.put_nowait((chunk.lane, self._order, chunk, batch))

    def _drop(self, chunk: OpenChunk) -> None:
        self._heap = [entry for entry in self._heap if entry[2] is not chunk]
        heapq.heapify(self._heap)

    def _lost(self, chunk: OpenChunk) -> None:
        """The mark could not be moved: the warning was called off (its rows are withdrawn), or another node has it."""
        self._drop(chunk)
        chunk.left -= len(chunk.rows) - chunk.next
        del chunk.rows[chunk.next :]
        if chunk.left == 0:
            self._writer.settle([], [chunk.id], _nothing)

    def _over(self, live: Live) -> tuple[DeliveryState, str] | None:
        if live.ended is not None:
            return live.ended
        if self._now() >= live.expires:
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
        while True:
            _, _, chunk, batch = await self._queue.get()
            results = self._last_look(chunk, batch) or await self._call(chunk, batch)
            self._results(chunk, results, len(batch))

    def _last_look(self, chunk: OpenChunk, batch: tuple[_Envelope, ...]) -> list[Settled]:
        """Just before the call: what may not be sent any more, or not now."""
        at, over = self._now(), self._over(chunk.live)
        if over is not None:
            return [not_sent(chunk.id, item.row, _unless_in_doubt(item.row, over[0]), at, over[1]) for item in batch]
        quiet = chunk.live.quiet_until(batch[0].row.channel, at)
        return [wait_until(chunk.id, item.row, chunk.live, at, quiet) for item in batch] if quiet else []

    async def _call(self, chunk: OpenChunk, batch: tuple[_Envelope, ...]) -> list[Settled]:
        started = self._now()
        outcomes = await self._outcomes([item.message for item in batch], started)
        ended = self._now()
        self._watch_account(outcomes)
        return [
            settle(
                Call(
                    chunk_id=chunk.id,
                    row=item.row,
                    live=chunk.live,
                    provider=self._wire.name,
                    started_at=started,
                    ended_at=ended,
                ),
                outcome,
                self._jitter,
            )
            for item, outcome in zip(batch, outcomes, strict=True)
        ]

    async def _outcomes(self, messages: list[Message], now: datetime) -> list[Outcome]:
        try:
            async with asyncio.timeout(self._wire.timeout_s + GRACE_S):
                outcomes = await self._wire.provider.send(messages, now)
        except Exception as error:
            log.exception("发送接口抛出了意外错误，按结果不明处理", provider=self._wire.name)
            unknown = NotKnown(code=type(error).__name__[:32], reason="发送接口内部出错，不知是否已发出")
            return [unknown for _ in messages]
        if len(outcomes) != len(messages):
            log.error(
                "发送接口返回的结果数目不符", provider=self._wire.name, sent=len(messages), answered=len(outcomes)
            )
            return [NotKnown(code="outcome_count", reason="发送接口返回的结果数目不符") for _ in messages]
        return outcomes

    def _watch_account(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            match outcome:
                case Accepted():
                    self.account_fault = ""
                case Refused(blame=Blame.ACCOUNT):
                    if not self.account_fault:
                        log.error(
                            "服务商拒绝了本单位的账户：请立即核对密钥、余额和权限",
                            provider=self._wire.name,
                            code=outcome.code,
                        )
                    self.account_fault = f"{outcome.code} {outcome.reason}"
                case _:
                    pass

    def _results(self, chunk: OpenChunk, results: list[Settled], opened: int) -> None:
        """Hands results over; their places in the window are free once they are durable."""
        chunk.left -= len(results)

        def committed() -> None:
            self._unsettled -= opened
            self._room.set()

        self._writer.settle(results, [chunk.id] if chunk.left == 0 else [], committed)


def message_of(live: Live, row: Row, address: Address) -> Message:
    return Message(
        id=row.name,
        to=address.to,
        text=live.texts[row.text_no].body,
        bulletin=live.bulletin,
        peer=address.peer,
        areas=tuple(row.areas.split(",")) if row.areas else (),
        serial=row.serial,
        secrets=address.secrets,
        told=tuple([one for one in live.bulletin.earlier if one in address.told]) if address.told else (),
    )


def _unless_in_doubt(row: Row, state: DeliveryState) -> DeliveryState:
    """A row that may have been sent before a crash cannot be called withdrawn or expired."""
    return DeliveryState.UNKNOWN if row.possible_duplicate else state


def _nothing() -> None:
    return None

"""What is opened and waits for its call: the most urgent first, and nobody called twice at the same time, so that no
correction arrives before what it corrects.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from channels.contract import Message
from dispatcher.model import Why
from dispatcher.sending.calling import Envelope
from dispatcher.sending.live import Live
from dispatcher.store.deliveries import Row


class Address(Struct, frozen=True, kw_only=True):
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
    retry: bool = False
    lost: bool = False
    """Another has taken it over."""
    addresses: dict[str, Address] = field(default_factory=dict)
    looked_up_to: int = 0
    looked_up_at: float = 0.0


Batch = tuple[Envelope, ...]
_Entry = tuple[int, int, int, OpenChunk, Batch]
"""Lane, number, the first row's place (two parts of a batch bear one number), and what is sent in one call."""


class Opened:
    """`push` slices, `pop` what one call takes, `let_go` of whoever was called."""

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self._called: set[str] = set()
        self._behind: dict[str, list[_Entry]] = {}
        self._order = 0
        self._idle: deque[asyncio.Future[None]] = deque()

    async def some(self) -> None:
        """Waits until something is opened. What comes wakes as many as it is, not everybody."""
        while not self._heap:
            idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            await idle

    def _put(self, entry: _Entry) -> None:
        heapq.heappush(self._heap, entry)
        while self._idle:
            idle = self._idle.popleft()
            if not idle.done():
                idle.set_result(None)
                break

    def __bool__(self) -> bool:
        """Whether anything waits that is not behind a call under way."""
        return bool(self._heap)

    @property
    def lane(self) -> int:
        """The most urgent that waits."""
        return self._heap[0][0]

    def __iter__(self) -> Iterator[OpenChunk]:
        """The chunks of all that waits; one may come more than once."""
        for entry in self._heap:
            yield entry[3]
        for behind in self._behind.values():
            yield from [entry[3] for entry in behind]

    def push(self, chunk: OpenChunk, slice_: Sequence[Envelope], most: int) -> None:
        """In batches of at most `most`."""
        for start in range(0, len(slice_), most):
            self._order += 1
            batch = tuple(slice_[start : start + most])
            self._put((chunk.lane, self._order, batch[0].row.pos, chunk, batch))

    def pop(self, most: int) -> tuple[OpenChunk, Batch] | None:
        """The most urgent batch of which nobody is being called just now; those wait for that call's end. A provider that
        takes fewer than were put together leaves the rest in its place."""
        while self._heap:
            entry = heapq.heappop(self._heap)
            lane, order, place, chunk, batch = entry
            if len(batch) > most:
                batch, rest = batch[:most], batch[most:]
                self._put((lane, order, rest[0].row.pos, chunk, rest))
                entry = (lane, order, place, chunk, batch)
            targets = [item.row.target for item in batch]
            busy = next(filter(self._called.__contains__, targets), None)
            if busy is None:
                self._called.update(targets)
                return chunk, batch
            self._behind.setdefault(busy, []).append(entry)
        return None

    def let_go(self, batch: Batch) -> bool:
        """Their call is over; whether somebody waited for that."""
        freed = False
        for item in batch:
            self._called.discard(item.row.target)
            if self._behind:
                for entry in self._behind.pop(item.row.target, ()):
                    self._put(entry)
                    freed = True
        return freed

    def take_out(self, which: Callable[[OpenChunk, Batch], bool]) -> list[tuple[OpenChunk, Batch]]:
        """Batches that are not to be called after all."""
        out = [(entry[3], entry[4]) for entry in self._heap if which(entry[3], entry[4])]
        if out:
            gone = {id(batch) for _, batch in out}
            self._heap = [entry for entry in self._heap if id(entry[4]) not in gone]
            heapq.heapify(self._heap)
        return out


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
        former=row.why == Why.FORMER,
    )

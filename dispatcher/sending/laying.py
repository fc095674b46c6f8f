"""A frozen chunk becomes rows: read, compared with what was signed and made ready beside the sending, then written in one go.

While a chunk is written nothing else is: SQLite has one writer, and what the senders have in hand lasts them twenty
milliseconds. It must survive another node that is quicker, and a warning called off between the looking and the writing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from dispatcher.model import Channel
from dispatcher.sending.approved import PLAN_CHANGED
from dispatcher.sending.barring import Bar, Side
from dispatcher.sending.live import Desk, Live
from dispatcher.sending.opened import OpenChunk
from dispatcher.sending.writer import Writer, patiently
from dispatcher.states import DeliveryState, WarningState
from dispatcher.store import chunks, deliveries, nodes, warnings
from dispatcher.store.chunks import Chunk, Holder
from dispatcher.store.deliveries import Planned
from dispatcher.store.engine import Store, Tx
from dispatcher.store.packing import readable


class Layout:
    """`next` for whoever sends a channel, `rest` for what nobody here sends."""

    def __init__(self, store: Store, writer: Writer, desk: Desk, bar: Bar, holder: Callable[[], Holder]) -> None:
        self._store = store
        self._writer = writer
        self._desk = desk
        self._bar = bar
        self._holder = holder

    async def next(self, side: Side, above: int | None) -> OpenChunk | None:
        """The most urgent released chunk of a side becomes ours, its rows planned; None where none waits. `above`: only what
        overtakes this lane."""
        found = await patiently(partial(self._look, side, above))
        if found is None:
            return None
        chunk, live = found
        planned = self._made_ready(chunk, live)
        if planned is not None and await self._writer.lay_down(planned):
            return OpenChunk(id=chunk.id, live=live, lane=chunk.lane, rows=planned.rows)
        return await self._writer.beside(partial(self._take, side, above))  # passes over what others hold just now

    async def rest(self, sent_here: Collection[Side]) -> bool:
        """One chunk that nobody here sends and nobody need wait for is laid out and over; False where there is none."""
        waits = await patiently(partial(self._unsent, sent_here))
        return waits and await self._writer.within(partial(self._take_unsent, sent_here))

    async def _look(self, side: Side, above: int | None) -> tuple[Chunk, Live] | None:
        """Without the write lock: whoever takes it in vain keeps it from the sending."""
        async with self._store.read() as tx:
            chunk = await chunks.look(tx, side[0], above, drill=side[1])
            return None if chunk is None else (chunk, await self._desk.load(tx, chunk.warning_id))

    def _made_ready(self, chunk: Chunk, live: Live) -> Planned | None:
        """All but the first chunk of a warning that may be sent; None where more is to be said of it in the transaction."""
        ended = live.ended or self._bar.of(live, chunk.channel)
        if live.state is not WarningState.DISPATCHING or ended is not None or chunk.channel == Channel.BROADCAST:
            return None
        frozen = readable(chunk.packed)
        if frozen is None or not live.approved.has(chunk):
            return None
        return deliveries.laid_out(self._store.dialect, chunk, frozen)

    async def _take(self, side: Side, above: int | None, tx: Tx) -> OpenChunk | None:
        """Takes the most urgent chunk and inserts its rows, in one transaction."""
        channel, drill = side
        chunk = await chunks.take(tx, channel, self._holder(), above, drill=drill)
        return await self._lay_out(tx, chunk) if chunk else None

    async def _unsent(self, sent_here: Collection[Side]) -> bool:
        async with self._store.read() as tx:
            return await chunks.waits_unsent(tx, sent_here)

    async def _take_unsent(self, sent_here: Collection[Side], tx: Tx) -> bool:
        chunk = await chunks.take_unsent(tx, sent_here, self._holder())
        if chunk is None:
            return False
        await self._lay_out(tx, chunk)
        await chunks.close(tx, [chunk.id])
        return True

    async def _lay_out(self, tx: Tx, chunk: Chunk) -> OpenChunk:
        """Inserts a chunk's rows: to be sent, or in the state its warning has ended in."""
        live, frozen = await self._desk.load(tx, chunk.warning_id), readable(chunk.packed)
        born = live.ended or self._bar.of(live, chunk.channel)
        if frozen is None or not live.approved.has(chunk):
            # nobody can tell whose these rows were; and one that names somebody twice must not stop whoever plans
            born, frozen = born or (DeliveryState.FAILED, PLAN_CHANGED), None
        if born is not None:
            await self._bar.tell(tx, chunk, live.approved.changed, (chunk.size, born))
        serial = await nodes.reserve(tx, "ebd", chunk.size) if chunk.channel == Channel.BROADCAST else 0
        rows = await deliveries.plan(tx, chunk, frozen, serial, born) if frozen else []
        if live.state is not WarningState.DISPATCHING:
            await warnings.move(tx, chunk.warning_id, WarningState.DISPATCHING)
        return OpenChunk(id=chunk.id, live=live, lane=chunk.lane, rows=rows)

"""Released chunks, and those whose owner died, become somebody's: looked for without a lock, taken under one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, insert, or_, select, update

from dispatcher.states import WarningState
from dispatcher.store.chunks.held import IN_FORCE, LeaseEnd
from dispatcher.store.chunks.rows import Chunk, ChunkState, Holder, NewChunk
from dispatcher.store.engine import Tx
from dispatcher.store.sides import contradictory, not_plainly_live, on_side
from dispatcher.store.tables import chunks, warnings


async def look(tx: Tx, channel: str, above_lane: int | None = None, *, drill: bool = False) -> Chunk | None:
    """The one that `take` would take; nothing is locked."""
    found = await tx.execute(_looked_for(channel, above_lane, drill=drill))
    row = found.mappings().one_or_none()
    return Chunk(**row) if row else None


async def take(
    tx: Tx, channel: str, holder: Holder, above_lane: int | None = None, *, drill: bool = False
) -> Chunk | None:
    """The most urgent released chunk of a channel, of a drill or of what is real, becomes the holder's; its rows are to be
    planned in this transaction.

    `above_lane`: only one that overtakes this lane.
    """
    return await _seize(tx, _of(channel, above_lane, drill=drill), holder)


async def waits_unsent(tx: Tx, sent_here: Collection[tuple[str, bool]]) -> bool:
    """Whether there is one to `take_unsent`; nothing is locked."""
    return (await tx.execute(_ready(_unsent(sent_here), chunks.c.id))).first() is not None


async def take_unsent(tx: Tx, sent_here: Collection[tuple[str, bool]], holder: Holder) -> Chunk | None:
    """A released chunk that nobody here sends and nobody need wait for: its warning may no longer be sent by anybody, or
    contradicts itself, or is a drill. `sent_here`: (channel, whether a drill's)."""
    return await _seize(tx, _unsent(sent_here), holder)


async def waits_orphaned(tx: Tx, holder: Holder, channels: Sequence[str]) -> bool:
    """Whether there is one to `reclaim`; nothing is locked."""
    return (await tx.execute(select(chunks.c.id).where(_orphaned(holder, channels)).limit(1))).first() is not None


async def reclaim(tx: Tx, holder: Holder, channels: Sequence[str]) -> Chunk | None:
    """A chunk whose owner died: our own of an older epoch at once, another's when its lease has run out.

    Of `channels`, and of any channel what is not plainly live; where its warning was called off there is nothing left to
    send, and any channel's is taken.
    """
    wanted = select(chunks.c.id).where(_orphaned(holder, channels)).order_by(chunks.c.lane, chunks.c.id).limit(1)
    return await _held_anew(tx, wanted, holder)


async def regain(tx: Tx, holder: Holder, chunk_id: int) -> Chunk | None:
    """A chunk of the holder's own that it knows nothing of: it became his in a commit answered by silence."""
    mine = and_(chunks.c.owner == holder.node, chunks.c.epoch == holder.epoch)
    held = chunks.c.state.in_([ChunkState.OPEN, ChunkState.ENDED])
    return await _held_anew(tx, select(chunks.c.id).where(chunks.c.id == chunk_id, mine, held), holder)


async def _held_anew(tx: Tx, which: Select[Any], holder: Holder) -> Chunk | None:
    wanted = which.with_for_update(skip_locked=True).scalar_subquery()
    row = (await tx.execute(select(chunks).where(chunks.c.id == wanted))).mappings().one_or_none()
    if row is None:
        return None
    await tx.execute(
        update(chunks)
        .where(chunks.c.id == row["id"])
        .values(owner=holder.node, epoch=holder.epoch, lease_until=LeaseEnd())
    )
    return Chunk(**{**row, "owner": holder.node, "epoch": holder.epoch})


async def gather(tx: Tx, new: NewChunk, warning_id: str, holder: Holder) -> int:
    """A chunk of retries, open from the start and the holder's; returns its id."""
    result = await tx.execute(
        insert(chunks)
        .values(
            warning_id=warning_id,
            channel=new.channel,
            lane=new.lane,
            seq=new.seq,
            size=new.size,
            packed=new.packed,
            hash=new.hash,
            state=ChunkState.OPEN,
            owner=holder.node,
            epoch=holder.epoch,
            lease_until=LeaseEnd(),
            opened_to=0,
        )
        .returning(chunks.c.id)
    )
    return int(result.scalar_one())


_MINE = and_(chunks.c.owner == bindparam("b_owner"), chunks.c.epoch == bindparam("b_epoch"), chunks.c.opened_to == 0)
_LOCKED = (
    select(chunks.c.state)
    .where(
        chunks.c.id == bindparam("b_id"),
        or_(chunks.c.state == ChunkState.READY, and_(chunks.c.state == ChunkState.OPEN, _MINE)),
    )
    .with_for_update(skip_locked=True)
)
_OPENED = (
    update(chunks)
    .where(
        chunks.c.id == bindparam("b_id"),
        select(warnings.c.id)
        .where(warnings.c.id == chunks.c.warning_id, warnings.c.state == WarningState.DISPATCHING.value)
        .exists(),
    )
    .values(state=ChunkState.OPEN, owner=bindparam("b_owner"), epoch=bindparam("b_epoch"), lease_until=LeaseEnd())
)


def open_for(connection: Connection, chunk_id: int, holder: Holder) -> bool | None:
    """A chunk of a warning that is being dispatched becomes the holder's; its rows are to be planned in this transaction.
    False where another was quicker, holds it just now, or the warning has been called off meanwhile; None where it is the
    holder's already and its rows stand: its commit was answered by silence.

    Locked first, and only then is the warning looked at: whoever calls it off holds its chunks until that is committed, and a
    statement that waited for them would still see the warning as it was before.
    """
    given = {"b_id": chunk_id, "b_owner": holder.node, "b_epoch": holder.epoch}
    state = connection.execute(_LOCKED, given).scalar()
    if state is None:
        return False
    return None if state == ChunkState.OPEN else bool(connection.execute(_OPENED, given).rowcount)


def _of(channel: str, above_lane: int | None, *, drill: bool) -> ColumnElement[bool]:
    wanted = and_(chunks.c.channel == channel, on_side(chunks.c.warning_id, drill=drill))
    return wanted if above_lane is None else and_(wanted, chunks.c.lane < above_lane)


@cache
def _looked_for(channel: str, above_lane: int | None, *, drill: bool) -> Select[Any]:
    """Kept: a sender looks before each chunk and after each wake-up, and making the question costs more than asking it."""
    return _ready(_of(channel, above_lane, drill=drill), chunks)


def _unsent(sent_here: Collection[tuple[str, bool]]) -> ColumnElement[bool]:
    live_here, drills_here = [[channel for channel, drill in sent_here if drill is side] for side in (False, True)]
    mine = chunks.c.warning_id
    return or_(
        and_(chunks.c.channel.not_in(live_here), on_side(mine, drill=False), or_(~IN_FORCE, contradictory(mine))),
        and_(chunks.c.channel.not_in(drills_here), on_side(mine, drill=True)),
    )


def _orphaned(holder: Holder, channels: Sequence[str]) -> ColumnElement[bool]:
    return and_(
        or_(
            chunks.c.state == ChunkState.ENDED,
            and_(
                chunks.c.state == ChunkState.OPEN,
                or_(chunks.c.channel.in_(channels), not_plainly_live(chunks.c.warning_id)),
            ),
        ),
        or_(
            and_(chunks.c.owner == holder.node, chunks.c.epoch < holder.epoch),
            and_(chunks.c.owner != holder.node, chunks.c.lease_until < func.now()),
        ),
    )


def _ready(which: ColumnElement[bool], what: Any) -> Select[Any]:
    """The most urgent released one."""
    ready = select(what).where(chunks.c.state == ChunkState.READY, which)
    return ready.order_by(chunks.c.lane, chunks.c.id).limit(1)


async def _seize(tx: Tx, which: ColumnElement[bool], holder: Holder) -> Chunk | None:
    """The most urgent released one of `which`."""
    wanted = _ready(which, chunks.c.id).with_for_update(skip_locked=True).scalar_subquery()
    seized = (
        update(chunks)
        .where(chunks.c.id == wanted, chunks.c.state == ChunkState.READY)
        .values(state=ChunkState.OPEN, owner=holder.node, epoch=holder.epoch, lease_until=LeaseEnd())
        .returning(chunks)
    )
    row = (await tx.execute(seized)).mappings().one_or_none()
    return Chunk(**row) if row else None

"""Chunks: up to 1,000 ordered rows of one warning on one channel, with an owner, an epoch and a lease.

The protocol that makes a crash harmless (DESIGN 3.1, 6.10): before a slice goes out, `opened_to` durably moves past it, so
that after a crash the rows below `opened_to` without a result are exactly the doubtful ones. Every write names the owner's
epoch: whoever was taken for dead cannot write any more.

A lease runs on the database's clock, the one clock that two machines share. On SQLite one process holds the lock file, so
there is no lease, and only what its own earlier life left is taken back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, case, func, insert, literal, or_, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from dispatcher.states import SENDING, DeliveryState
from dispatcher.store.engine import Tx
from dispatcher.store.sides import contradictory, not_plainly_live, on_side
from dispatcher.store.tables import chunks, deliveries, warnings
from dispatcher.store.tables.schema import Instant

LEASE_S = 6
"""How long what a node took is its own without being renewed."""


class ChunkState(IntEnum):
    FROZEN = 0
    """Part of a plan nobody has released yet."""
    READY = 1
    """Released; no rows in the ledger yet."""
    OPEN = 2
    """Its rows stand in the ledger and its owner sends them."""
    ENDED = 3
    """Its warning was called off: nothing more is opened, what is under way still gets its result."""
    CLOSED = 4


class Shape(NamedTuple):
    """What of a chunk stands for its rows."""

    channel: str
    seq: int
    size: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    id: int
    warning_id: str
    channel: str
    lane: int
    seq: int
    size: int
    packed: bytes
    hash: str
    state: int
    owner: str | None
    epoch: int
    lease_until: datetime | None
    opened_to: int

    @property
    def shape(self) -> Shape:
        return Shape(self.channel, self.seq, self.size, self.hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChunk:
    channel: str
    lane: int
    seq: int
    size: int
    packed: bytes
    hash: str

    @property
    def shape(self) -> Shape:
        return Shape(self.channel, self.seq, self.size, self.hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A node in one epoch."""

    node: str
    epoch: int


class _LeaseEnd(FunctionElement[datetime]):
    """When a lease taken or renewed now runs out."""

    type = Instant()
    inherit_cache = True


@compiles(_LeaseEnd, "postgresql")
def _(_element: _LeaseEnd, _compiler: SQLCompiler, **_given: object) -> str:
    return f"clock_timestamp() + interval '{LEASE_S} seconds'"


@compiles(_LeaseEnd, "sqlite")
def _(_element: _LeaseEnd, _compiler: SQLCompiler, **_given: object) -> str:
    return "NULL"


async def freeze(tx: Tx, warning_id: str, new: Sequence[NewChunk]) -> None:
    if new:
        await tx.execute(
            insert(chunks),
            [
                {
                    "warning_id": warning_id,
                    "channel": chunk.channel,
                    "lane": chunk.lane,
                    "seq": chunk.seq,
                    "size": chunk.size,
                    "packed": chunk.packed,
                    "hash": chunk.hash,
                    "state": ChunkState.FROZEN,
                    "epoch": 0,
                    "opened_to": 0,
                }
                for chunk in new
            ],
        )


async def release(tx: Tx, warning_id: str) -> None:
    await tx.execute(
        update(chunks)
        .where(chunks.c.warning_id == warning_id, chunks.c.state == ChunkState.FROZEN)
        .values(state=ChunkState.READY)
    )


async def hashes(tx: Tx, warning_id: str) -> list[str]:
    """Of the frozen plan, in the order that was signed."""
    return [shape.hash for shape in await shapes(tx, warning_id)]


async def shapes(tx: Tx, warning_id: str) -> list[Shape]:
    """The frozen plan without its rows, in the order that was signed."""
    c = chunks.c
    wanted = select(c.channel, c.seq, c.size, c.hash).where(c.warning_id == warning_id, c.seq >= 0).order_by(c.id)
    return [Shape(channel, seq, size, digest) for channel, seq, size, digest in await tx.execute(wanted)]


async def lists(tx: Tx, warning_id: str, channel: str) -> list[tuple[Shape, bytes]]:
    """The frozen plan of one channel with its packed rows."""
    c = chunks.c
    mine = and_(c.warning_id == warning_id, c.channel == channel, c.seq >= 0)
    rows = await tx.execute(select(c.seq, c.size, c.hash, c.packed).where(mine))
    return [(Shape(channel, seq, size, digest), packed) for seq, size, digest, packed in rows]


async def take(
    tx: Tx, channel: str, holder: Holder, above_lane: int | None = None, *, drill: bool = False
) -> Chunk | None:
    """The most urgent released chunk of a channel, of a drill or of what is real, becomes the holder's; its rows are to be
    planned in this transaction.

    `above_lane`: only one that overtakes this lane.
    """
    wanted = and_(chunks.c.channel == channel, on_side(chunks.c.warning_id, drill=drill))
    return await _seize(tx, wanted if above_lane is None else and_(wanted, chunks.c.lane < above_lane), holder)


async def take_unsent(tx: Tx, sent_here: Collection[tuple[str, bool]], holder: Holder) -> Chunk | None:
    """A released chunk that nobody here sends and nobody need wait for: its warning may no longer be sent by anybody, or
    contradicts itself, or is a drill. `sent_here`: (channel, whether a drill's)."""
    live_here, drills_here = [[channel for channel, drill in sent_here if drill is side] for side in (False, True)]
    mine = chunks.c.warning_id
    return await _seize(
        tx,
        or_(
            and_(chunks.c.channel.not_in(live_here), on_side(mine, drill=False), or_(~IN_FORCE, contradictory(mine))),
            and_(chunks.c.channel.not_in(drills_here), on_side(mine, drill=True)),
        ),
        holder,
    )


async def reclaim(tx: Tx, holder: Holder, channels: Sequence[str]) -> Chunk | None:
    """A chunk whose owner died: our own of an older epoch at once, another's when its lease has run out.

    Of `channels`, and of any channel what is not plainly live; where its warning was called off there is nothing left to
    send, and any channel's is taken.
    """
    orphaned = or_(
        and_(chunks.c.owner == holder.node, chunks.c.epoch < holder.epoch),
        and_(chunks.c.owner != holder.node, chunks.c.lease_until < func.now()),
    )
    wanted = (
        select(chunks.c.id)
        .where(
            or_(
                chunks.c.state == ChunkState.ENDED,
                and_(
                    chunks.c.state == ChunkState.OPEN,
                    or_(chunks.c.channel.in_(channels), not_plainly_live(chunks.c.warning_id)),
                ),
            ),
            orphaned,
        )
        .order_by(chunks.c.lane, chunks.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    row = (await tx.execute(select(chunks).where(chunks.c.id == wanted))).mappings().one_or_none()
    if row is None:
        return None
    await tx.execute(
        update(chunks)
        .where(chunks.c.id == row["id"])
        .values(owner=holder.node, epoch=holder.epoch, lease_until=_LeaseEnd())
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
            lease_until=_LeaseEnd(),
            opened_to=0,
        )
        .returning(chunks.c.id)
    )
    return int(result.scalar_one())


_OURS = and_(  # an epoch is its node's own: two nodes may both be in their first
    chunks.c.owner == bindparam("b_owner"), chunks.c.epoch == bindparam("b_epoch")
)
IN_FORCE = (
    select(warnings.c.id)
    .where(warnings.c.id == chunks.c.warning_id, or_(*[warnings.c.state == state.value for state in SENDING]))
    .exists()
)
_FURTHER = and_(
    chunks.c.opened_to < bindparam("b_position"),
    chunks.c.state == ChunkState.OPEN,
    IN_FORCE,
)
FENCE = (
    update(chunks)
    .where(chunks.c.id == bindparam("b_id"), _OURS)
    .values(opened_to=case((_FURTHER, bindparam("b_position")), else_=chunks.c.opened_to))
    .returning(chunks.c.state, chunks.c.opened_to)
)
"""Keeps zombies out: matches a chunk only while it is the holder's, and moves its mark where its warning still holds."""


async def renew(tx: Tx, holder: Holder) -> dict[int, bool]:
    """What is still the holder's, for another LEASE_S; False for a chunk whose warning was called off meanwhile."""
    held = await tx.execute(
        update(chunks)
        .where(
            chunks.c.owner == holder.node,
            chunks.c.epoch == holder.epoch,
            chunks.c.state.in_([ChunkState.OPEN, ChunkState.ENDED]),
        )
        .values(lease_until=_LeaseEnd())
        .returning(chunks.c.id, chunks.c.state)
    )
    return {row.id: row.state == ChunkState.OPEN for row in held}


async def orphaned(tx: Tx, for_: timedelta) -> int:
    """Chunks whose lease has been over for so long, and which nobody has taken; never one on SQLite."""
    held = chunks.c.state.in_([ChunkState.OPEN, ChunkState.ENDED])
    over = chunks.c.lease_until < func.now() - literal(for_)
    if tx.dialect.name == "sqlite":
        return 0
    found = await tx.execute(select(func.count()).select_from(chunks).where(held, over))
    return int(found.scalar_one())


CLOSE = (
    update(chunks)
    .where(
        chunks.c.id == bindparam("b_id"),
        ~select(deliveries.c.pos)
        .where(deliveries.c.chunk_id == chunks.c.id, deliveries.c.state == DeliveryState.PLANNED)
        .exists(),
    )
    .values(state=ChunkState.CLOSED)
)


async def close(tx: Tx, ids: Sequence[int]) -> None:
    """Whoever miscounts cannot lose a row: a chunk with one left to send stays as it is, and is taken back."""
    for chunk_id in sorted(ids):
        await tx.execute(CLOSE, {"b_id": chunk_id})


async def hold(tx: Tx, warning_id: str) -> None:
    """Waits for whoever is planning or opening one of its chunks right now, and keeps them all until this ends.

    Whoever locks a chunk and its warning locks the chunk first, so that no two ever wait for each other.
    """
    await tx.execute(
        select(chunks.c.id).where(chunks.c.warning_id == warning_id).order_by(chunks.c.id).with_for_update()
    )


async def end(tx: Tx, warning_id: str) -> None:
    """Nothing more of this warning is opened; `hold` comes before it.

    Chunks not planned yet stay ready: they are still planned, straight into the state the warning ended in, so that the
    ledger names everybody who was on the list.
    """
    await tx.execute(
        update(chunks)
        .where(chunks.c.warning_id == warning_id, chunks.c.state == ChunkState.OPEN)
        .values(state=ChunkState.ENDED)
    )
    await release(tx, warning_id)


async def unfinished(tx: Tx, warning_id: str) -> tuple[int, int]:
    """(chunks of the plan not wholly opened, chunks not closed) of a warning."""
    rows = (
        await tx.execute(
            select(chunks.c.state, chunks.c.size, chunks.c.opened_to, chunks.c.seq).where(
                chunks.c.warning_id == warning_id, chunks.c.state != ChunkState.CLOSED
            )
        )
    ).all()
    unopened = [row for row in rows if row.seq >= 0 and row.state != ChunkState.ENDED and row.opened_to < row.size]
    return len(unopened), len(rows)


async def _seize(tx: Tx, which: ColumnElement[bool], holder: Holder) -> Chunk | None:
    """The most urgent released one of `which`."""
    wanted = (
        select(chunks.c.id)
        .where(chunks.c.state == ChunkState.READY, which)
        .order_by(chunks.c.lane, chunks.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    seized = (
        update(chunks)
        .where(chunks.c.id == wanted, chunks.c.state == ChunkState.READY)
        .values(state=ChunkState.OPEN, owner=holder.node, epoch=holder.epoch, lease_until=_LeaseEnd())
        .returning(chunks)
    )
    row = (await tx.execute(seized)).mappings().one_or_none()
    return Chunk(**row) if row else None

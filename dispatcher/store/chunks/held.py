"""Chunks in somebody's hands: the lease, the mark, the fence that keeps zombies out, the end.

A lease runs on the database's clock, the one clock that two machines share. On SQLite one process holds the lock file, so
there is no lease, and only what its own earlier life left is taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, case, func, literal, or_, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from dispatcher.states import SENDING, DeliveryState
from dispatcher.store.chunks.frozen import release
from dispatcher.store.chunks.rows import ChunkState, Holder
from dispatcher.store.engine import Tx
from dispatcher.store.tables import chunks, deliveries, warnings
from dispatcher.store.tables.schema import Instant

LEASE_S = 6
"""How long what a node took is its own without being renewed."""


class LeaseEnd(FunctionElement[datetime]):
    """When a lease taken or renewed now runs out."""

    type = Instant()
    inherit_cache = True


@compiles(LeaseEnd, "postgresql")
def _(_element: LeaseEnd, _compiler: SQLCompiler, **_given: object) -> str:
    return f"clock_timestamp() + interval '{LEASE_S} seconds'"


@compiles(LeaseEnd, "sqlite")
def _(_element: LeaseEnd, _compiler: SQLCompiler, **_given: object) -> str:
    return "NULL"


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
        .values(lease_until=LeaseEnd())
        .returning(chunks.c.id, chunks.c.state)
    )
    return {row.id: row.state == ChunkState.OPEN for row in held}


async def held_by(tx: Tx, holder: Holder) -> set[int]:
    """What is the holder's and not closed."""
    found = await tx.execute(
        select(chunks.c.id).where(
            chunks.c.state.in_([ChunkState.OPEN, ChunkState.ENDED]),
            chunks.c.owner == holder.node,
            chunks.c.epoch == holder.epoch,
        )
    )
    return set(found.scalars())


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

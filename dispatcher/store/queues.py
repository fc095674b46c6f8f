"""How much waits, and where: for the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Table, func, select

from dispatcher.states import DeliveryState
from dispatcher.store.chunks import ChunkState
from dispatcher.store.engine import Tx
from dispatcher.store.tables import chunks, deliveries, inbox, outbox, rejects


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """`inbox` is the embedded broker's; `oldest_inbox` and `oldest_outbox` are what has waited longest."""

    inbox: int
    oldest_inbox: datetime | None
    outbox: int
    oldest_outbox: datetime | None
    chunks: int
    rows: int
    """Deliveries due again."""
    rejects: int


async def waiting(tx: Tx) -> Queues:
    letters = (await tx.execute(select(func.count(), func.min(inbox.c.enqueued_at)))).one()
    events = (
        await tx.execute(select(func.count(), func.min(outbox.c.at)).where(outbox.c.relayed_at.is_(None)))
    ).one()  # fmt: skip
    under_way = select(func.count()).where(chunks.c.state.in_([ChunkState.READY, ChunkState.OPEN, ChunkState.ENDED]))
    due = select(func.count()).where(deliveries.c.due_at.is_not(None), deliveries.c.state == DeliveryState.PLANNED)
    return Queues(
        inbox=letters[0],
        oldest_inbox=letters[1],
        outbox=events[0],
        oldest_outbox=events[1],
        chunks=int((await tx.execute(under_way)).scalar_one()),
        rows=int((await tx.execute(due)).scalar_one()),
        rejects=await _count(tx, rejects),
    )


async def _count(tx: Tx, table: Table) -> int:
    return int((await tx.execute(select(func.count()).select_from(table))).scalar_one())

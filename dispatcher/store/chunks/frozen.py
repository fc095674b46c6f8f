"""The plan as it was signed: chunks frozen with their warning, and released with it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, insert, select, update

from dispatcher.store.chunks.rows import ChunkState, NewChunk, Shape
from dispatcher.store.engine import Tx
from dispatcher.store.tables import chunks


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

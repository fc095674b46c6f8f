"""Chunks: up to 1,000 ordered rows of one warning on one channel, with an owner, an epoch and a lease.

The protocol that makes a crash harmless (DESIGN 3.1, 6.10): before a slice goes out, `opened_to` durably moves past it, so
that after a crash the rows below `opened_to` without a result are exactly the doubtful ones. Every write names the owner's
epoch: whoever was taken for dead cannot write any more.
"""

from dispatcher.store.chunks.frozen import freeze, hashes, lists, release, shapes
from dispatcher.store.chunks.held import (
    CLOSE,
    FENCE,
    IN_FORCE,
    LEASE_S,
    close,
    end,
    held_by,
    hold,
    orphaned,
    renew,
    unfinished,
)
from dispatcher.store.chunks.rows import Chunk, ChunkState, Holder, NewChunk, Shape
from dispatcher.store.chunks.taking import (
    gather,
    look,
    open_for,
    reclaim,
    regain,
    take,
    take_unsent,
    waits_orphaned,
    waits_unsent,
)

__all__ = [
    "CLOSE",
    "FENCE",
    "IN_FORCE",
    "LEASE_S",
    "Chunk",
    "ChunkState",
    "Holder",
    "NewChunk",
    "Shape",
    "close",
    "end",
    "freeze",
    "gather",
    "hashes",
    "held_by",
    "hold",
    "lists",
    "look",
    "open_for",
    "orphaned",
    "reclaim",
    "regain",
    "release",
    "renew",
    "shapes",
    "take",
    "take_unsent",
    "unfinished",
    "waits_orphaned",
    "waits_unsent",
]

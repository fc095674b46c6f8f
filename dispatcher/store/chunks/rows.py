"""A chunk, one yet to be frozen, and who holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple


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

"""Channels as progress: what has left, how fast it leaves now, and when the last of it will have left.

The rate is what the ledger says left in the last seconds, so that whoever looks first sees it too, and a restart forgets
nothing. It must promise nothing while nothing leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dispatcher.web.reach import Tally

WINDOW: Final = timedelta(seconds=10)
"""Of what left, how far back the rate of now looks."""
_LEAST_S: Final = 1.0
BAR: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """When the first and the last row left, and how many did in the last seconds."""

    first: datetime | None
    last: datetime | None
    recent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of a bar, in thousandths of its width."""

    kind: str
    x: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A channel, or all of them (`name` ''). `rate`: messages a second now, 0 where none leaves; `done_by`: when the last will
    have left at that rate; `last`: when the last one left."""

    name: str
    tally: Tally
    segments: tuple[Segment, ...]
    rate: float = 0.0
    done_by: datetime | None = None
    last: datetime | None = None

    @property
    def whole(self) -> bool:
        """Nothing waits any more."""
        return self.tally.due > 0 and not self.tally.pending


def lane(name: str, tally: Tally) -> Lane:
    """Without its pace, where nobody watches."""
    return Lane(name=name, tally=tally, segments=segments(tally))


def moving_lane(name: str, tally: Tally, pace: Pace | None, at: datetime) -> Lane:
    rate = _rate(pace, at)
    done_by = at + timedelta(seconds=tally.pending / rate) if rate and tally.pending else None
    last = pace.last if pace else None
    return Lane(name=name, tally=tally, segments=segments(tally), rate=rate, done_by=done_by, last=last)


def lanes(channels: Mapping[str, Tally], paces: Mapping[str, Pace], at: datetime) -> tuple[Lane, ...]:
    """Those with the most rows first."""
    found = sorted(channels.items(), key=lambda item: (-item[1].planned, item[0]))
    return tuple(moving_lane(name, tally, paces.get(name), at) for name, tally in found)


def _rate(pace: Pace | None, at: datetime) -> float:
    """Over the time since the first left, where that was just now."""
    if pace is None or pace.first is None or not pace.recent:
        return 0.0
    passed = min(WINDOW, at - pace.first).total_seconds()
    return pace.recent / max(_LEAST_S, passed)


def segments(tally: Tally) -> tuple[Segment, ...]:
    """Delivered, then on its way, then missed; what is still to come stays empty."""
    pieces = (
        ("delivered", tally.delivered),
        ("sent", tally.sent),
        ("missed", tally.missed),
        ("failed", tally.failed),
        ("ended", tally.ended),
    )
    found, done = [], 0
    for kind, rows in pieces:
        begin, done = round(done * BAR / max(1, tally.due)), done + rows
        end = round(done * BAR / max(1, tally.due))
        if rows:
            found.append(Segment(kind=kind, x=begin, width=max(4, end - begin)))
    return tuple(found)

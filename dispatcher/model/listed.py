"""Who is on a warning's list and why: what the audience hands to the plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from dispatcher.model.target import Target
from dispatcher.model.words import Channel, Level, Why


class Member(Struct, frozen=True, kw_only=True):
    """One target on the list. A person with many posts stands here once, with the strongest reason."""

    target: Target
    channel: Channel
    why: Why
    township: str
    """Where it counts in reports: 9 digits, 6 for a county's own posts or the city's."""
    roles: int = 0
    order: int = 1
    """0: the first answerer of a village, and duty rooms; 1: everybody else."""
    areas: tuple[str, ...] = ()
    """Gateways and endpoints: the 12-digit village codes it speaks for."""
    minutes_left: int | None = None
    """Until what is warned of arrives there, where somebody knows; whoever has least is told first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentHits:
    """Residents on the list: `township` indexes `townships` (9-digit codes)."""

    id: NDArray[np.int64]
    township: NDArray[np.int32]
    townships: tuple[str, ...]


NO_RESIDENTS: Final = ResidentHits(id=np.empty(0, np.int64), township=np.empty(0, np.int32), townships=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """Who will not get it, said before it is sent."""

    area: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Another source's warning of the same event that is still in force, in words, and who is on its list."""

    said: str
    level: Level | None
    targets: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Frozen: who is told. `members` stand in sending order; residents come after them."""

    members: tuple[Member, ...]
    residents: ResidentHits
    left_out: int = 0
    """How many a narrowing leaves out."""
    unreachable: tuple[Unreachable, ...] = ()
    former: tuple[Member, ...] = ()
    """Whom an earlier version reached and whose place is not in the area any more: told just that, after all others."""
    former_residents: ResidentHits = field(default_factory=lambda: NO_RESIDENTS)
    told: frozenset[str] = frozenset()
    """Targets that know already what this says, and are not rung again for it."""
    standing: Standing | None = None
    """What still stands for some of those who are told that this one is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """An officer just outside the area, and why not told."""

    officer_id: str
    name: str
    area_name: str
    distance_km: float
    reason: str

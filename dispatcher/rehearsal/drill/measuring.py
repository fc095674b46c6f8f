"""A step in numbers, counted from the ledger once its rows have ended: by channel, by village, in time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.model import Channel, Kind, TargetKind
from dispatcher.planning import TOLD
from dispatcher.registry.register import Register
from dispatcher.rehearsal.drill.playing import Act
from dispatcher.reporting import Cell
from dispatcher.states import DeliveryState
from dispatcher.store.ledger import Entry

_LEFT = (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.UNDELIVERED, DeliveryState.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Villages:
    """Of a step's area: `none` have nobody and nothing that could be told."""

    total: int
    due: int
    reached: int

    @property
    def none(self) -> int:
        return self.total - self.due


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One step in numbers. Seconds count from its acceptance to the first and the last message sent."""

    name: str
    warning_id: str
    kind: str
    level: str | None
    channels: Mapping[str, Cell]
    villages: Villages
    first_s: float | None
    last_s: float | None
    called_off: tuple[int, int] | None
    """Of a Cancel: how many had heard what it ends, and how many of those heard that."""


def measured(register: Register, act: Act, acts: Sequence[Act]) -> Measured:
    found = act.landed.summary
    times = found.times
    return Measured(
        name=act.step.name,
        warning_id=found.warning.id,
        kind=found.warning.kind,
        level=found.warning.level,
        channels=found.channels,
        villages=_villages(register, found.warning.area["villages"], act.landed.entries),
        first_s=None if times.accept_to_first_ms is None else times.accept_to_first_ms / 1000,
        last_s=None if times.accept_to_last_ms is None else times.accept_to_last_ms / 1000,
        called_off=_called_off(act, acts) if found.warning.kind == Kind.CANCEL else None,
    )


def _villages(register: Register, codes: Iterable[Any], entries: Sequence[Entry]) -> Villages:
    """By the village's own officers and the loudspeakers that cover it; a county's platform proves nothing of a village."""
    inside = {str(code) for code in codes}
    posts: dict[str, set[str]] = {}
    for post in register.posts:
        if post.area_code in inside:
            posts.setdefault(f"{TargetKind.OFFICER}-{post.officer_id}", set()).add(post.area_code)
    due: set[str] = set()
    reached: set[str] = set()
    for entry in entries:
        spoken = set(entry.areas.split(",")) if entry.channel == Channel.BROADCAST else posts.get(entry.target, set())
        again = entry.state_code == TOLD  # proven to have heard as much before, and not rung once more
        if entry.state is not DeliveryState.SUPPRESSED or again:
            due |= spoken & inside
        if entry.state is DeliveryState.DELIVERED or again:
            reached |= spoken & inside
    return Villages(total=len(inside), due=len(due), reached=len(reached))


def _called_off(act: Act, acts: Sequence[Act]) -> tuple[int, int]:
    """Whoever may have heard any version of what is ended, over which channel; and who of them heard that it is over."""
    heard = {
        (entry.channel, entry.target)
        for other in acts
        if other.step.name in act.step.of
        for entry in other.landed.entries
        if entry.state in _LEFT
    }
    told = {(entry.channel, entry.target) for entry in act.landed.entries if entry.state is DeliveryState.DELIVERED}
    return len(heard), len(heard & told)

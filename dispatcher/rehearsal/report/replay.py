"""When which village and which township was reached: the ledger's times, cut into steps that a slider can walk.

Nothing is smoothed or invented: a step holds what the ledger says happened up to its end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dispatcher.model import BEIJING, Channel, TargetKind, township_of
from dispatcher.registry.register import Register
from dispatcher.reporting import Summary
from dispatcher.states import DeliveryState
from dispatcher.store.ledger import Entry

STEPS = 200
NEVER = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Village:
    """Steps at which the first message to its own people was sent and proven, and its loudspeakers had played."""

    sent: int = NEVER
    delivered: int = NEVER
    played: int = NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One warning. `townships` maps a code to (rows planned, rows delivered by step)."""

    began: datetime
    step: timedelta
    villages: Mapping[str, Village]
    townships: Mapping[str, tuple[int, Mapping[int, int]]]
    sent: Sequence[int]
    delivered: Sequence[int]

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script reads; villages and townships by their code."""
        return {
            "began": self.began.astimezone(BEIJING).strftime("%H:%M:%S"),
            "began_ms": round(self.began.timestamp() * 1000),
            "step_ms": self.step.total_seconds() * 1000,
            "villages": {code: [one.sent, one.delivered, one.played] for code, one in self.villages.items()},
            "townships": {code: [planned, sorted(steps.items())] for code, (planned, steps) in self.townships.items()},
            "sent": self.sent,
            "delivered": self.delivered,
        }


def replay(register: Register, summary: Summary, entries: Iterable[Entry]) -> Replay:
    """From the moment the warning was received to its last proof."""
    entries = list(entries)
    began = summary.warning.received_at
    last = max((at for one in entries for at in (one.sent_at, one.ended_at) if at), default=began)
    step = max((last - began) / STEPS, timedelta(milliseconds=1))

    def place(at: datetime | None) -> int:
        return NEVER if at is None else min(STEPS, max(0, -(-(at - began) // step)))

    return Replay(
        began=began,
        step=step,
        villages=_villages(register, summary, [(one, place(one.sent_at), place(_proven(one))) for one in entries]),
        townships=_townships([(one, place(_proven(one))) for one in entries]),
        sent=_curve(place(one.sent_at) for one in entries),
        delivered=_curve(place(_proven(one)) for one in entries),
    )


def _proven(entry: Entry) -> datetime | None:
    return entry.ended_at if entry.state is DeliveryState.DELIVERED else None


def _villages(register: Register, summary: Summary, timed: Sequence[tuple[Entry, int, int]]) -> dict[str, Village]:
    """Every village of the area; its own people are those who hold its posts."""
    held: dict[str, list[str]] = defaultdict(list)
    for post in register.posts:
        if len(post.area_code) == 12:
            held[post.officer_id].append(post.area_code)
    found = {str(code): Village() for code in summary.warning.area["villages"]}
    for entry, sent, delivered in timed:
        kind, _, number = entry.target.partition("-")
        if entry.channel == Channel.BROADCAST:
            for code in entry.areas.split(","):
                if code in found:
                    found[code] = _later(found[code], Village(played=delivered))
        elif kind == TargetKind.OFFICER:
            for code in held[number]:
                if code in found:
                    found[code] = _later(found[code], Village(sent=sent, delivered=delivered))
    return found


def _later(one: Village, other: Village) -> Village:
    """The first time of each kind."""
    return Village(
        sent=_first(one.sent, other.sent),
        delivered=_first(one.delivered, other.delivered),
        played=_first(one.played, other.played),
    )


def _first(one: int, other: int) -> int:
    known = [step for step in (one, other) if step != NEVER]
    return min(known, default=NEVER)


def _townships(timed: Sequence[tuple[Entry, int]]) -> dict[str, tuple[int, Mapping[int, int]]]:
    planned: Counter[str] = Counter()
    delivered: dict[str, Counter[int]] = defaultdict(Counter)
    for entry, step in timed:
        code = township_of(entry.township)
        if len(code) == 9:
            planned[code] += 1
            if step != NEVER:
                delivered[code][step] += 1
    return {code: (number, delivered[code]) for code, number in planned.items()}


def _curve(steps: Iterable[int]) -> list[int]:
    """How many by the end of each step."""
    counted = Counter(steps)
    total, curve = 0, []
    for step in range(STEPS + 1):
        total += counted[step]
        curve.append(total)
    return curve

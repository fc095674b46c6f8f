"""All tries of a delivery, those that have rows of their own and the one that stands in its delivery's row. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import literal, select

from dispatcher.model import Channel
from dispatcher.store.engine import Tx
from dispatcher.store.tables import attempts, deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    target: str
    channel: str
    round: int
    no: int
    provider: str
    started_at: datetime
    ended_at: datetime
    outcome: str
    code: str
    reason: str
    provider_ref: str
    possible_duplicate: bool


async def tries_of(tx: Tx, warning_id: str, targets: Sequence[str]) -> dict[tuple[str, str, int], list[Try]]:
    """All tries of these targets, by (channel, target, round), oldest first; one that stands in its row was the last."""
    names, c = list(Try.__dataclass_fields__), deliveries.c
    apart = (
        select(*(attempts.c[name] for name in names))
        .where(attempts.c.warning_id == warning_id, attempts.c.target.in_(targets))
        .order_by(attempts.c.no)
    )
    said = {"no": c.calls, "started_at": c.answered_at, "ended_at": c.answered_at, "outcome": literal("accepted")}
    said |= {"code": literal(""), "reason": literal("")}
    in_row = select(c.took_us, *(said[name] if name in said else c[name] for name in names)).where(
        c.warning_id == warning_id, c.channel.in_(list(Channel)), c.target.in_(targets), c.answered_at.is_not(None)
    )
    tries = [Try(**dict(zip(names, row, strict=True))) for row in await tx.execute(apart)]
    for took_us, *row in await tx.execute(in_row):
        one = Try(**dict(zip(names, row, strict=True)))
        tries.append(replace(one, started_at=one.ended_at - timedelta(microseconds=took_us)))
    found: dict[tuple[str, str, int], list[Try]] = {}
    for one in tries:
        found.setdefault((one.channel, one.target, one.round), []).append(one)
    return found

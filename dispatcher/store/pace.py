"""How fast a warning leaves the house, by channel, from when each row left. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, or_, select

from dispatcher.store.engine import Tx
from dispatcher.store.tables import deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Of one channel: when the first and the last row left, and how many did since the moment asked for."""

    first: datetime | None
    last: datetime | None
    recent: int


async def paces(tx: Tx, warning_id: str, since: datetime, *, under: Sequence[str] = ()) -> dict[str, Pace]:
    """By channel. `under`: only rows of units whose code begins so."""
    sent = deliveries.c.sent_at
    own = [or_(*(deliveries.c.township.startswith(one, autoescape=True) for one in under))] if under else []
    rows = await tx.execute(
        select(deliveries.c.channel, func.min(sent), func.max(sent), func.sum(case((sent >= since, 1), else_=0)))
        .where(deliveries.c.warning_id == warning_id, *own)
        .group_by(deliveries.c.channel)
    )
    return {channel: Pace(first=first, last=last, recent=int(recent)) for channel, first, last, recent in rows}

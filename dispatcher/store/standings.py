"""How the rows of a warning stand, by channel and township: one walk through them for all that a page shows, whoever looks at
whatever part of it. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select

from dispatcher.states import DeliveryState
from dispatcher.store.engine import Tx
from dispatcher.store.tables import deliveries

_TROUBLED = [DeliveryState.FAILED, DeliveryState.UNDELIVERED, DeliveryState.UNKNOWN]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Rows of a channel, a township and a state: when the first and the last left, how many did since the moment asked for,
    and how many may have arrived twice."""

    channel: str
    township: str
    state: DeliveryState
    rows: int
    first: datetime | None
    last: datetime | None
    recent: int
    flagged: int


async def standings(tx: Tx, warning_id: str, since: datetime) -> list[Standing]:
    c, sent = deliveries.c, deliveries.c.sent_at
    rows = await tx.execute(
        select(
            c.channel,
            c.township,
            c.state,
            func.count(),
            func.min(sent),
            func.max(sent),
            func.sum(case((sent >= since, 1), else_=0)),
            func.sum(case((c.possible_duplicate, 1), else_=0)),
        )
        .where(c.warning_id == warning_id)
        .group_by(c.channel, c.township, c.state)
    )
    return [
        Standing(
            channel=channel,
            township=township,
            state=DeliveryState(state),
            rows=number,
            first=first,
            last=last,
            recent=int(recent),
            flagged=int(flagged),
        )
        for channel, township, state, number, first, last, recent, flagged in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Rows of a channel and a township that did not arrive, or wait for their next try (`due`), by the code they say."""

    channel: str
    township: str
    state: DeliveryState
    code: str
    rows: int
    due: datetime | None


async def blocked(tx: Tx, warning_id: str) -> list[Blocked]:
    """Failed, undelivered and unknown rows, and those that wait to be tried again."""
    c, number = deliveries.c, func.count()
    waits = (c.state == DeliveryState.PLANNED) & c.due_at.is_not(None)
    rows = await tx.execute(
        select(c.channel, c.township, c.state, c.state_code, number, func.min(c.due_at))
        .where(c.warning_id == warning_id, c.state.in_(_TROUBLED) | waits)
        .group_by(c.channel, c.township, c.state, c.state_code)
    )
    return [
        Blocked(channel=channel, township=township, state=DeliveryState(state), code=code, rows=rows_, due=due)
        for channel, township, state, code, rows_, due in rows
    ]

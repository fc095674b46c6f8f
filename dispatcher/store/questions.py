"""Questions put to providers about what they took, and what they answered: append-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert

from dispatcher.store.deliveries import Row
from dispatcher.store.engine import Tx, storable
from dispatcher.store.tables import questions


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`code` and `reason`: why no answer came; '' where one did."""

    row: Row
    started_at: datetime
    ended_at: datetime
    code: str
    reason: str
    trace: str


async def keep(tx: Tx, asked: Sequence[Question]) -> None:
    await tx.execute(
        insert(questions),
        [
            {
                "warning_id": one.row.warning_id,
                "channel": one.row.channel,
                "target": one.row.target,
                "round": one.row.round,
                "started_at": one.started_at,
                "ended_at": one.ended_at,
                "code": one.code[:32],
                "reason": storable(one.reason),
                "trace": storable(one.trace),
            }
            for one in asked
        ],
    )

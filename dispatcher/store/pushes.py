"""Everything pushed to a provider in one record: the messages, and the questions about what became of them. Append-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import case, insert, literal, select, tuple_, union_all

from dispatcher.store.deliveries import Row
from dispatcher.store.engine import Tx, storable
from dispatcher.store.tables import PUSHED, attempts, questions


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A packet pushed to a gateway and what it answered. `packet`: message, or question about one."""

    packet: Literal["message", "question"]
    warning_id: str
    target: str
    no: int
    started_at: datetime
    ended_at: datetime
    outcome: str
    code: str
    reason: str
    provider_ref: str
    trace: str


Place = tuple[datetime, str, str, int]
"""Of a push in its gateway's record: started_at, packet, warning, number."""

_PUSHED = [name for name in Push.__dataclass_fields__ if name != "packet"]


async def commands(tx: Tx, target: str, after: Place | None, limit: int) -> list[Push]:
    """Everything pushed to one gateway behind `after`, oldest first, none twice."""
    pushed = union_all(
        select(literal("message").label("packet"), *(attempts.c[name] for name in _PUSHED)).where(
            PUSHED, attempts.c.target == target
        ),
        select(
            literal("question"),
            questions.c.warning_id,
            questions.c.target,
            questions.c.id,
            questions.c.started_at,
            questions.c.ended_at,
            case((questions.c.code == "", "answered"), else_="silent"),
            questions.c.code,
            questions.c.reason,
            literal(""),
            questions.c.trace,
        ).where(questions.c.target == target),
    ).subquery()
    place = [pushed.c.started_at, pushed.c.packet, pushed.c.warning_id, pushed.c.no]
    statement = select(pushed).order_by(*place).limit(limit)
    if after is not None:
        behind = [literal(value, column.type) for value, column in zip(after, place, strict=True)]
        statement = statement.where(tuple_(*place) > tuple_(*behind))
    return [Push(**row) for row in (await tx.execute(statement)).mappings()]

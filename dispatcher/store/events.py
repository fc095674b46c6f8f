"""What happened (append-only), and what other systems hear of it (the outbox): written in the transaction of the change.

Whatever others hear of stands in the chained log too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from dispatcher.store import audit
from dispatcher.store.audit import Act
from dispatcher.store.engine import Tx
from dispatcher.store.tables import events, outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`kind` is `warning.accepted`, `chunk.in_doubt`, …; `subject` names what it is about (warning id, source, node); `actor`
    who did it."""

    actor: str = "system"
    kind: str
    subject: str
    warning_id: str | None = None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    id: int
    at: datetime
    kind: str
    subject: str
    warning_id: str | None
    detail: Mapping[str, Any]


async def record(tx: Tx, now: datetime, event: Event, *, outward: bool = False, logged: bool = False) -> None:
    """Appends an event; `outward` ones are also put in the outbox for `dispatch.events`, and in the chained log; `logged`
    ones in the log alone."""
    await tx.execute(
        insert(events).values(
            at=now, kind=event.kind, warning_id=event.warning_id, subject=event.subject, detail=dict(event.detail)
        )
    )
    if outward or logged:
        audit.append(
            tx, now, Act(actor=event.actor, action=event.kind, subject=event.subject, detail=dict(event.detail))
        )
    if outward:
        await tx.execute(
            insert(outbox).values(
                at=now, kind=event.kind, subject=event.subject, data=dict(event.detail), relayed_at=None
            )
        )


async def record_all(tx: Tx, now: datetime, given: Sequence[Event]) -> None:
    """Outward ones that come together, in their order: what comes in waits for two statements, and not for two each."""
    rows = [
        {"at": now, "kind": one.kind, "warning_id": one.warning_id, "subject": one.subject, "detail": dict(one.detail)}
        for one in given
    ]
    await tx.execute(insert(events), rows)
    for one in given:
        audit.append(tx, now, Act(actor=one.actor, action=one.kind, subject=one.subject, detail=dict(one.detail)))
    out = [
        {"at": now, "kind": one.kind, "subject": one.subject, "data": dict(one.detail), "relayed_at": None}
        for one in given
    ]
    await tx.execute(insert(outbox), out)


async def of_warning(tx: Tx, warning_id: str) -> list[Recorded]:
    rows = await tx.execute(select(events).where(events.c.warning_id == warning_id).order_by(events.c.id))
    return [Recorded(**row) for row in rows.mappings()]


async def was_approved(tx: Tx, warning_id: str) -> bool:
    """Whether the record, which is only added to, has it that this warning was let go."""
    wanted = select(events.c.id).where(events.c.warning_id == warning_id, events.c.kind == "warning.approved")
    return (await tx.execute(wanted.limit(1))).first() is not None


async def since(tx: Tx, last_id: int, limit: int = 200) -> list[Recorded]:
    """Events after `last_id`, oldest first: what the live stream resumes from."""
    rows = await tx.execute(select(events).where(events.c.id > last_id).order_by(events.c.id).limit(limit))
    return [Recorded(**row) for row in rows.mappings()]


async def of_kinds(tx: Tx, kinds: Sequence[str], after: int, since: datetime) -> tuple[list[Recorded], int]:
    """Behind `after`, oldest first; and the newest id of all."""
    c = events.c
    newest = (await tx.execute(select(c.id).order_by(c.id.desc()).limit(1))).scalar_one_or_none() or 0
    found = select(events).where(c.id > after, c.kind.in_(kinds), c.at >= since).order_by(c.id)
    return [Recorded(**row) for row in (await tx.execute(found)).mappings()], newest


async def waiting(tx: Tx, limit: int = 100) -> list[Recorded]:
    """Outbox rows not yet relayed, oldest first."""
    rows = await tx.execute(select(outbox).where(outbox.c.relayed_at.is_(None)).order_by(outbox.c.id).limit(limit))
    return [
        Recorded(
            id=row["id"], at=row["at"], kind=row["kind"], subject=row["subject"], warning_id=None, detail=row["data"]
        )
        for row in rows.mappings()
    ]


async def relayed(tx: Tx, ids: list[int], now: datetime) -> None:
    await tx.execute(update(outbox).where(outbox.c.id.in_(ids)).values(relayed_at=now))

"""The embedded broker's two queues as tables: `inbox` (warnings.inbound) and `rejected` (warnings.rejected).

A letter's `tries` is raised before it is handled, so that one that kills the process is counted too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from dispatcher.store.engine import Tx
from dispatcher.store.tables import inbox, rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A row of the inbox; `id` is 0 and `tries` 0 before it is put."""

    routing_key: str
    content_type: str
    headers: Mapping[str, str]
    body: bytes
    message_id: str
    id: int = 0
    tries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A row of `rejected`. The headers hold the original ones and `code`, `reason`, `source`, `message_id`."""

    content_type: str
    headers: Mapping[str, str | int]
    body: bytes
    at: datetime
    id: int = 0


def put(tx: Connection, letter: Letter, now: datetime) -> None:
    tx.execute(
        insert(inbox).values(
            routing_key=letter.routing_key,
            content_type=letter.content_type,
            headers=dict(letter.headers),
            body=letter.body,
            message_id=letter.message_id,
            enqueued_at=now,
            tries=0,
        )
    )


async def oldest(tx: Tx, passing_over: Collection[int] = ()) -> Letter | None:
    query = select(inbox).order_by(inbox.c.id).limit(1)
    if passing_over:
        query = query.where(inbox.c.id.not_in(passing_over))
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    return Letter(
        id=row.id,
        routing_key=row.routing_key,
        content_type=row.content_type,
        headers=row.headers,
        body=row.body,
        message_id=row.message_id,
        tries=row.tries,
    )


def count_try(tx: Connection, letter_id: int, by: int = 1) -> None:
    """`by=-1` takes a try back that was none."""
    tx.execute(update(inbox).where(inbox.c.id == letter_id).values(tries=inbox.c.tries + by))


def done(tx: Connection, letter_id: int) -> bool:
    """False where it was done already."""
    return tx.execute(delete(inbox).where(inbox.c.id == letter_id)).rowcount == 1


def refuse(tx: Connection, refused: Refused) -> None:
    tx.execute(
        insert(rejected).values(
            content_type=refused.content_type, headers=dict(refused.headers), body=refused.body, at=refused.at
        )
    )


def move(tx: Connection, letter_id: int, refused: Refused) -> None:
    """Out of the one queue and into the other; once."""
    if done(tx, letter_id):
        refuse(tx, refused)


async def refused(tx: Tx, limit: int = 100) -> list[Refused]:
    """The oldest first."""
    rows = await tx.execute(select(rejected).order_by(rejected.c.id).limit(limit))
    return [
        Refused(id=row.id, content_type=row.content_type, headers=row.headers, body=row.body, at=row.at) for row in rows
    ]

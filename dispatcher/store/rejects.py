"""What was refused: the original bytes, the code and the sentence. Nothing is dropped silently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from dispatcher.store.engine import Tx
from dispatcher.store.tables import rejects


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    id: str
    at: datetime
    source: str
    door: str
    content_type: str
    raw: bytes
    digest: str
    code: int
    reason: str
    findings: Sequence[Mapping[str, Any]]


async def keep(tx: Tx, reject: Reject) -> None:
    await tx.execute(
        insert(rejects).values(
            id=reject.id,
            at=reject.at,
            source=reject.source,
            door=reject.door,
            content_type=reject.content_type,
            raw=reject.raw,
            digest=reject.digest,
            code=reject.code,
            reason=reject.reason,
            findings=list(reject.findings),
        )
    )


async def latest(tx: Tx, limit: int = 50) -> list[Reject]:
    rows = await tx.execute(select(rejects).order_by(rejects.c.at.desc(), rejects.c.id.desc()).limit(limit))
    return [Reject(**row) for row in rows.mappings()]


async def one(tx: Tx, reject_id: str) -> Reject | None:
    row = (await tx.execute(select(rejects).where(rejects.c.id == reject_id))).mappings().one_or_none()
    return Reject(**row) if row else None

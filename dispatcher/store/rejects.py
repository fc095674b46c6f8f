"""What was refused: the original bytes, the code and the sentence. Nothing is dropped silently."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, LargeBinary, func, insert, or_, select

from dispatcher.store.engine import Tx
from dispatcher.store.tables import rejects

_CODE: Final = re.compile(r"[0-9]{1,4}")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A refused message without its bytes."""

    id: str
    at: datetime
    source: str
    door: str
    content_type: str
    digest: str
    size: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which of them: `said` stands in the reason, or is the code; `since`, `until`: when it came."""

    said: str = ""
    source: str = ""
    since: datetime | None = None
    until: datetime | None = None


ALL: Final = Asked()


async def refusals(tx: Tx, limit: int, before: str = "", asked: Asked = ALL) -> list[Refusal]:
    """Newest first; `before` is the id of the last one of the page before (ids stand in the order of time)."""
    names = [name for name in Refusal.__dataclass_fields__ if name != "size"]
    statement = select(*(rejects.c[name] for name in names), func.length(rejects.c.raw).label("size"))
    if before:
        statement = statement.where(rejects.c.id < before)
    statement = statement.where(*_asked(asked))
    rows = await tx.execute(statement.order_by(rejects.c.id.desc()).limit(limit))
    return [Refusal(**row) for row in rows.mappings()]


def _asked(asked: Asked) -> list[ColumnElement[bool]]:
    c, found = rejects.c, []
    if asked.said:
        said = c.reason.icontains(asked.said, autoescape=True)
        found.append(or_(said, c.code == int(asked.said)) if _CODE.fullmatch(asked.said) else said)
    if asked.source:
        found.append(c.source == asked.source)
    if asked.since is not None:
        found.append(c.at >= asked.since)
    if asked.until is not None:
        found.append(c.at < asked.until)
    return found


async def heads(tx: Tx, reject_ids: Sequence[str], most: int) -> dict[str, bytes]:
    """How each begins."""
    head = func.substr(rejects.c.raw, 1, most, type_=LargeBinary).label("head")
    rows = await tx.execute(select(rejects.c.id, head).where(rejects.c.id.in_(reject_ids)))
    return {row.id: bytes(row.head or b"") for row in rows}  # of no bytes SQLite says none

"""Scans of papers that were signed in ink, one row a file; its bytes are sealed. Only ever added to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select

from dispatcher.store.engine import Tx
from dispatcher.store.tables import scans


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Without its bytes. `name`, `size`, `sha256`: of the file as it came."""

    id: str
    warning_id: str
    at: datetime
    account_id: str
    name: str
    kind: str
    size: int
    sha256: str
    plan_hash: str


_SCAN = [scans.c[name] for name in Scan.__dataclass_fields__]


async def add(tx: Tx, scan: Scan, body: bytes) -> None:
    """IntegrityError where the same file is there already."""
    values = {name: getattr(scan, name) for name in Scan.__dataclass_fields__}
    await tx.execute(insert(scans).values(**values, body=body))


async def of(tx: Tx, warning_id: str) -> list[Scan]:
    """Oldest first."""
    rows = await tx.execute(select(*_SCAN).where(scans.c.warning_id == warning_id).order_by(scans.c.id))
    return [Scan(**row) for row in rows.mappings()]


async def one(tx: Tx, warning_id: str, scan_id: str) -> tuple[Scan, bytes] | None:
    """With its bytes, sealed."""
    wanted = select(*_SCAN, scans.c.body).where(scans.c.id == scan_id, scans.c.warning_id == warning_id)
    row = (await tx.execute(wanted)).mappings().one_or_none()
    return (Scan(**{name: row[name] for name in Scan.__dataclass_fields__}), row["body"]) if row else None
